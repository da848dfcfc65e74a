import { execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { Profile as PprofFile } from 'pprof-format';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { SnapshotForecast } from '../../protocol/rest/forecast.ts';
import type { Feature, Info } from '../../protocol/rest/info.ts';
import { isEndedState } from '../../protocol/rest/operation.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import { parseCpuProfileBytes } from '../../protocol/cpu-profile/parse.ts';
import { waitFor } from '../support/wait-for.ts';
import { apiOf, mintToken, untilAttached, watchApplication } from './pod/api.ts';
import type { Api } from './pod/api.ts';
import { forwardPort } from './pod/forward.ts';
import type { Forwarding } from './pod/forward.ts';
import { kubectlFor } from './pod/kubectl.ts';
import type { Pod, PodOptions } from './pod/pod.ts';
import { podRuntime } from './pod/runtime.ts';
import { deployDirectory, renderOverlay } from './render.ts';

const runtime = podRuntime();
beforeAll(() => runtime.prepare(), 120_000);

describe('the pod of examples/shop', () => {
  let pod: Pod;
  let admin: Forwarding;
  let application: Forwarding;
  let api: Api;
  const stack = new AsyncDisposableStack();
  afterAll(() => stack.disposeAsync());

  beforeAll(async () => {
    pod = stack.use(await runtime.openPod({ deployment: deploymentOf('examples/shop') }));
    await pod.start('sidescope');
    await pod.start('shop');
    admin = stack.use(await forwardPort(pod, 7777));
    application = stack.use(await forwardPort(pod, 3000));
    await waitFor(() => answers(application), { message: 'the application to answer' });
    api = apiOf(admin.url, await waitFor(() => mintToken(pod), { message: 'a token' }));
    await untilAttached(api);
  });

  it('runs both containers without capabilities, privileges or a writable root, as different users', async () => {
    for (const [container, user] of [
      ['sidescope', 65532],
      ['shop', 1000],
    ] as const) {
      const status = readFileSync(`/proc/${await pod.pid(container)}/status`, 'utf8');
      const fact = (name: string): string => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '';
      expect({ container, uid: fact('Uid').split('\t'), gid: fact('Gid').split('\t') }).toEqual({
        container,
        uid: Array(4).fill(String(user)),
        gid: Array(4).fill(String(user)),
      });
      expect(fact('CapEff')).toMatch(/^0+$/);
      expect(fact('NoNewPrivs')).toBe('1');
      expect(fact('Seccomp')).toBe(runtime.hasSeccomp ? '2' : '0');
    }
    const write = await pod.exec('sidescope', ['/nodejs/bin/node', '-e', 'fs.writeFileSync("/app/x", "")']);
    expect(write.stderr).toContain('EROFS');
  });

  it('takes a CPU profile through the port-forward, with the place in its metadata, while the application serves', async () => {
    await using watched = watchApplication(application.url);
    const { profileIds, state } = await api.post('/cpu/start?duration=2000&wait=true');
    expect(state).toBe('succeeded');
    const profile = await api.get<Profile>(`/profiles/${profileIds[0]}`);
    expect(profile.environment).toEqual({
      pod: expect.stringMatching(/^sidescope-pod-/) as string,
      namespace: 'shop',
      node: 'node-1',
      container: 'shop',
    });
    const download = await api.send('GET', `/profiles/${profileIds[0]}/download`);
    const parsed = parseCpuProfileBytes(new Uint8Array(await download.arrayBuffer()));
    expect(parsed.frames.map(({ functionName }) => functionName)).toContain('fibonacci');
    expect(watched.answers).toBeGreaterThan(0);
    expect(watched.failures).toEqual([]);
  });

  it('answers the port-forward only under a name that is local', async () => {
    const port = new URL(admin.url).port;
    for (const [host, status] of [
      [`localhost:${port}`, 200],
      ['sidescope.evil.example', 403],
      ['10.0.0.5', 403],
    ] as const) {
      const asked = request(`${admin.url}/api/v1/profiling/ui`, { headers: { host }, agent: false }).end();
      const [answer] = (await once(asked, 'response')) as [IncomingMessage];
      answer.resume();
      expect({ host, status: answer.statusCode }).toEqual({ host, status });
    }
  });

  it('opens by `sidescope open`: the link that it prints leads through the pod to the page and the API', async () => {
    using kubectl = kubectlFor(pod, admin);
    const bundle = join(deployDirectory, '../dist/agent/main.mjs');
    const open = spawn(process.execPath, [bundle, 'open', 'pod/shop', '--no-browser', '--kubectl', kubectl.path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(open, 'exit');
    try {
      const [printed] = (await once(open.stdout.setEncoding('utf8'), 'data')) as [string];
      const link = new URL(printed.trim());
      expect((await fetch(link)).status).toBe(200);
      const token = link.hash.replace('#token=', '');
      const { environment } = await apiOf(link.origin, token).get<Info>('/info');
      expect(environment['namespace']).toBe('shop');
    } finally {
      open.kill('SIGINT');
    }
    expect(await ended).toEqual([0, null]);
  });

  it('is captured and listed from outside, as one pod of a fleet', async () => {
    using kubectl = kubectlFor(pod, admin);
    const folder = mkdtempSync(join(tmpdir(), 'sidescope-fleet-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const output = join(folder, 'fleet.pb.gz');
    const sidescope = async (...args: string[]): Promise<string> => {
      const bundle = join(deployDirectory, '../dist/agent/main.mjs');
      const { stdout } = await promisify(execFile)(process.execPath, [
        bundle,
        ...args,
        '--json',
        '--kubectl',
        kubectl.path,
      ]);
      return stdout;
    };
    const captured = JSON.parse(
      await sidescope('capture', '-l', 'app=shop', '--duration', '1s', '--jitter', '0s', '-o', output),
    ) as object;
    expect(captured).toMatchObject({ file: { profiles: 1 }, pods: [{ pod: 'shop-1', result: 'captured' }] });
    const { stringTable } = PprofFile.decode(gunzipSync(readFileSync(output)));
    expect(stringTable.strings).toEqual(expect.arrayContaining(['fibonacci', 'pod', 'shop-1', 'node-1']));
    expect(JSON.parse(await sidescope('pods', '-l', 'app=shop'))).toMatchObject({
      pods: [{ name: 'shop-1', problem: null }],
    });
    expect(JSON.parse(await sidescope('why', '-l', 'app=shop'))).toMatchObject({ pods: [{ pod: 'shop-1' }] });
  });

  it('shows nothing as failed, and what its manifest leaves off, at the port that kubelet and Prometheus reach', async () => {
    await using ops = await forwardPort(pod, 7778);
    const { features } = (await (await fetch(`${ops.url}/readyz`)).json()) as {
      features: { name: string; state: string }[];
    };
    expect(features.filter(({ state }) => state !== 'off')).toEqual([]);
    expect(features.map(({ name }) => name)).toContain('otlp');
    expect(await (await fetch(`${ops.url}/metrics`)).text()).toMatch(/^sidescope_target_attached\{[^}]*\} 1$/m);
  });

  it('refuses the heap snapshot that would exceed the limit of the application, which does not notice', async () => {
    const before = await pod.pid('shop');
    await using watched = watchApplication(application.url);
    await fetch(`${application.url}/keep?amount=60`, { headers: { connection: 'close' } });
    const refused = await api.send('POST', '/heap/snapshot');
    expect(refused.status).toBe(409);
    const problem = (await refused.json()) as { code: string; details: { forecast: SnapshotForecast } };
    expect(problem.code).toBe('snapshot-refused');
    expect(problem.details.forecast.limit).toMatchObject({ bytes: 512 * 2 ** 20, source: 'container' });
    expect(problem.details.forecast.predictedPeakBytes.high).toBeGreaterThan(512 * 2 ** 20);
    expect(await pod.pid('shop')).toBe(before);
    expect(watched.failures).toEqual([]);
  });

  it('keeps the profile of an application that exits, lets it go, and attaches to the next one', async () => {
    const before = await pod.pid('shop');
    const started = await api.post('/cpu/start?duration=60000');
    await waitFor(async () => (await operation(api, started.id)).progress.phase === 'sampling', {
      message: 'the capture to sample',
    });
    await fetch(`${application.url}/exit`, { headers: { connection: 'close' } });
    await waitFor(async () => (await pod.pid('shop')) !== before, { message: 'the application to be started again' });
    const ended = await waitFor(() => endedOperation(api, started.id), { message: 'the capture to end' });
    expect(ended.state).toBe('partial');
    const profile = await api.get<Profile>(`/profiles/${ended.profileIds[0]}`);
    expect(profile).toMatchObject({ complete: false, kind: 'cpu' });
    await untilAttached(api);
    await waitFor(() => answers(application), { message: 'the application to answer' });
  });

  it('a sidecar that is killed takes nothing with it: the application serves, the profiles are there at its next start', async () => {
    const before = await pod.pid('shop');
    const known = await profileIdsOf(api);
    expect(known.length).toBeGreaterThan(0);
    await using watched = watchApplication(application.url);
    const started = await api.post('/cpu/start?duration=60000');
    await waitFor(async () => (await operation(api, started.id)).progress.phase === 'sampling', {
      message: 'the capture to sample',
    });
    const killed = await pod.pid('sidescope');
    process.kill(killed, 'SIGKILL');
    await waitFor(async () => (await pod.pid('sidescope')) !== killed, { message: 'the sidecar to be started again' });

    // The token died with the agent that minted it.
    api = apiOf(admin.url, await waitFor(() => mintToken(pod), { message: 'a token of the new agent' }));
    await untilAttached(api);
    expect(await profileIdsOf(api)).toEqual(known);
    const lost = await operation(api, started.id);
    expect(lost).toMatchObject({ state: 'failed', error: { code: 'agent-restarted' } });
    expect(await pod.pid('shop')).toBe(before);
    expect(watched.failures).toEqual([]);
  });

  it('at SIGTERM saves what runs, leaves the application clean and ends with 0', async () => {
    await using watched = watchApplication(application.url);
    const started = await api.post('/cpu/start?duration=60000');
    await waitFor(async () => (await operation(api, started.id)).progress.phase === 'sampling', {
      message: 'the capture to sample',
    });
    expect(await pod.stop('sidescope', 30)).toBe(0);
    await pod.start('sidescope');
    api = apiOf(admin.url, await waitFor(() => mintToken(pod), { message: 'a token of the new agent' }));
    const saved = await operation(api, started.id);
    expect(saved.profileIds).toHaveLength(1);
    expect(await api.get<Profile>(`/profiles/${saved.profileIds[0]}`)).toMatchObject({ complete: false, kind: 'cpu' });
    expect(watched.failures).toEqual([]);
  });

  it('leaves no token in its log', async () => {
    const log = await pod.logs('sidescope');
    expect(log).toContain('sidescope is ready');
    expect(log).not.toMatch(/sst_/);
  });
});

describe('the pod of examples/shop-guaranteed, with tokens from the Secret and a disk budget of 1 MiB', () => {
  let pod: Pod;
  let admin: Forwarding;
  let application: Forwarding;
  const token = randomBytes(32).toString('base64');
  const stack = new AsyncDisposableStack();
  afterAll(() => stack.disposeAsync());

  beforeAll(async () => {
    const sha256 = createHash('sha256').update(token).digest('hex');
    pod = stack.use(
      await runtime.openPod({
        deployment: deploymentOf('examples/shop-guaranteed'),
        tokens: JSON.stringify({ tokens: [{ name: 'alice', sha256, scopes: ['admin'] }] }),
        sidecarEnvironment: { SIDESCOPE_DISK_BUDGET: '1MiB' },
      }),
    );
    await pod.start('shop');
    admin = stack.use(await forwardPort(pod, 7777));
    application = stack.use(await forwardPort(pod, 3000));
    await waitFor(() => answers(application), { message: 'the application to answer' });
  });

  it.each([
    { name: 'admin', port: 7777, reportedAt: { port: 7778, path: 'readyz' } },
    { name: 'ops', port: 7778, reportedAt: { port: 7777, path: 'api/v1/profiling/info' } },
  ])('stays up while the port of its $name listener is taken, says so, and takes it when it is free', async (taken) => {
    const { name, port, reportedAt } = taken;
    await using watched = watchApplication(application.url);
    const report = stack.use(await forwardPort(pod, reportedAt.port));
    const feature = async (): Promise<Feature | undefined> => {
      const response = await fetch(`${report.url}/${reportedAt.path}`, {
        headers: { authorization: `Bearer ${token}`, connection: 'close' },
      });
      return ((await response.json()) as { features: Feature[] }).features.find((one) => one.name === name);
    };
    {
      await using _taken = await takePort(pod, port);
      await pod.start('sidescope');
      const failed = await waitFor(feature, { message: `the ${name} listener to be told as failed` });
      expect(failed.state).toBe('failed');
      expect(failed.reason).toContain(String(port));
    }
    await waitFor(async () => (await feature().then((one) => one?.state ?? 'on')) === 'on', {
      message: `port ${port} to be taken up`,
      deadlineMs: 30_000,
    });
    expect(await pod.stop('sidescope', 10)).toBe(0);
    expect(watched.failures).toEqual([]);
  });

  it('out of its disk budget it refuses the capture and nothing else happens', async () => {
    await using watched = watchApplication(application.url);
    await pod.start('sidescope');
    const api = apiOf(admin.url, token);
    await untilAttached(api);
    const answer = await api.send('POST', '/heap/snapshot?wait=true');
    const outcome = (await answer.json()) as { code?: string; error?: { code: string } | null };
    expect(outcome.code ?? outcome.error?.code).toBe('disk-budget');
    const { storage } = await api.get<Info>('/info');
    expect(storage?.usedBytes).toBeLessThanOrEqual(2 ** 20);
    expect((await api.post('/cpu/start?duration=500&wait=true')).state).toBe('succeeded');
    expect(watched.failures).toEqual([]);
  });
});

/** A process in the pod's network that listens there, as another container would. */
async function takePort(pod: Pod, port: number): Promise<AsyncDisposable> {
  const listen = `require('node:net').createServer().listen(${port}, '0.0.0.0', () => console.log('ready'))`;
  const child = spawn('nsenter', ['-t', String(pod.networkPid), '-n', process.execPath, '-e', listen], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return {
    async [Symbol.asyncDispose]() {
      child.kill();
      await once(child, 'exit');
    },
  };
}

function operation(api: Api, id: string): Promise<Operation> {
  return api.get<Operation>(`/operations/${id}`);
}

async function endedOperation(api: Api, id: string): Promise<Operation | undefined> {
  const seen = await operation(api, id);
  return isEndedState(seen.state) ? seen : undefined;
}

async function profileIdsOf(api: Api): Promise<string[]> {
  const { profiles } = await api.get<{ profiles: Profile[] }>('/profiles');
  return profiles.map(({ id }) => id);
}

function deploymentOf(overlay: string): PodOptions['deployment'] {
  const found = renderOverlay(join(deployDirectory, overlay)).find(({ kind }) => kind === 'Deployment');
  if (found === undefined) throw new Error(`${overlay} renders no Deployment`);
  return found;
}

async function answers(application: Forwarding): Promise<boolean> {
  return (await fetch(application.url, { headers: { connection: 'close' } })).ok;
}
