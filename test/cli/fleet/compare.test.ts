import { expect, onTestFinished, test } from 'vitest';
import { compareVersions } from '../../../agent/cli/compare.ts';
import { compareSides } from '../../../agent/cli/fleet/compare-sides.ts';
import { comparisonText, type CompareReport } from '../../../agent/cli/fleet/comparison-text.ts';
import type { PodSample } from '../../../agent/cli/fleet/sample-pod.ts';
import { parseCpuProfile } from '../../../protocol/cpu-profile/parse.ts';
import { cpuSampleTree } from '../../../protocol/cpu-profile/sample-tree.ts';
import { fileOf } from '../../cpu-profile/profiles.ts';
import { deploymentObjects, startFleet } from './fleet.ts';
import type { Fleet, PodFacts } from './fleet.ts';

const quick = ['--duration', '1s'];
const sets = [
  { hash: 'old000', tag: '0.9.0', replicas: 0 },
  { hash: 'aaa111', tag: '1.0.0', replicas: 2 },
  { hash: 'bbb222', tag: '1.1.0', replicas: 2 },
];

async function rollout(pods: Readonly<Record<string, PodFacts>>): Promise<Fleet> {
  const fleet = await startFleet(pods, deploymentObjects(sets));
  onTestFinished(() => fleet[Symbol.asyncDispose]());
  return fleet;
}

async function compared(fleet: Fleet): Promise<CompareReport & { said: string; code: number }> {
  const { printed, ...ended } = await fleet.run(compareVersions, ['deploy/shop', '--json', ...quick]);
  return { ...(JSON.parse(printed) as CompareReport), ...ended };
}

/** Samples of three functions, and idle ones. */
const load = (parse: number, render: number, total: number): string[] => [
  `main@file:///app/server.js:1;parse@file:///app/server.js:10 ${parse}`,
  `main@file:///app/server.js:1;render@file:///app/server.js:20 ${render}`,
  `main@file:///app/server.js:1;total@file:///app/server.js:30 ${total}`,
  '(idle) 500',
];
const oldPod = { hash: 'aaa111', tag: '1.0.0', rssBytes: 100e6 };
const newPod = { hash: 'bbb222', tag: '1.1.0', rssBytes: 150e6 };

test('pods of both ReplicaSets are profiled at the same time and told apart by function, latency and memory', async () => {
  const fleet = await rollout({
    'shop-a': { ...oldPod, stacks: load(300, 500, 200), routes: [{ name: 'GET /', p50Ms: 10, p95Ms: 20, count: 300 }] },
    'shop-b': { ...oldPod, stacks: load(310, 480, 210), routes: [{ name: 'GET /', p50Ms: 14, p95Ms: 40, count: 100 }] },
    'shop-c': { ...newPod, stacks: load(700, 480, 190), routes: [{ name: 'GET /', p50Ms: 30, p95Ms: 50, count: 200 }] },
    'shop-d': {
      ...newPod,
      stacks: load(720, 500, 210),
      routes: [{ name: 'GET /', p50Ms: 30, p95Ms: 50, count: 200, errors: 20 }],
    },
  });
  const report = await compared(fleet);
  expect(report.before).toEqual({
    revision: 2,
    replicaSet: 'shop-aaa111',
    version: '1.0.0 aaa111',
    pods: ['shop-a', 'shop-b'],
  });
  expect(report.after).toMatchObject({ revision: 3, version: '1.1.0 bbb222', pods: ['shop-c', 'shop-d'] });
  const [first, second] = report.cpu.functions;
  expect(first).toMatchObject({ functionName: 'parse', kind: 'changed', line: 10, isSignificant: true, isSure: true });
  expect(first?.shareBefore).toBeCloseTo(610 / 2_000, 3);
  expect(first?.shareAfter).toBeCloseTo(1_420 / 2_800, 3);
  expect(second?.change).toBeLessThan(0);
  expect(report.routes).toEqual([
    {
      name: 'GET /',
      before: { count: 400, errors: 0, p50Ms: 11, p95Ms: 25 },
      after: { count: 400, errors: 20, p50Ms: 30, p95Ms: 50 },
    },
  ]);
  expect(report.memory[0]).toEqual({ name: 'rss', before: 100e6, after: 150e6 });
  expect(report.warnings).toEqual([]);

  const starts = [...fleet.agents.values()].map(
    ({ asked }) => asked.find(({ line }) => line.startsWith('POST /cpu/start'))!.atMs,
  );
  const { requests, requestedAtMs } = fleet.cluster;
  const reached = requestedAtMs.filter((_, index) => requests[index]?.includes('/portforward'));
  // None is started before the last is reached, so all are sampled together.
  expect(Math.min(...starts)).toBeGreaterThan(Math.min(...reached));
  expect(
    requestedAtMs.filter((atMs, index) => requests[index]?.includes('/exec') && atMs > Math.min(...starts)),
  ).toEqual([]);

  const printed = comparisonText(report, 20);
  expect(printed).toMatch(/\+20\.2 % +30\.5 % +50\.7 % +30\.0\.\.31\.0 +50\.3\.\.51\.1 +\+ +parse server\.js:10\n/);
  expect(printed).toMatch(
    /p50 old +p50 new +p95 old +p95 new +errors old +errors new +requests +route\n +11\.0 +30\.0 +25\.0 +50\.0 +0\.0 % +5\.0 % +400 \/ 400 +GET \/\n/,
  );
  expect(printed).toMatch(/\+50\.0 % +100\.0 MB +150\.0 MB +rss\n/);
  expect(report.said).toBe('deployment/shop: 2 pods of revision 2 and 2 of 3, 1 s each; Ctrl-C stops\n');
  expect(report.code).toBe(0);
});

test('a change within the differences of pods of one version has no mark', async () => {
  const fleet = await rollout({
    'shop-a': { ...oldPod, stacks: load(200, 500, 300) },
    'shop-b': { ...oldPod, stacks: load(600, 300, 100) },
    'shop-c': { ...newPod, stacks: load(560, 300, 140) },
  });
  const { cpu } = await compared(fleet);
  const parse = cpu.functions.find(({ functionName }) => functionName === 'parse');
  expect(parse).toMatchObject({ isSignificant: true, isSure: false });
});

test('a function without a name is told from others by its file, and can have a mark', () => {
  const sample = (checkout: number, other: number): PodSample => ({
    pod: { name: 'shop-a' } as PodSample['pod'],
    tree: cpuSampleTree(
      parseCpuProfile(
        fileOf(`@file:///app/checkout.js:4 ${checkout}`, `@file:///app/other.js:9 ${other}`, 'render@file:///a.js 100'),
      ),
    ),
    routes: null,
    memory: null,
    problems: [],
    uptimeMs: null,
  });
  const { cpu } = compareSides([sample(100, 800), sample(110, 790)], [sample(800, 100), sample(790, 110)], 20);
  const [first] = cpu.functions.filter(({ url }) => url.endsWith('checkout.js'));
  expect(first).toMatchObject({ functionName: '(anonymous)', kind: 'changed', isSure: true });
  expect([...first!.rangeBefore, ...first!.rangeAfter]).toEqual([0.1, 0.11, 0.79, 0.8]);
});

test('versions without a common function, of another traffic and of few samples, are said to be so', async () => {
  const route = (ratePerSecond: number, name: string) => [{ name, ratePerSecond, count: ratePerSecond * 10 }];
  const fleet = await rollout({
    'shop-a': {
      ...oldPod,
      stacks: ['a@file:///app/old.js:1 400'],
      routes: route(10, 'GET /'),
      startedAt: '2026-01-01T00:00:00Z',
    },
    'shop-b': { ...newPod, stacks: ['x@file:///app/new.js:1 100'], routes: route(40, 'GET /other') },
  });
  const { warnings, cpu } = await compared(fleet);
  expect(warnings).toEqual([
    expect.stringMatching(
      /^the two versions have no function in common \(such as a file:\/\/\/app\/old\.js, now x file:\/\/\/app\/new\.js\)/,
    ),
    expect.stringMatching(/^only 100 busy samples on one side/),
    'the traffic differs: 10.0 requests/s in each old pod, 40.0 in each new one; shares of functions can differ by that alone',
    'the mix of routes differs: 100 % of the requests go elsewhere; compare by route',
    expect.stringMatching(/^the new pods run for 0 min, the old ones for \d+ min: memory/),
  ]);
  expect(cpu.functions.map(({ kind }) => kind).sort()).toEqual(['gone', 'new']);
});

test('without spans and without load it says what is not known', async () => {
  const fleet = await rollout({
    'shop-a': { ...oldPod, stacks: ['(idle) 400'] },
    'shop-b': { ...newPod, stacks: ['(idle) 400'] },
  });
  const { printed } = await fleet.run(compareVersions, ['deploy/shop', ...quick]);
  expect(printed).toContain(
    '\n  ! no function of the application was on the CPU in one of the versions: is there any load?\n',
  );
  expect(printed).toContain('\n  ! no agent has received spans (--otlp-address)');
});

test('a pod that refuses is a warning while another of its version answers; without one nothing is compared', async () => {
  const refusal = { status: 409, code: 'capture-conflict', detail: 'a snapshot runs' };
  const fleet = await rollout({
    'shop-a': { ...oldPod, stacks: load(300, 500, 200) },
    'shop-b': { ...oldPod, refusal },
    'shop-c': { ...newPod, stacks: load(300, 500, 200) },
  });
  const { warnings, before } = await compared(fleet);
  expect(before.pods).toEqual(['shop-a']);
  expect(warnings[0]).toBe('shop-b: 409 capture-conflict: a snapshot runs');
  fleet.cluster.remove('shop-a');
  await expect(compared(fleet)).rejects.toMatchObject({
    code: 'nothing-to-compare',
    message: 'no pod of the old version gave a profile: shop-b: 409 capture-conflict: a snapshot runs',
  });
});

test('versions without pods are told: the rollout is over, or has not begun, or has no pod that can be asked', async () => {
  const fleet = await rollout({ 'shop-a': newPod, 'shop-b': newPod });
  const failure = (): Promise<unknown> => compared(fleet).catch((error: unknown) => error);
  const next = 'Run this while the rollout goes on.';
  expect(await failure()).toMatchObject({
    code: 'nothing-to-compare',
    message: `deployment/shop has pods of one version only: revision 3, 2 pods (1.1.0 bbb222). ${next}`,
  });
  const begun = await rollout({ 'shop-a': oldPod });
  await expect(compared(begun)).rejects.toMatchObject({
    message: `deployment/shop: the new version has no pods: revision 3 (1.1.0 bbb222). ${next}`,
  });
  const pulling = await rollout({ 'shop-a': oldPod, 'shop-b': { ...newPod, sidecar: 'waiting' } });
  await expect(compared(pulling)).rejects.toMatchObject({
    message: `deployment/shop: the new version has no pod that can be asked: revision 3 (1.1.0 bbb222), 1 pod: waits: ImagePullBackOff. ${next}`,
  });
});

test.each([
  [['sts/shop'], 'statefulset/shop has no ReplicaSets: only a Deployment'],
  [['deploy/shop', '--pods', '0'], '--pods "0" is no count from 1 to 20'],
  [[], 'which pods?'],
])('a mistake in the command line: %j', async (args, sentence) => {
  const context = { argv: args, environment: {}, platform: 'linux', signal: new AbortController().signal } as const;
  const nothing = { print: () => undefined, say: () => undefined };
  await expect(compareVersions({ ...context, ...nothing })).rejects.toMatchObject({
    code: 'invalid-option',
    message: expect.stringContaining(sentence) as string,
  });
});
