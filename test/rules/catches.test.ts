import { setImmediate } from 'node:timers/promises';
import { EventEmitter } from 'node:events';
import { expect, it, vi } from 'vitest';
import { SidescopeError } from '../../protocol/error.ts';
import type { Catch } from '../../protocol/rest/rules.ts';
import { Catches, type CatchesOptions } from '../../agent/rules/catches.ts';
import { indexInMemory } from '../../agent/vitals/history.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import { sampleStall, sampleVitals } from '../page/samples.ts';
import { waitFor } from '../support/wait-for.ts';

const index = indexInMemory();

/** One agent after the other on the same index; a recorder that keeps `p1`. */
function open(options: { index?: CatchesOptions['index']; known?: string[] } = {}) {
  const known = options.known ?? ['t1'];
  const [targets, monitor, sink] = [new EventEmitter(), new EventEmitter(), new EventEmitter()];
  const leased: string[] = [];
  const watcher = (id = 't1') => {
    if (!known.includes(id)) throw new SidescopeError('unknown-target', `no ${id}`);
    return { id, attachment: {}, view: { identity: { pid: 42 } } };
  };
  const keep = vi.fn(async () => ({ id: 'p1' }) as Profile | undefined);
  const lease = (id: string): Disposable => {
    watcher(id);
    leased.push(id);
    return { [Symbol.dispose]: () => void leased.splice(leased.indexOf(id), 1) };
  };
  const raised: string[] = [];
  const runs = { now: 'r1' };
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const catches = new Catches({
    targets: Object.assign(targets, { watcher }),
    monitor,
    timelines: { sink },
    recorder: { keep, lease, run: () => runs.now },
    alerts: { raise: ({ title }: { title: string }) => void raised.push(title), settle: () => undefined },
    store: {},
    index: options.index ?? indexInMemory(),
    log,
  } as unknown as CatchesOptions);
  const find = (id: string): Catch | undefined => catches.list().find((each) => each.id === id);
  return { catches, targets, monitor, sink, known, leased, keep, raised, runs, find };
}

const request = { targetId: 't1', forMs: 60_000, startedBy: 'tester' };

it('catches each kind of event of its own target, and tells it', async () => {
  const opened = open();
  await using catches = opened.catches;
  const cpu = catches.start({ ...request, event: 'cpu', above: 150 });
  const delayed = catches.start({ ...request, event: 'delay' });
  const slow = catches.start({ ...request, event: 'latency', above: 500 });
  expect(opened.leased).toHaveLength(3);
  const vitals = (cores: number, delayMaxMs: number) => ({
    ...sampleVitals(),
    cpu: { userCores: cores, systemCores: 0, mainCores: cores },
    loop: { ...sampleVitals().loop, delayMaxMs },
  });
  // One reading over the bound, and one between two of them, is none.
  for (const cores of [1.6, 1, 1.6]) opened.monitor.emit('vitals', vitals(cores, 10));
  opened.monitor.emit('vitals', { ...vitals(9, 900), targetId: 't2' });
  const summary = { name: 'GET /a', pid: 42, startMs: Date.now(), durationMs: 600 };
  opened.sink.emit('settled', { summary: { ...summary, pid: 43 } });
  opened.sink.emit('settled', { summary: { ...summary, startMs: Date.now() - 60_000 } });
  opened.sink.emit('settled', { summary: { ...summary, durationMs: 400 } });
  expect([cpu, delayed, slow].map(({ id }) => opened.find(id)?.state)).toEqual(['waiting', 'waiting', 'waiting']);
  opened.sink.emit('settled', { summary });
  await waitFor(() => opened.find(slow.id)?.state === 'caught', { message: 'the slow request' });
  expect(opened.find(slow.id)).toMatchObject({ why: 'GET /a took 600 ms', profileId: 'p1' });
  expect(opened.raised).toEqual(['caught the next latency: GET /a took 600 ms']);
  opened.monitor.emit('vitals', vitals(1.6, 900));
  await waitFor(() => opened.find(delayed.id)?.state === 'keeping', { message: 'the delay' });
  expect(opened.find(delayed.id)?.why).toBe('the event loop was late by 900 ms');
  expect(opened.find(cpu.id)).toMatchObject({ state: 'keeping', why: 'it used 1.60 cores' });
});

it('waits on in the next agent for the rest of its time, and keeps at once what came when it was stopped', async () => {
  const first = open({ index });
  const [waiting, keeping] = [
    first.catches.start({ ...request, event: 'stall' }),
    first.catches.start({ ...request, event: 'saturation' }),
  ];
  const endedAt = new Date(Date.now() + 1).toISOString();
  first.monitor.emit('stall', {
    ...sampleStall(),
    endedAt,
    kind: 'saturated',
    thread: 'main',
    summary: 'no idle time',
  });
  await waitFor(() => first.find(keeping.id)?.state === 'keeping', { message: 'the saturation' });
  await first.catches[Symbol.asyncDispose]();
  expect(first.leased).toEqual([]);
  expect(first.find(keeping.id)).toMatchObject({ state: 'caught', profileId: 'p1' });

  const second = open({ index, known: [] });
  expect(second.catches.list()).toMatchObject([
    { id: keeping.id, state: 'caught' },
    { id: waiting.id, state: 'waiting', until: waiting.until },
  ]);
  // Its target is found later.
  expect(second.leased).toEqual([]);
  second.known.push('t1');
  second.targets.emit('attached', { id: 't1' });
  expect(second.leased).toEqual(['t1']);
  const stall = { ...sampleStall(), kind: 'blocked', thread: 'main', durationMs: 2_000, summary: 'blocked' };
  second.monitor.emit('stall', { ...stall, state: 'ongoing', endedAt: null });
  // An earlier one is told again when a CPU profile or a span says more of it.
  second.monitor.emit('stall', { ...stall, state: 'ended', endedAt: new Date(Date.now() - 5_000).toISOString() });
  // Some microtasks later it would be kept.
  await setImmediate();
  expect(second.find(waiting.id)?.state).toBe('waiting');
  second.monitor.emit('stall', { ...stall, state: 'ended', endedAt: new Date(Date.now() + 1).toISOString() });
  await waitFor(() => second.find(waiting.id)?.state === 'keeping', { message: 'the stall' });
  // The program ended of it, and another run is recorded by now.
  second.runs.now = 'r2';
  await second.catches[Symbol.asyncDispose]();
  expect(second.keep).toHaveBeenCalledWith(expect.objectContaining({ instanceId: 'r1' }));
  expect(second.find(waiting.id)).toMatchObject({ state: 'caught', why: 'blocked' });
});

it('is over where no agent ran at its end, and a clock that was set back does not make it longer', async () => {
  const shared = indexInMemory();
  vi.useFakeTimers({ now: Date.parse('2026-01-31T12:00:00Z') });
  try {
    const first = open({ index: shared });
    const { id } = first.catches.start({ ...request, event: 'stall' });
    await first.catches[Symbol.asyncDispose]();
    vi.setSystemTime(Date.parse('2025-01-31T12:00:00Z'));
    const second = open({ index: shared });
    expect(second.find(id)?.state).toBe('waiting');
    await second.catches[Symbol.asyncDispose]();
    const third = open({ index: shared });
    await vi.advanceTimersByTimeAsync(60_001);
    expect(third.find(id)).toMatchObject({ state: 'expired', why: 'no stall came in that time' });
    await third.catches[Symbol.asyncDispose]();

    vi.setSystemTime(Date.parse('2026-01-31T12:00:00Z'));
    const fourth = open({ index: shared });
    const late = fourth.catches.start({ ...request, event: 'stall' });
    await fourth.catches[Symbol.asyncDispose]();
    vi.setSystemTime(Date.parse('2026-01-31T12:01:01Z'));
    const fifth = open({ index: shared });
    expect(fifth.find(late.id)).toMatchObject({ state: 'expired', why: 'no stall came while an agent ran' });
    expect(fifth.leased).toEqual([]);
    await fifth.catches[Symbol.asyncDispose]();
  } finally {
    vi.useRealTimers();
  }
});

it('is cancelled once, by its id; says what is wrong otherwise; and lists no more than the last', async () => {
  const opened = open();
  await using catches = opened.catches;
  const code = (work: () => unknown): string => {
    try {
      work();
    } catch (error) {
      return error instanceof SidescopeError ? error.code : String(error);
    }
    return 'none';
  };
  const oldest = catches.start({ ...request, event: 'stall' });
  for (let count = 0; count < 25; count++) catches.cancel(catches.start({ ...request, event: 'cpu' }).id, 'somebody');
  const listed = catches.list();
  expect(listed).toHaveLength(21);
  expect(listed.at(-1)).toMatchObject({ id: oldest.id, state: 'waiting' });
  expect(listed[0]).toMatchObject({ state: 'cancelled', why: 'cancelled by somebody' });
  await waitFor(() => opened.leased.length === 1, { message: 'the leases to be given back' });
  expect(code(() => catches.cancel(listed[0]?.id ?? '', 'me'))).toBe('operation-ended');
  expect(code(() => catches.cancel('none', 'me'))).toBe('unknown-catch');
  for (let count = 0; count < 7; count++) catches.start({ ...request, event: 'stall' });
  expect(code(() => catches.start({ ...request, event: 'stall' }))).toBe('too-many-captures');
  expect(code(() => catches.start({ ...request, targetId: 't9', event: 'stall' }))).toBe('unknown-target');
});
