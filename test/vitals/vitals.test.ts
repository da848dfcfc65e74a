import { describe, expect, it } from 'vitest';
import {
  evaluateTimeoutMs,
  expressions,
  loadModulesExpression,
  loadTimeoutMs,
  probeFunctions,
} from '../../protocol/inspector/expressions.ts';
import { inspectorMethods } from '../../protocol/inspector/methods.ts';
import { memoryReadingSchema } from '../../protocol/rest/vitals.ts';
import { startRecordingProxy } from '../support/recording-proxy.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { openMonitored } from './harness.ts';

describe.each([18, 20, 22, 24, 26])('vitals on Node %i', (node) => {
  it('say memory, CPU, event loop, GC and workers', async () => {
    await using target = await startTarget('with-workers', { node });
    await using monitored = await openMonitored([target.inspectorAddress]);
    const vitals = await monitored.reading(
      ({ gc, threads, loop }) => gc !== null && threads.length === 3 && loop.delayP99Ms !== null,
      'a reading with everything',
    );
    const { memory, cpu, loop } = vitals;
    expect(vitals).toMatchObject({ error: null, problems: [] });
    expect(memory.rssBytes).toBeGreaterThan(20e6);
    expect(memory.heapUsedBytes).toBeLessThanOrEqual(memory.heapTotalBytes ?? 0);
    expect(memory.heapTotalBytes).toBeLessThan(memory.heapLimitBytes ?? 0);
    expect(memory.spaces.map(({ name }) => name)).toContain('old_space');
    expect((cpu.userCores ?? 0) + (cpu.systemCores ?? 0)).toBeGreaterThan(0.05);
    expect(loop.utilization).toBeGreaterThanOrEqual(0);
    expect(loop.utilization).toBeLessThanOrEqual(1);
    expect(loop.turnsPerSecond === null).toBe(node === 18);
    expect(vitals.nodeLoad).toHaveLength(3);
    expect(vitals.uptimeMs).toBeGreaterThan(0);
    expect(vitals.activeResources.length).toBeGreaterThan(0);
    expect(vitals.threads.map(({ thread }) => thread)).toEqual(['worker-1', 'worker-2', 'worker-3']);
    for (const thread of vitals.threads)
      expect(thread).toMatchObject({ error: null, title: expect.any(String) as string });
    const worked = await monitored.reading(
      ({ threads }) => threads.length === 3 && threads.every(({ utilization }) => utilization !== null),
      'work',
    );
    expect(worked.threads[0]?.utilization).toBeGreaterThan(0.05);
    if (node >= 22) {
      expect(worked.cpu.workerCores).toBeGreaterThan(0.05);
      expect(worked.cpu.otherCores).not.toBeNull();
    }

    const stats = memoryReadingSchema.parse(await monitored.monitor.memoryStats({}));
    expect(stats.heapUsedPercent).toBeGreaterThan(0);
    expect(stats.heapUsedPercent).toBeLessThan(100);
    const { points, latest } = monitored.monitor.vitals({ step: 1_000 });
    expect(latest?.instanceId).toBe(stats.instanceId);
    expect(points.at(-1)?.rssBytes).toBeGreaterThan(20e6);
    expect(monitored.monitor.memoryHistory({}).points.at(-1)?.heapLimitBytes).toBe(memory.heapLimitBytes);
  });
});

describe.each([18, 24])('a target on Node %i that answers wrongly', (node) => {
  it.each(['text', 'throws', 'hangs', 'later-hangs', 'clock', 'frozen', 'console'])(
    'harms nothing: %s',
    async (kind) => {
      await using target = await startTarget('answers-garbage', { node, args: [kind] });
      await using monitored = await openMonitored([target.inspectorAddress], { stallIntervalMs: 100 });
      const { problems, error } = await monitored.reading(
        (vitals) =>
          vitals.problems.length > 0 || vitals.error !== null || ['clock', 'frozen', 'console'].includes(kind),
        'a marked reading',
      );
      if (kind === 'hangs' || kind === 'later-hangs') expect(error?.code).toBe('inspector-refused');
      else expect(error).toBeNull();
      if (kind === 'text') expect(problems).toEqual(['memoryUsage: its answer is not numbers']);
      if (kind === 'throws') expect(problems[0]).toMatch(/^memoryUsage: x{100}$/);
      const { length } = monitored.readings;
      await waitFor(() => monitored.readings.length > length + 2, { message: 'readings to go on' });
      await target.send('?');
      await target.waitForOutput(/^alive$/m);
      // It may still be in the function that printed.
      const threads = await waitFor(
        async () => {
          const read = await monitored.harness.captures.readStacks({});
          return read.threads[0]?.state === 'idle' ? read.threads : undefined;
        },
        { message: 'an idle main thread' },
      );
      expect(threads).toMatchObject([{ state: 'idle', summary: 'idle, waiting for events', error: null }]);
      expect(target.stdout).not.toContain('console used');
      expect(monitored.stalls).toEqual([]);
      expect(JSON.stringify(monitored.readings.at(-1)).length).toBeLessThan(10_000);
    },
  );
});

describe.each([18, 24])('of 20 workers on Node %i', (node) => {
  it('16 are read and the others counted, and all end as if they were alone', async () => {
    await using target = await startTarget('many-workers', { node });
    await using monitored = await openMonitored([target.inspectorAddress]);
    const { threads, omittedThreads } = await monitored.reading(
      ({ threads: read }) => read.length === 16 && read.every(({ utilization }) => utilization !== null),
      'a second reading of 16 workers',
    );
    expect(omittedThreads).toBe(4);
    expect(threads.map(({ thread }) => thread)).toEqual(Array.from({ length: 16 }, (_, i) => `worker-${i + 1}`));
    for (const { heapUsedBytes, externalBytes, error } of threads) {
      expect(error).toBeNull();
      expect(heapUsedBytes).toBeGreaterThan(1e6);
      expect(externalBytes).toBeGreaterThan(0);
    }
    await target.send('end');
    expect(await target.exited).toMatchObject({ code: 5, signal: null });
    expect(monitored.stalls).toEqual([]);
  });
});

it('a target that hangs in its answer is asked again only after a while', async () => {
  await using target = await startTarget('answers-garbage', { args: ['hangs'] });
  await using proxy = await startRecordingProxy(target.inspectorPort);
  await using monitored = await openMonitored([proxy.address], { vitalsIntervalMs: 20 });
  await waitFor(() => monitored.readings.length > 10, { message: 'ten readings' });
  expect(monitored.readings.every(({ error }) => error?.code === 'inspector-refused')).toBe(true);
  expect(proxy.sent.filter((text) => text.includes('sidescope:vitals'))).toHaveLength(1);
});

it('lists what the application measured since the reading before, and says when some may be missing', async () => {
  await using target = await startTarget('answers-garbage', { args: ['measures'] });
  await using monitored = await openMonitored([target.inspectorAddress]);
  const { measures } = await monitored.reading(
    (vitals) => vitals.measures?.entries.some(({ name }) => name === 'again') === true,
    'a measure of its own',
  );
  expect(measures?.entries).toHaveLength(1);
  expect(measures).toMatchObject({ mayHaveMissed: false, entries: [{ name: 'again' }] });
  expect(measures?.entries[0]?.count).toBeGreaterThan(0);
});

describe.each([18, 24])('what is made in a target on Node %i', (node) => {
  it('is gone when the connection was cut, and at once when we leave', async () => {
    await using target = await startTarget('counts-probes', {
      node,
      execArgv: ['--inspect=127.0.0.1:0', '--expose-gc'],
    });
    const left = async (): Promise<string> => {
      const { length } = target.stdout;
      await target.send('?');
      return waitFor(() => /^probes (\d+ \d+)$/m.exec(target.stdout.slice(length))?.[1], { message: 'the count' });
    };
    await using proxy = await startRecordingProxy(target.inspectorPort);
    await using monitored = await openMonitored([proxy.address]);
    await monitored.reading(({ gc }) => gc !== null, 'a reading with the probe');
    // On a busy machine the first ones may have been given up.
    const isWhole = async (): Promise<boolean> => {
      const [made, alive] = (await left()).split(' ');
      return Number(made) >= 2 && alive === '2';
    };
    await waitFor(isWhole, { message: () => `two that live; the target says ${target.stdout}` });
    // As when the agent is killed: nothing was said to the target.
    proxy.cut({ refuse: true });
    await waitFor(async () => (await left()).endsWith(' 0'), { message: 'both to be collected' });
  });
});

it('sends only the closed list, constant texts, each bounded', async () => {
  await using target = await startTarget('with-workers', { node: 18 });
  await using proxy = await startRecordingProxy(target.inspectorPort);
  {
    await using monitored = await openMonitored([proxy.address], { stallThresholdMs: 300, stallIntervalMs: 100 });
    await monitored.reading(({ threads, gc }) => threads.length === 3 && gc !== null, 'a reading of everything');
    await waitFor(() => proxy.sent.some((text) => text.includes('sidescope:worker-probe')), {
      message: 'a worker watched',
    });
  }
  const sent = proxy.sent.flatMap((text) => {
    const message = JSON.parse(text) as { method: string; params: Record<string, unknown> };
    const inner = message.params['message'];
    return message.method === 'NodeWorker.sendMessageToWorker'
      ? [message, JSON.parse(inner as string) as typeof message]
      : [message];
  });
  const methods = new Set(sent.map(({ method }) => method));
  expect([...methods].filter((method) => !(inspectorMethods as readonly string[]).includes(method))).toEqual([]);
  const evaluated = sent.filter(({ method }) => method === 'Runtime.evaluate').map(({ params }) => params);
  for (const params of evaluated) {
    expect(Object.values(expressions)).toContain(params['expression']);
    const timeout = params['expression'] === loadModulesExpression ? loadTimeoutMs : evaluateTimeoutMs;
    expect(params).toMatchObject({ timeout, silent: true });
  }
  const called = sent.filter(({ method }) => method === 'Runtime.callFunctionOn').map(({ params }) => params);
  expect(new Set(called.map((params) => params['functionDeclaration']))).toEqual(
    new Set([...Object.values(probeFunctions)].filter((text) => !text.includes('.gc('))),
  );
  for (const params of called)
    expect(Object.keys(params).sort()).toEqual(['functionDeclaration', 'objectId', 'returnByValue', 'silent']);
  // The command-line API ends a target of 18 that is about to end: once for each text that needs a module, and never again. And modules are loaded for those two.
  expect(evaluated.filter((params) => params['includeCommandLineAPI'] === true)).toHaveLength(3);
  const kept = evaluated.filter((params) => params['returnByValue'] !== true).map((params) => params['expression']);
  expect(new Set(kept)).toEqual(new Set([expressions['probe'], expressions['worker-probe']]));
  expect(kept.filter((text) => text === expressions['probe'])).toHaveLength(2);
});
