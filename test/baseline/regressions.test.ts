import { EventEmitter } from 'node:events';
import fsp from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { Regressions } from '../../agent/baseline/regressions.ts';
import type { FindingChange } from '../../agent/baseline/findings.ts';
import { BaselineState } from '../../agent/baseline/state.ts';
import { StateDirectory } from '../../agent/baseline/state-directory.ts';
import type { Condition } from '../../agent/alerts/condition.ts';
import { indexInMemory, type Index } from '../../agent/vitals/history.ts';
import { baselineViewSchema } from '../../protocol/rest/baseline.ts';
import { regressionCheckSchema, regressionListSchema } from '../../protocol/rest/regressions.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import type { Vitals } from '../../protocol/rest/vitals.ts';
import { Trace } from '../../agent/requests/trace.ts';
import { SidescopeError } from '../../protocol/error.ts';
import { fakeOperation, fakeTarget } from '../http/fakes.ts';
import { SimulatedProcess } from '../memory/simulated-process.ts';
import { thresholds } from './simulation.ts';

const times = { windowMs: 10_000, warmUp: 1, provisional: 3, settled: 6, lasting: 3, lateMs: 0 };
const startMs = Date.UTC(2026, 0, 31);

/** The whole part with a clock of the test's, and vitals that the test makes. */
class Bench implements AsyncDisposable {
  readonly monitor = new EventEmitter<{ vitals: [Vitals] }>();
  readonly captures = new EventEmitter<{ change: [Operation] }>();
  readonly traces = new EventEmitter<{ settled: [Trace] }>();
  readonly raised: Condition[] = [];
  readonly settled: string[] = [];
  readonly findings: FindingChange[] = [];
  readonly regressions: Regressions;
  readonly state: BaselineState;
  nowMs = startMs;
  cores = 0.3;
  version: string | null = '1.0.0';
  instanceId = '1-1';
  bornMs = startMs;
  /** Requests per window, 20 ms each. */
  requests = 0;
  pid: number | null = 42;
  /** Of the target: the wall clock that vitals carry. */
  wallMs = 0;
  readonly #process = new SimulatedProcess({
    seed: 1,
    baseMb: 50,
    loadMb: 0,
    garbageMbPerHour: 0,
    load: () => 0.3,
    heapLimitMb: 1_000,
    containerLimitMb: 1_000,
  });

  constructor(options: { directory: string; index?: Index; vitalsIntervalMs?: number; intervalMs?: number }) {
    const { directory, index = indexInMemory(), vitalsIntervalMs = 5_000, intervalMs = 10_000 } = options;
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
    this.state = new BaselineState({ storage: new StateDirectory(directory), log });
    const target = fakeTarget();
    this.regressions = new Regressions({
      targets: {
        watcher: (id) => {
          if (id !== undefined && id !== target.id) throw new SidescopeError('unknown-target', `no target ${id}`);
          return target;
        },
        view: () => target,
        list: () => [target],
      },
      monitor: this.monitor,
      captures: this.captures,
      traces: this.traces,
      series: undefined,
      identities: { identityOf: () => ({ name: 'shop', version: this.version, source: 'option' }) },
      alerts: {
        raise: (condition) => void this.raised.push(condition),
        settle: ({ key }, why) => void this.settled.push(`${key}: ${why}`),
      },
      index,
      store: undefined,
      worker: {
        sampleTree: () => Promise.reject(new Error('there are no profiles')),
        mergeTrees: () => Promise.reject(new Error('there are no profiles')),
        diffMerged: () => Promise.reject(new Error('there are no profiles')),
      },
      state: this.state,
      vitalsIntervalMs,
      intervalMs,
      thresholds,
      times,
      now: () => this.nowMs,
      wallNow: () => this.nowMs + this.wallMs,
      log,
    });
    this.regressions.on('finding', (change) => this.findings.push(change));
  }

  async run(windows: number): Promise<void> {
    for (let step = 0; step < windows * 2; step++) {
      this.nowMs += 5_000;
      const uptimeMs = this.nowMs - this.bornMs;
      for (let i = 0; i < this.requests / 2; i++)
        this.traces.emit('settled', traceOf(this.pid, this.nowMs + this.wallMs - 2_500));
      const vitals = this.#process.read(uptimeMs, this.bornMs + this.wallMs);
      this.monitor.emit('vitals', {
        ...vitals,
        targetId: 't1',
        instanceId: this.instanceId,
        uptimeMs,
        cpu: { ...vitals.cpu, userCores: this.cores, systemCores: 0 },
      });
    }
    await this.regressions.settled();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.regressions[Symbol.asyncDispose]();
  }
}

function traceOf(pid: number | null, endMs: number): Trace {
  const trace = new Trace('0'.repeat(32), startMs);
  trace.summary = {
    name: 'GET /a',
    route: '/a',
    kind: 'server',
    method: 'GET',
    statusCode: 200,
    failed: false,
    startMs: endMs - 20,
    durationMs: 20,
    requests: 1,
    isWhole: true,
    shares: [],
    serviceName: null,
    pid,
  };
  return trace;
}

async function stateDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const directory = await fsp.mkdtemp(path.join(tmpdir(), 'sidescope-state-'));
  return { path: directory, [Symbol.asyncDispose]: () => fsp.rm(directory, { recursive: true, force: true }) };
}

test('a run says what it waits for, until it is provisional, then settled', async () => {
  await using state = await stateDirectory();
  await using bench = new Bench({ directory: state.path });
  const view = () => baselineViewSchema.parse(bench.regressions.baseline(undefined));
  expect(view()).toMatchObject({ state: 'waiting', previousMessage: 'not looked for yet' });
  await bench.run(2);
  expect(view()).toMatchObject({ state: 'warming-up' });
  expect(view().message).toBe('still warming up: the first baseline is there 40 s after the start.');
  expect(view().previousMessage).toBe(`no previous version: storage is new (${state.path})`);
  await expect(bench.regressions.takeBaseline('t1')).rejects.toMatchObject({ code: 'baseline-not-ready' });
  await bench.run(3);
  expect(view()).toMatchObject({ state: 'provisional', settled: null, provisional: { windows: 3, isLate: false } });
  expect(view().message).toContain('Not settled yet: 4 of 6 windows');
  await bench.run(3);
  expect(view()).toMatchObject({ state: 'settled', settled: { kind: 'settled', windows: 6 } });
  expect((await bench.state.read({ service: 'shop', version: '1.0.0' }))?.baseline?.kind).toBe('settled');
});

/** Ten windows of one version, and an hour later six of one that takes twice the CPU. */
async function afterSlowerVersion(directory: string): Promise<Bench> {
  {
    await using old = new Bench({ directory });
    await old.run(10);
  }
  await using opening = new AsyncDisposableStack();
  const bench = opening.use(new Bench({ directory }));
  bench.version = '2.0.0';
  bench.nowMs = bench.bornMs = startMs + 3_600_000;
  bench.cores = 0.6;
  await bench.run(6);
  opening.move();
  return bench;
}

test('what is worse than the version before is an alert of one episode, and ends with it', async () => {
  await using state = await stateDirectory();
  await using bench = await afterSlowerVersion(state.path);
  expect(bench.raised.map(({ problem, key, severity }) => [problem, key, severity])).toEqual([
    ['regression', 'cpu', 'warning'],
  ]);
  expect(bench.raised[0]).toMatchObject({
    title: 'CPU is 0.60 cores, 100 % more than the 0.30 cores of version 1.0.0, the load is not known',
    facts: { referenceVersion: '1.0.0', version: '2.0.0', function: null },
    evidence: [{ name: 'regression.json' }],
  });
  expect(bench.raised[0]?.text).toContain('functions are compared when both have CPU profiles');
  const check = regressionCheckSchema.parse(await bench.regressions.check(undefined, new AbortController().signal));
  expect(check.message).toBe('the last 3 windows of 10 s beside version 1.0.0 and the first minutes');
  expect(check.comparisons[0]?.measures[0]).toMatchObject({ metric: 'cpu', verdict: 'worse', change: 1 });
  expect(check.functionsReason).toContain('POST /cpu/start takes one');
  await bench.run(10);
  expect(bench.raised).toHaveLength(1);
  bench.cores = 0.3;
  await bench.run(5);
  expect(bench.settled).toEqual(['cpu: it is as before']);
  const { regressions } = regressionListSchema.parse(bench.regressions.list({ targetId: 't1', limit: 5 }));
  expect(regressions).toMatchObject([{ state: 'ended', outcome: 'sent', metric: 'cpu' }]);
  expect(bench.findings.map(({ change }) => change)).toEqual(['opened', 'ended']);
});

test('a restart of the target ends what was worse; a restart of the agent too', async () => {
  await using state = await stateDirectory();
  using index = indexInMemory();
  {
    await using bench = new Bench({ directory: state.path, index });
    await bench.run(8);
    bench.cores = 0.6;
    await bench.run(4);
    expect(bench.raised).toHaveLength(1);
    bench.instanceId = '2-2';
    bench.bornMs = bench.nowMs;
    await bench.run(1);
    expect(bench.settled).toEqual(['cpu: the target was restarted']);
    await bench.run(5);
    expect(bench.raised).toHaveLength(2);
  }
  await using after = new Bench({ directory: state.path, index });
  expect(after.regressions.list({}).regressions.map(({ state: now, endReason }) => [now, endReason])).toEqual([
    ['ended', 'the agent was restarted'],
    ['ended', 'the target was restarted'],
  ]);
});

test('steps of the wall clock change nothing', async () => {
  await using state = await stateDirectory();
  await using bench = new Bench({ directory: state.path });
  await bench.run(4);
  bench.wallMs = -86_400_000;
  await bench.run(3);
  bench.wallMs = 7 * 86_400_000;
  await bench.run(5);
  const { settled } = bench.regressions.baseline('t1');
  expect(settled).toMatchObject({ windows: 6, from: '2026-01-31T00:00:10.000Z', to: '2026-01-31T00:01:10.000Z' });
  expect(bench.findings).toEqual([]);
});

test('windows in which a snapshot stopped the program are left out', async () => {
  await using state = await stateDirectory();
  await using bench = new Bench({ directory: state.path });
  await bench.run(8);
  bench.cores = 1;
  for (let window = 0; window < 4; window++) {
    bench.captures.emit('change', fakeOperation('s1', { kind: 'heap-snapshot', state: 'running' }));
    await bench.run(1);
  }
  bench.cores = 0.3;
  await bench.run(3);
  expect(bench.findings).toEqual([]);
});

test('a baseline that is asked for holds from then on, also for the next run of the version', async () => {
  await using state = await stateDirectory();
  await using bench = new Bench({ directory: state.path });
  await bench.run(8);
  bench.cores = 0.6;
  await bench.run(6);
  expect(bench.raised).toHaveLength(1);
  expect(await bench.regressions.takeBaseline(undefined)).toMatchObject({ settled: { kind: 'manual' } });
  await bench.run(4);
  expect(bench.settled).toEqual(['cpu: it is as before']);
  await using next = new Bench({ directory: state.path });
  next.nowMs = next.bornMs = startMs + 3_600_000;
  next.cores = 0.6;
  await next.run(8);
  expect(next.regressions.baseline(undefined).settled?.kind).toBe('manual');
  expect(next.findings).toEqual([]);
});

test('what is worse than the version before is over when a baseline is asked for, and comes no more', async () => {
  await using state = await stateDirectory();
  await using bench = await afterSlowerVersion(state.path);
  expect(bench.raised).toHaveLength(1);
  const { previousMessage } = await bench.regressions.takeBaseline(undefined);
  expect(previousMessage).toBe('compared with version 1.0.0 no more: a baseline of this one was asked for');
  await bench.run(1);
  expect(bench.settled).toEqual(['cpu: what it was compared with is no baseline any more']);
  await bench.run(10);
  expect(bench.raised).toHaveLength(1);
  const check = await bench.regressions.check(undefined, new AbortController().signal);
  expect(check.comparisons.map(({ reference }) => reference.kind)).toEqual(['settled']);
  bench.cores = 1.2;
  await bench.run(4);
  expect(bench.raised.at(-1)?.title).toMatch(/^CPU is 1\.20 cores, 100 % more than the 0\.60 cores of the baseline/);
});

test('twice the CPU at twice the requests is explained, and at the same requests it is not', async () => {
  await using state = await stateDirectory();
  await using bench = new Bench({ directory: state.path });
  bench.requests = 100;
  await bench.run(9);
  const { settled } = bench.regressions.baseline(undefined);
  expect(settled).toMatchObject({
    loadSource: 'spans',
    measures: { load: { median: 10 }, 'cpu-per-request': { median: 30 } },
  });
  Object.assign(bench, { requests: 200, cores: 0.6 });
  await bench.run(5);
  expect(bench.regressions.open().map(({ metric, outcome, explanation }) => [metric, outcome, explanation])).toEqual([
    ['cpu', 'explained', '2.0 times the requests, each at the CPU it had'],
  ]);
  expect(bench.raised).toEqual([]);
  // The requests go, the CPU stays.
  bench.requests = 100;
  await bench.run(4);
  expect(bench.raised[0]?.text).toMatch(/^Moved as well: cpu-per-request 30 -> 60 \(correlation 0\.\d\d\)/);
  expect(bench.raised.map(({ key }) => key)).toEqual(['cpu']);
  expect(bench.findings.map(({ change, regression }) => `${change} ${regression.outcome}`)).toEqual([
    'opened explained',
    'updated sent',
  ]);
});

test('a finding has the windows of its metric, and how closely what else moved follows it', async () => {
  await using state = await stateDirectory();
  await using bench = new Bench({ directory: state.path });
  bench.requests = 100;
  await bench.run(9);
  Object.assign(bench, { requests: 200, cores: 0.6 });
  await bench.run(5);
  const { regressions } = regressionListSchema.parse(bench.regressions.list({}));
  const [cpu] = regressions;
  expect(cpu?.windows.map(({ value }) => value)).toEqual([
    ...Array<number>(8).fill(0.3),
    ...Array<number>(5).fill(0.6),
  ]);
  expect(cpu?.windows.at(-1)?.at).toBe('2026-01-31T00:02:20.000Z');
  expect(cpu?.correlated.slice(0, 2)).toEqual([
    { name: 'load', baseline: 10, now: 20, correlation: 1, windows: 13 },
    { name: 'route-rate GET /a', baseline: 10, now: 20, correlation: 1, windows: 13 },
  ]);
  const check = regressionCheckSchema.parse(await bench.regressions.check(undefined, new AbortController().signal));
  const shown = check.comparisons[0]?.measures.map(({ metric, windows }) => [metric, windows.length]);
  expect(shown).toEqual(
    expect.arrayContaining([
      ['cpu', 13],
      ['rss', 13],
      ['route-p95 GET /a', 0],
    ]),
  );
  bench.instanceId = '2-2';
  await bench.run(1);
  expect(bench.regressions.list({ state: 'ended' }).regressions[0]?.windows).toHaveLength(13);
});

test('requests of another process are not the load of this one', async () => {
  await using state = await stateDirectory();
  await using bench = new Bench({ directory: state.path });
  Object.assign(bench, { requests: 100, pid: 43 });
  await bench.run(9);
  expect(bench.regressions.baseline(undefined).settled).toMatchObject({ loadSource: 'unknown' });
  bench.pid = null;
  await bench.run(1);
  expect(bench.regressions.baseline(undefined).now['load']).toBeGreaterThan(0);
});

test('several pods of one version write one record, and none takes from it what another one put there', async () => {
  await using state = await stateDirectory();
  await using late = new Bench({ directory: state.path });
  await late.run(2);
  {
    await using early = new Bench({ directory: state.path });
    await early.run(10);
  }
  // What this one makes of its first minutes is less than that.
  await late.run(3);
  expect((await late.state.read({ service: 'shop', version: '1.0.0' }))?.baseline?.kind).toBe('settled');
  expect(late.regressions.baseline(undefined).settled?.kind).toBe('settled');
});

test('without a state directory that can be written the run is compared with itself, and the feature says why', async () => {
  await using state = await stateDirectory();
  const file = path.join(state.path, 'file');
  await fsp.writeFile(file, '');
  await using bench = new Bench({ directory: file });
  await bench.run(8);
  expect(bench.regressions.feature()).toMatchObject({ state: 'on' });
  expect(bench.regressions.feature().reason).toMatch(/ENOTDIR|EEXIST/);
  expect(bench.regressions.baseline(undefined).previousMessage).toMatch(/^no previous version: .* failed: /);
  bench.cores = 0.6;
  await bench.run(5);
  expect(bench.raised.map(({ key }) => key)).toEqual(['cpu']);
});

test.each([
  [{ vitalsIntervalMs: 0 }, '--vitals-interval is 0'],
  [{ intervalMs: 0 }, '--regression-interval is 0'],
])('with %j nothing is compared, and everything says so', async (off, reason) => {
  await using state = await stateDirectory();
  await using bench = new Bench({ directory: state.path, ...off });
  await bench.run(5);
  expect(bench.regressions.feature()).toMatchObject({ state: 'off', reason });
  expect(bench.regressions.baseline(undefined)).toMatchObject({
    state: 'not-configured',
    message: `not configured: ${reason}`,
  });
  expect((await bench.regressions.check(undefined, new AbortController().signal)).message).toBe(
    `not configured: ${reason}`,
  );
  await expect(bench.regressions.takeBaseline(undefined)).rejects.toMatchObject({ code: 'baseline-not-ready' });
});
