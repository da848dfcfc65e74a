import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WhyReport } from '../../agent/cli/why/report.ts';
import { waitFor } from '../support/wait-for.ts';
import { apiOf, mintToken, watchApplication } from './pod/api.ts';
import type { Api } from './pod/api.ts';
import { forwardPort } from './pod/forward.ts';
import type { Forwarding } from './pod/forward.ts';
import type { Pod } from './pod/pod.ts';
import { podRuntime } from './pod/runtime.ts';
import { at, deployDirectory, list, podTemplate, renderOverlay } from './render.ts';
import type { JsonObject } from './render.ts';

const runtime = podRuntime();
beforeAll(() => runtime.prepare(), 120_000);

/** `examples/shop-on-demand`, with a second application whose inspector has a port of its own. */
function twoShops(): JsonObject {
  const deployment = renderOverlay(join(deployDirectory, 'examples/shop-on-demand')).find(
    ({ kind }) => kind === 'Deployment',
  );
  if (deployment === undefined) throw new Error('the overlay renders no Deployment');
  const spec = at(podTemplate(deployment), 'spec') as JsonObject;
  const [shop, ...others] = list(spec['containers']);
  const environment = [
    { name: 'PORT', value: '3001' },
    { name: 'NODE_OPTIONS', value: '--inspect-port=9230' },
  ];
  const second = { ...shop, name: 'second', env: [...list(shop?.['env']), ...environment] };
  Object.assign(spec, { containers: [shop, second, ...others] });
  return deployment;
}

interface TargetView {
  readonly id: string;
  readonly state: { readonly state: string };
  readonly identity: { readonly pid: number; readonly container?: string } | null;
}

describe('the pod of examples/shop-on-demand, with two applications that were never prepared', () => {
  let pod: Pod;
  let api: Api;
  let application: Forwarding;
  let second: Forwarding;
  const stack = new AsyncDisposableStack();
  afterAll(() => stack.disposeAsync());

  beforeAll(async () => {
    pod = stack.use(await runtime.openPod({ deployment: twoShops() }));
    for (const container of ['shop', 'second']) await pod.start(container);
    application = stack.use(await forwardPort(pod, 3000));
    second = stack.use(await forwardPort(pod, 3001));
    for (const { url } of [application, second])
      await waitFor(async () => (await fetch(url, { headers: { connection: 'close' } })).ok, {
        message: 'the application to answer',
      });
  });

  const inspectors = async (): Promise<string[]> => {
    const listening = readFileSync(`/proc/${await pod.pid('shop')}/net/tcp`, 'utf8').split('\n');
    const ports = listening.flatMap((row) => /^\s*\d+: [0-9A-F]{8}:([0-9A-F]{4}) \S+ 0A /.exec(row)?.[1] ?? []);
    return ports.map((port) => String(Number.parseInt(port, 16))).filter((port) => port.startsWith('92'));
  };

  it('lets the sidecar find both, as the same user, and open their inspectors by SIGUSR1', async () => {
    const before = await Promise.all(['shop', 'second'].map((name) => pod.pid(name)));
    expect(await inspectors()).toEqual([]);
    await pod.start('sidescope');
    const admin = stack.use(await forwardPort(pod, 7777));
    api = apiOf(admin.url, await waitFor(() => mintToken(pod), { message: 'a token' }));
    const targets = await waitFor(
      async () => {
        const { targets } = await api.get<{ targets: TargetView[] }>('/targets');
        return targets.length === 2 && targets.every(({ state }) => state.state === 'attached') && targets;
      },
      { message: 'both to be attached', deadlineMs: 30_000 },
    );
    expect(new Set(targets.map(({ identity }) => identity?.pid)).size).toBe(2);
    const containers = targets.flatMap(({ identity }) => identity?.container ?? []);
    expect(new Set(containers).size).toBe(2);
    expect((await inspectors()).sort()).toEqual(['9229', '9230']);
    expect(await Promise.all(['shop', 'second'].map((name) => pod.pid(name)))).toEqual(before);
  });

  it('takes a CPU profile of each, while they serve', async () => {
    await using first = watchApplication(application.url);
    await using other = watchApplication(second.url);
    const { targets } = await api.get<{ targets: TargetView[] }>('/targets');
    for (const { id } of targets) {
      const { state } = await api.post(`/cpu/start?duration=1000&wait=true&target=${encodeURIComponent(id)}`);
      expect(state).toBe('succeeded');
    }
    expect([...first.failures, ...other.failures]).toEqual([]);
  });

  it('closes both inspectors when the sidecar leaves; the applications go on', async () => {
    const before = await Promise.all(['shop', 'second'].map((name) => pod.pid(name)));
    expect(await pod.stop('sidescope', 30)).toBe(0);
    expect(await inspectors()).toEqual([]);
    await pod.start('sidescope');
    expect(await Promise.all(['shop', 'second'].map((name) => pod.pid(name)))).toEqual(before);
  });

  it('answers `sidescope why`: which processes there are, and of each in which container it is', async () => {
    const why = (...words: string[]) =>
      pod.exec('sidescope', ['/nodejs/bin/node', '--disable-sigusr1', '/app/agent/main.mjs', 'why', ...words]);
    const asked = await waitFor(async () => ((await why()).stderr.includes('name one') ? await why() : undefined), {
      message: 'both to be found',
    });
    expect(asked.code).toBe(2);
    const lines = [...asked.stderr.matchAll(/sidescope why (\d+) +node server\.js +container (\S+)/g)];
    expect(lines).toHaveLength(2);
    expect(new Set(lines.map(([, , container]) => container)).size).toBe(2);
    for (const [, pid = '', container] of lines) {
      const { code, stdout, stderr } = await why(pid, '--json');
      expect(code, stderr).toBe(0);
      const report = JSON.parse(stdout) as WhyReport;
      expect(report.target).toMatchObject({ pid: Number(pid), container });
    }
  });
});
