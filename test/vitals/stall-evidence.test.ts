import { describe, expect, it } from 'vitest';
import { StallLedger } from '../../agent/vitals/stall-ledger.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import { sampleStall, sampleTarget } from '../page/samples.ts';
import { stacksSchema } from '../../protocol/rest/stacks.ts';
import { endClock } from '../inspector/raw-inspector.ts';
import { compile, lineOf } from '../source-map/compile.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { openMonitored, type MonitoredHarness } from './harness.ts';

/** A CPU profile that samples now; to be stopped by the test. */
async function startProfile({ harness }: MonitoredHarness): Promise<string> {
  const { id } = await harness.captures.startCpu({ startedBy: 'tester', durationMs: 60_000 });
  await waitFor(() => harness.captures.get(id).progress.phase === 'sampling', { message: 'sampling' });
  return id;
}

/** The latter on a machine that had no time for it. */
const inSurcharges = /(most of it in|what it ran was mostly) addSurcharges \(prices\.ts:/;

describe.each([18, 24])('the record of a stall on Node %i', (node) => {
  it.concurrent('has the places of the source, while it lasts and when it is over', async () => {
    await using program = await compile('minified-esm');
    await using target = await startTarget(program.main, { node });
    await using monitored = await openMonitored([target.inspectorAddress]);
    await monitored.reading(({ loop, gc }) => loop.utilization !== null && gc !== null, 'two readings with the probe');
    await target.send({ ms: 60_000 });
    const seen = await monitored.stall(
      ({ state, dominant }) => state === 'ongoing' && dominant !== null && dominant.original !== null,
      'a named stall',
    );
    expect(seen.summary).toMatch(inSurcharges);
    await endClock(target.inspectorAddress);
    const stall = await monitored.stall(({ id, state }) => id === seen.id && state === 'ended', 'the end of the stall');
    expect(stall.summary).toMatch(inSurcharges);
    expect(stall.dominant?.functionName).not.toBe('addSurcharges');
    expect(stall.dominant?.original).toMatchObject({
      functionName: 'addSurcharges',
      url: expect.stringMatching(/prices\.ts$/) as string,
    });
    expect(stall.dominant?.original?.lineNumber).toBeGreaterThanOrEqual(await lineOf('while (performance'));
    expect(stall.tree.map(({ original }) => original?.functionName)).toContain('totalUntil');
    expect(monitored.stalls.filter(({ id, state }) => id === seen.id && state === 'ended')).toHaveLength(1);
  });

  it.concurrent('says whether a CPU profile that ran meanwhile agrees, once that has ended', async () => {
    await using target = await startTarget('computes', { node });
    await using monitored = await openMonitored([target.inspectorAddress]);
    await monitored.reading(({ gc }) => gc !== null, 'a reading with the probe');
    const operationId = await startProfile(monitored);
    await target.send({ loop: 2_200 });
    const ended = await monitored.stall(({ state }) => state === 'ended', 'the end of the stall');
    expect(ended).toMatchObject({ cpuOperationId: operationId, cpuProfileAgrees: null });
    await monitored.harness.captures.stopCpu({});
    const stall = await monitored.stall(({ cpuProfileAgrees }) => cpuProfileAgrees !== null, 'the comparison');
    expect(stall).toMatchObject({
      id: ended.id,
      cpuProfileAgrees: true,
      verdict: expect.stringMatching(/^(javascript|starved)$/) as string,
      dominant: { functionName: 'loopUntil', from: 'stacks' },
    });
    expect(monitored.monitor.listStalls({}).stalls).toEqual([stall]);
  });

  it.concurrent('has the function of the CPU profile where the work was native', async () => {
    await using target = await startTarget('computes', { node });
    // The hash is a good second of a CPU's time: a stall by itself also where it waits for most of the clock's.
    const watch = { stallThresholdMs: 500, stallIntervalMs: 250 };
    await using monitored = await openMonitored([target.inspectorAddress], watch);
    await monitored.reading(({ gc }) => gc !== null, 'a reading with the probe');
    await startProfile(monitored);
    await target.send({ hash: 4_000_000 });
    await monitored.stall(({ state }) => state === 'ended', 'the end of the stall');
    await monitored.harness.captures.stopCpu({});
    const stall = await monitored.stall(({ cpuProfileAgrees }) => cpuProfileAgrees !== null, 'the comparison');
    expect(stall).toMatchObject({ verdict: 'native', dominant: { functionName: 'hashOnce', from: 'cpu-profile' } });
    expect(stall.summary).toMatch(/of native work, most of it in hashOnce \(computes\.cjs:\d+\)(;|$)/);
  });

  it.concurrent(
    'of a worker has its thread; one that waits for work has none, and neither holds the exit',
    async () => {
      await using target = await startTarget('computes', { node });
      await using monitored = await openMonitored([target.inspectorAddress]);
      await target.send({ worker: 'park' });
      const isParked = async (): Promise<boolean> => {
        const [, worker] = (await monitored.harness.captures.readStacks({})).threads;
        return worker?.frames.some(({ functionName }) => functionName === 'park') === true;
      };
      await waitFor(isParked, { message: 'the worker that waits' });
      const parkedAt = new Date().toISOString();
      await target.send({ worker: 'spin' });
      const seen = await monitored.stall(
        ({ thread, dominant }) => thread === 'worker-2' && dominant?.functionName === 'spinForEver',
        'a stall with a stack',
      );
      expect(seen).toMatchObject({
        thread: 'worker-2',
        state: 'ongoing',
        summary: expect.stringMatching(/^the event loop of worker-2 was blocked for/) as string,
      });
      const turns = stacksSchema.parse(await monitored.harness.captures.readStacks({}));
      expect(turns.threads.map(({ thread }) => thread)).toEqual(['main', 'worker-1', 'worker-2']);
      expect(turns.threads[2]?.turnMs).toBeGreaterThan(1_000);
      expect(turns.threads[2]?.summary).toMatch(
        /^running spinForEver \(computes\.cjs:\d+\), its event loop in one turn for/,
      );
      // On its way there a worker may get no CPU for a second.
      const others = monitored.stalls.filter(
        ({ thread, startedAt, verdict }) => thread !== 'worker-2' && startedAt > parkedAt && verdict !== 'starved',
      );
      expect(others).toEqual([]);
      await target.send({ exit: 3 });
      expect(await target.exited).toMatchObject({ code: 3, signal: null });
      await monitored.stall(({ id, state }) => id === seen.id && state === 'cut', 'the end of the record');
    },
  );
});

describe.concurrent('what a stack says of the turn of its event loop', () => {
  it('how long it has been in it, and that an idle one waits for events', async () => {
    await using target = await startTarget('computes');
    await using monitored = await openMonitored([target.inspectorAddress]);
    await monitored.reading(({ gc }) => gc !== null, 'a reading with the probe');
    const main = async () => stacksSchema.parse(await monitored.harness.captures.readStacks({})).threads[0];
    // It may be asked just when its timer fires.
    const idle = await waitFor(
      async () => {
        const stack = await main();
        return stack?.state === 'idle' && stack;
      },
      { message: 'an idle thread' },
    );
    expect(idle).toMatchObject({ summary: 'idle, waiting for events', turnMs: 0, turnUnknown: null });
    await target.send({ loop: 60_000 });
    const stuck = await waitFor(
      async () => {
        const stack = await main();
        return (stack?.turnMs ?? 0) > 300 && stack;
      },
      { message: 'a turn of 300 ms' },
    );
    const later = await main();
    expect(later?.turnMs).toBeGreaterThan(stuck.turnMs ?? Infinity);
    expect(later?.summary).toMatch(/loopUntil \(computes\.cjs:\d+\), its event loop in one turn for \d+\.\d s$/);
  });

  it('why it is not known', async () => {
    await using target = await startTarget('computes');
    await using monitored = await openMonitored([target.inspectorAddress], { stallThresholdMs: 0 });
    await target.send({ loop: 60_000 });
    await target.waitForOutput(/^stuck$/m);
    const { threads } = await monitored.harness.captures.readStacks({});
    expect(threads[0]).toMatchObject({
      state: 'running',
      turnMs: null,
      turnUnknown: 'no stalls are watched for: --stall-threshold is 0',
    });
    expect(monitored.monitor.features()).toMatchObject([
      { name: 'vitals', state: 'on' },
      {
        name: 'stall-watch',
        state: 'off',
        reason: '--stall-threshold is 0',
        remedy: 'Set --stall-threshold, such as 1s.',
      },
    ]);
  });
});

it('the route of a request is asked for where its span has none', async () => {
  const told: Stall[] = [];
  const ledger = new StallLedger({
    watcherOf: () => ({ view: sampleTarget() }),
    captures: { get: () => expect.unreachable('no operation is meant') },
    store: undefined,
    requests: { routeOf: (traceId) => (traceId.startsWith('0af7') ? '/stuck/:id' : undefined) },
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    deliver: (stall) => told.push(stall),
  });
  const span = { ...sampleStall().span!, route: null };
  const frames = { tree: [], dominant: null };
  ledger.put(sampleStall({ id: 'seen', span }), frames);
  ledger.put(sampleStall({ id: 'unseen', span: { ...span, traceId: 'f'.repeat(32) } }), frames);
  ledger.put(sampleStall({ id: 'known' }), frames);
  await ledger[Symbol.asyncDispose]();
  expect(told.map(({ id, span: of }) => [id, of?.route])).toEqual([
    ['seen', '/stuck/:id'],
    ['unseen', null],
    ['known', '/invoices/:id'],
  ]);
});
