import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Profile } from 'pprof-format';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { captureFleet } from '../../../agent/cli/capture.ts';
import type { Command } from '../../../agent/cli/command.ts';
import { compareVersions } from '../../../agent/cli/compare.ts';
import { comparisonText, type CompareReport } from '../../../agent/cli/fleet/comparison-text.ts';
import { listPods } from '../../../agent/cli/pods.ts';
import { openAgent } from '../../support/agent.ts';
import { startTarget } from '../../support/target.ts';
import { waitFor } from '../../support/wait-for.ts';
import { deploymentObjects, startFleet } from './fleet.ts';
import type { Fleet } from './fleet.ts';
import { sendSpans } from './send-spans.ts';

const stack = new AsyncDisposableStack();
const folder = mkdtempSync(join(tmpdir(), 'sidescope-real-fleet-'));
stack.defer(() => rmSync(folder, { recursive: true }));
let fleet: Fleet;

/** V8 credits what it inlined before a profile began to the caller. */
const execArgv = ['--inspect=127.0.0.1:0', '--no-opt'];

/** Two versions of one Deployment, which are two programs here, each with an agent of its own. */
beforeAll(async () => {
  const pods = { 'shop-old': { hash: 'aaa111', tag: '1.0.0' }, 'shop-new': { hash: 'bbb222', tag: '1.1.0' } };
  const sets = Object.values(pods).map((facts) => ({ ...facts, replicas: 1 }));
  fleet = stack.use(await startFleet(pods, deploymentObjects(sets)));
  for (const pod of Object.keys(pods)) {
    const target = stack.use(await startTarget('two-functions', { args: [pod === 'shop-new' ? '9' : '3'], execArgv }));
    const agent = stack.use(await openAgent({ targets: [target.inspectorAddress] }));
    const latencyMs = pod === 'shop-new' ? 60 : 20;
    stack.use(sendSpans(agent.otlpUrl ?? '', { pid: target.pid, latencyMs }));
    const { port } = new URL(agent.url);
    const about = {
      pid: process.pid,
      version: '0.1.0',
      startedAt: new Date().toISOString(),
      dataDirectory: agent.dataDirectory,
    };
    const minted = {
      token: agent.token,
      expiresAt: new Date().toISOString(),
      agent: { ...about, admin: { url: agent.url, port: Number(port) } },
    };
    fleet.cluster.behaviours.set(pod, {
      exec: () => Promise.resolve({ stdout: JSON.stringify(minted), code: 0 }),
      port: (remote) => remote,
    });
  }
});
afterAll(() => stack.disposeAsync());

const json = async <T>(command: Command, args: readonly string[]): Promise<T> =>
  JSON.parse((await fleet.run(command, [...args, '--json'])).printed) as T;

test('the pods of agents that are attached are ok', async () => {
  interface Row {
    name: string;
    health: { word: string };
    targets: { state: { state: string } }[];
  }
  const rows = await waitFor(
    async () => {
      const { pods } = await json<{ pods: Row[] }>(listPods, ['-l', 'app=shop']);
      return pods.every(({ targets }) => targets[0]?.state.state === 'attached') && pods;
    },
    { message: 'both to be attached' },
  );
  expect(rows.map(({ name }) => name)).toEqual(['shop-new', 'shop-old']);
});

test('their CPU profiles and heap samples become one pprof file each, with functions of both', async () => {
  const kinds = ['cpu', 'heap-sampling'];
  const captureKind = async (kind: string): Promise<void> => {
    const output = join(folder, `${kind}.pb.gz`);
    const args = ['deploy/shop', '--duration', '1s', '--jitter', '0s', '--kind', kind, '-o', output];
    expect(await json<{ pods: object[] }>(captureFleet, args)).toMatchObject({
      file: { profiles: 2 },
      pods: [{ result: 'captured' }, { result: 'captured' }],
    });
    const { stringTable, sample } = Profile.decode(gunzipSync(readFileSync(output)));
    expect(stringTable.strings).toEqual(expect.arrayContaining(['shop-old', 'shop-new', 'pod']));
    expect(sample.length).toBeGreaterThan(1);
  };
  await Promise.all(kinds.map(captureKind));
});

test('of two versions the function that takes more is named, and the one that takes less', async () => {
  const report = await json<CompareReport>(compareVersions, ['deploy/shop', '--duration', '3s']);
  expect([report.before.revision, report.after.revision]).toEqual([1, 2]);
  const shareOf = (name: string) => report.cpu.functions.find(({ functionName }) => functionName === name);
  expect(shareOf('price')).toMatchObject({ kind: 'changed', isSure: true });
  expect(shareOf('price')?.change).toBeGreaterThan(0.2);
  expect(shareOf('render')).toMatchObject({ kind: 'changed', isSure: true });
  expect(shareOf('render')?.change).toBeLessThan(-0.2);
  const [checkout] = report.routes;
  expect(checkout?.name).toBe('GET /checkout');
  for (const [side, ms] of [
    [checkout?.before, 20],
    [checkout?.after, 60],
  ] as const) {
    expect(side?.count).toBeGreaterThan(10);
    expect(side?.errors).toBe(0);
    // One of ten takes three times as long.
    expect(side?.p50Ms).toBeCloseTo(ms, -1);
    expect((side?.p95Ms ?? 0) / ms).toBeCloseTo(3, 0);
  }
  expect(comparisonText(report, 5)).toMatch(
    /p50 old +p50 new +p95 old +p95 new .*\n *[12]\d\.\d +[56]\d\.\d +[56]\d\.\d +1[78]\d +.* GET \/checkout/,
  );
  for (const { before, after } of report.memory.slice(0, 1)) {
    expect(before).toBeGreaterThan(10e6);
    expect(after).toBeGreaterThan(10e6);
  }
});
