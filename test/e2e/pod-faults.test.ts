import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Feature, Info } from '../../protocol/rest/info.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import { copyBundle, userOfItsOwn } from '../support/bundle-process.ts';
import type { BundleProcess, PublicBundle } from '../support/bundle-process.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';

// As in a pod: no terminal, so not strict. Whatever is wrong, the process stays, and says so in each of the places where somebody may look.

let bundle: PublicBundle;
beforeAll(async () => {
  bundle = await copyBundle();
});
afterAll(() => bundle[Symbol.asyncDispose]());

interface Started {
  readonly agent: BundleProcess;
  readonly uid: number | undefined;
  readonly home: string;
  readonly ops: string;
}

/** Free ports and a good data directory, unless the arguments say otherwise. */
async function start(args: (home: string) => readonly string[], env: Record<string, string> = {}): Promise<Started> {
  const uid = userOfItsOwn();
  const home = await bundle.directory(uid);
  const given = args(home);
  const usual = { '--admin-address': '127.0.0.1:0', '--ops-address': '127.0.0.1:0', '--data-dir': join(home, 'data') };
  const rest = Object.entries(usual).flatMap(([name, value]) => (given.includes(name) ? [] : [name, value]));
  const agent = bundle.start({ args: [...rest, ...given], uid, env });
  await agent.logged(/sidescope is ready/);
  return { agent, uid, home, ops: /"ops":"([^"]+)"/.exec(agent.log)?.[1] ?? '' };
}

/** By a token of the local socket, as somebody in the pod would. */
async function ask<T>({ uid }: Pick<Started, 'uid'>, path: string, method = 'GET'): Promise<T> {
  const { code, stdout, stderr } = await bundle.run({ args: ['token', '--json'], uid });
  if (code !== 0) throw new Error(stderr);
  const { token, agent } = JSON.parse(stdout) as { token: string; agent: { admin: { url: string } | null } };
  const headers = { authorization: `Bearer ${token}` };
  return (await (await fetch(`${agent.admin?.url}${apiPath}${path}`, { method, headers })).json()) as T;
}

const infoOf = (started: Pick<Started, 'uid'>): Promise<Info> => ask<Info>(started, '/info');

async function readyz({ ops }: Pick<Started, 'ops'>): Promise<readonly Feature[]> {
  const response = await fetch(`${ops}/readyz`);
  expect(response.status).toBe(200);
  return ((await response.json()) as { features: Feature[] }).features;
}

const metric = async ({ ops }: Pick<Started, 'ops'>, name: string): Promise<string | undefined> =>
  (await (await fetch(`${ops}/metrics`)).text()).split('\n').find((line) => line.startsWith(name));

async function expectFailed(started: Started, name: string, reason: RegExp): Promise<void> {
  const expected: unknown = expect.objectContaining({
    name,
    state: 'failed',
    reason: expect.stringMatching(reason) as string,
  });
  expect(await readyz(started)).toContainEqual(expected);
  expect((await infoOf(started)).features).toContainEqual(expected);
  expect(await metric(started, `sidescope_feature_up{feature="${name}"}`)).toMatch(/ 0$/);
  const loud = started.agent.log.split('\n').filter((line) => /"level":"(warn|error)"/.test(line));
  expect(loud.filter((line) => reason.test(messageOf(line)))).not.toEqual([]);
  await expectAlive(started);
}

async function expectAlive({ agent, ops }: Started): Promise<void> {
  if (ops !== '') expect((await fetch(`${ops}/livez`)).status).toBe(200);
  agent.kill('SIGTERM');
  expect(await agent.exited).toEqual({ code: 0, signal: null });
}

function messageOf(line: string): string {
  const { msg, problem } = JSON.parse(line) as { msg: string; problem?: string };
  return `${msg} ${problem ?? ''}`;
}

describe('options', () => {
  test.for<[string, (home: string) => string[], RegExp]>([
    ['a malformed value', () => ['--disk-budget', '2'], /--disk-budget "2" needs a unit/],
    ['an unknown name', () => ['--taget', 'a:1'], /unknown option "--taget"; did you mean --target\?/],
    [
      'a target without its flag',
      () => ['127.0.0.1:9229'],
      /unexpected argument "127.0.0.1:9229"; a target is named by/,
    ],
    ['a public admin address', () => ['--admin-address', '0.0.0.0:7777'], /is not a loopback address/],
    [
      'a config file that is not there',
      (home) => ['--config', join(home, 'none.yaml')],
      /cannot read .*none\.yaml.*ENOENT/,
    ],
    [
      'a config file that is not YAML',
      (home) => {
        writeFileSync(join(home, 'broken.yaml'), 'data-dir: [');
        return ['--config', join(home, 'broken.yaml')];
      },
      /broken\.yaml line 1: /,
    ],
  ])('%s leaves the agent up with its default', async ([, args, reason]) => {
    const started = await start(args);
    await using _agent = started.agent;
    await expectFailed(started, 'options', reason);
  });

  test('a wrong variable is as a wrong flag', async () => {
    const started = await start(() => [], { SIDESCOPE_RETENTION_AGE: 'week' });
    await using _agent = started.agent;
    await expectFailed(started, 'options', /SIDESCOPE_RETENTION_AGE "week" must be a number with a unit/);
  });
});

describe('the token file', () => {
  test.for<[string, string | undefined, RegExp]>([
    ['missing', undefined, /ENOENT/],
    ['no JSON', 'sst_a-token-by-mistake', /tokens\.json is not JSON/],
    ['of another shape', '{"tokens":[{"name":"a"}]}', /tokens\.json: tokens\.0\.sha256/],
  ])('%s lets nobody in but by the local socket, and is read when it is repaired', async ([, content, reason]) => {
    const started = await start((home) => {
      if (content !== undefined) writeFileSync(join(home, 'tokens.json'), content);
      return ['--token-file', join(home, 'tokens.json')];
    });
    await using agent = started.agent;
    expect(await readyz(started)).toContainEqual(expect.objectContaining({ name: 'authentication', state: 'failed' }));
    expect(agent.log).not.toContain('sst_');
    const { listeners } = await infoOf(started);
    const token = 'a-token-made-by-hand-for-this-test';
    const info = async (): Promise<number> =>
      (await fetch(`${listeners.admin}${apiPath}/info`, { headers: { authorization: `Bearer ${token}` } })).status;
    expect(await info()).toBe(401);

    const sha256 = createHash('sha256').update(token).digest('hex');
    const good = JSON.stringify({ tokens: [{ name: 'a', sha256, scopes: ['view'] }] });
    await writeFile(join(started.home, 'next.json'), good, { mode: 0o644 });
    await rename(join(started.home, 'next.json'), join(started.home, 'tokens.json'));
    // Nobody asks with a token meanwhile: looking at /readyz is enough.
    await waitFor(async () => !(await readyz(started)).some(({ name }) => name === 'authentication'), {
      message: 'the repaired token file to be read',
    });
    expect(await info()).toBe(200);
    expect(agent.log).toMatch(reason);
    await expectAlive(started);
  });
});

describe('the data directory', () => {
  test.for<[string, (home: string) => string, RegExp]>([
    [
      'read-only',
      (home) => {
        mkdirSync(join(home, 'closed'));
        chmodSync(join(home, 'closed'), 0o555);
        return join(home, 'closed');
      },
      /data directory .*closed: .*(EACCES|EROFS|EPERM)/,
    ],
    [
      'under something that is no directory',
      (home) => `${plainFile(home)}/data`,
      /data directory .*file\/data: .*ENOTDIR/,
    ],
    [
      'under a parent that cannot be made',
      () => '/proc/sidescope/data',
      /data directory \/proc\/sidescope\/data: .*ENOENT/,
    ],
  ])('%s turns storage off, and captures are refused with its reason', async ([, directory, reason]) => {
    const started = await start((home) => ['--data-dir', directory(home)]);
    await using _agent = started.agent;
    const { storage } = await infoOf(started);
    expect(storage).toBeNull();
    await expectFailed(started, 'storage', reason);
  });

  test('of another agent turns storage off, and that agent is not disturbed', async () => {
    const first = await start(() => []);
    await using _first = first.agent;
    const directory = join(first.home, 'data');
    const second = bundle.start({
      args: ['--admin-address', '127.0.0.1:0', '--ops-address', '127.0.0.1:0', '--data-dir', directory],
      uid: first.uid,
    });
    await using _second = second;
    await second.logged(/sidescope is ready/);
    const ops = /"ops":"([^"]+)"/.exec(second.log)?.[1] ?? '';
    expect(await readyz({ ops })).toContainEqual(
      expect.objectContaining({ name: 'storage', state: 'failed', reason: `another agent uses ${directory}` }),
    );
    const { code, stdout } = await bundle.run({ args: ['token', '--data-dir', directory, '--json'], uid: first.uid });
    expect(code).toBe(0);
    expect(stdout).toContain(`"pid":${first.agent.pid},`);
  });

  test('that nobody named falls back to a temporary one, and says so', async () => {
    const uid = userOfItsOwn();
    const [closed, temporary] = [await bundle.directory(), await bundle.directory(uid)];
    chmodSync(closed, 0o555);
    await using agent = bundle.start({
      args: ['--admin-address', '127.0.0.1:0', '--ops-address', '127.0.0.1:0'],
      uid,
      cwd: uid === undefined ? '/proc' : closed,
      env: { TMPDIR: temporary },
    });
    await agent.logged(/sidescope is ready/);
    const { storage, features } = await infoOf({ uid });
    expect(storage).toMatchObject({ temporary: true, directory: expect.stringContaining(temporary) as string });
    expect(features).toContainEqual(
      expect.objectContaining({
        name: 'storage',
        state: 'on',
        reason: expect.stringContaining('lost with the agent') as string,
      }),
    );
  });
});

describe('a port that is taken', () => {
  test('of the API: the ops listener says so, and it is taken up when it becomes free', async () => {
    const taken = await takePort();
    await using _taken = taken;
    const started = await start(() => ['--admin-address', `127.0.0.1:${taken.port}`]);
    await using _agent = started.agent;
    const reason = `the admin listener cannot use 127.0.0.1:${taken.port}: EADDRINUSE; it is taken up when it becomes free`;
    expect(await readyz(started)).toContainEqual(expect.objectContaining({ name: 'admin', state: 'failed', reason }));
    expect(await metric(started, 'sidescope_feature_up{feature="admin"}')).toMatch(/ 0$/);
    await taken[Symbol.asyncDispose]();
    await started.agent.logged(/the port became free: listening/);
    expect((await infoOf(started)).features).toContainEqual(
      expect.objectContaining({ name: 'admin', state: 'on', reason: `http://127.0.0.1:${taken.port}` }),
    );
    await expectAlive(started);
  });

  test('of health and metrics: the page says so, and it is taken up when it becomes free', async () => {
    const taken = await takePort();
    await using _taken = taken;
    const started = await start(() => ['--ops-address', `127.0.0.1:${taken.port}`]);
    await using _agent = started.agent;
    const failed = { name: 'ops', state: 'failed', reason: expect.stringContaining('EADDRINUSE') as string };
    expect((await infoOf(started)).features).toContainEqual(expect.objectContaining(failed));
    await taken[Symbol.asyncDispose]();
    const ops = `http://127.0.0.1:${taken.port}`;
    await waitFor(async () => (await fetch(`${ops}/livez`)).ok, { message: 'the ops listener on its port' });
    await expectAlive({ ...started, ops });
  });

  test('both: the log and the local socket are left, and the process stays', async () => {
    const [one, other] = [await takePort(), await takePort()];
    await using _ports = {
      [Symbol.asyncDispose]: () => Promise.all([one.close(), other.close()]).then(() => undefined),
    };
    const args = ['--admin-address', `127.0.0.1:${one.port}`, '--ops-address', `127.0.0.1:${other.port}`];
    const started = await start(() => args);
    await using _agent = started.agent;
    for (const { port } of [one, other])
      expect(started.agent.log).toContain(`cannot use 127.0.0.1:${port}: EADDRINUSE`);
    const { code, stderr } = await bundle.run({ args: ['token'], uid: started.uid });
    expect(code).toBe(0);
    expect(stderr).toContain('The admin port of this agent is taken');
    await expectAlive(started);
  });

  test('a port that no user may have stays off', async () => {
    const started = await start(() => ['--ops-address', '192.0.2.1:7778']);
    await using _agent = started.agent;
    const reason = 'the ops listener cannot use 192.0.2.1:7778: EADDRNOTAVAIL';
    expect((await infoOf(started)).features).toContainEqual(
      expect.objectContaining({ name: 'ops', state: 'failed', reason }),
    );
    await expectAlive(started);
  });
});

test('where the agent runs is in the metrics, in /info and in every profile', async () => {
  await using target = await startTarget('forever');
  const started = await start(() => ['--target', target.inspectorAddress], {
    POD_NAME: 'shop-7c9f',
    POD_NAMESPACE: 'prod',
    NODE_NAME: 'node-1',
    CONTAINER_NAME: 'sidescope',
  });
  await using _agent = started.agent;
  expect(await metric(started, 'sidescope_pod_info')).toBe(
    'sidescope_pod_info{namespace="prod",pod="shop-7c9f",node="node-1",container="sidescope"} 1',
  );
  const environment = { pod: 'shop-7c9f', namespace: 'prod', node: 'node-1', container: 'sidescope' };
  expect((await infoOf(started)).environment).toEqual(environment);
  await started.agent.logged(/attached to /);
  const { profileIds } = await ask<Operation>(started, '/cpu/start?duration=100&wait=true', 'POST');
  expect(await ask<Profile>(started, `/profiles/${profileIds[0]}`)).toMatchObject({ kind: 'cpu', environment });
});

function plainFile(home: string): string {
  writeFileSync(join(home, 'file'), '');
  return join(home, 'file');
}

async function takePort(): Promise<AsyncDisposable & { port: number; close: () => Promise<void> }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = (): Promise<void> => new Promise<void>((resolve) => server.close(() => resolve()));
  return { port, close, [Symbol.asyncDispose]: close };
}
