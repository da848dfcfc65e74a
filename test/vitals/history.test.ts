import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { History, indexInMemory, minuteMs } from '../../agent/vitals/history.ts';
import type { SeriesRow } from '../../agent/vitals/series.ts';
import { packValues, unpackValues } from '../../agent/vitals/series.ts';
import { ProfileStore } from '../../agent/store/store.ts';
import { seriesNames, vitalsHistorySchema } from '../../protocol/rest/vitals.ts';
import type { SeriesName } from '../../protocol/rest/vitals.ts';
import { endLoop } from '../inspector/raw-inspector.ts';
import { startTarget } from '../support/target.ts';
import { openMonitored } from './harness.ts';

const startMs = Date.parse('2026-01-31T12:00:00.000Z');
const hourMs = 60 * minuteMs;
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const nothing = Object.fromEntries(seriesNames.map((name) => [name, null])) as Record<SeriesName, number | null>;

function row(atMs: number, rssBytes: number | null = 100, failed = 0): SeriesRow {
  return { atMs, readings: 1, failed, values: { ...nothing, rssBytes, rssMaxBytes: rssBytes } };
}

/** A clock that stands where the last row was written, and the rows that a query gives. */
function open(budgetBytes = 2e9) {
  const clock = { nowMs: startMs };
  const index = indexInMemory();
  const history = new History({ index, budgetBytes, now: () => clock.nowMs });
  const fill = (target: string, [fromMs, toMs]: readonly [number, number], stepMs: number): void => {
    for (clock.nowMs = fromMs; clock.nowMs < toMs; clock.nowMs += stepMs) history.add(target, row(clock.nowMs));
  };
  const count = (): number =>
    index.inIndex('counting', (database) => Number(database.prepare('SELECT count(*) AS n FROM vitals').get()?.['n']));
  return { clock, history, fill, count, [Symbol.dispose]: () => index[Symbol.dispose]() };
}

const iso = (ms: number): string => new Date(ms).toISOString();

it('gives every reading of the last hour, and what is older by the minute, without overlap', () => {
  using opened = open();
  opened.fill('t1', [startMs, startMs + 3 * hourMs], 5_000);
  const { points } = opened.history.read('t1', { from: iso(startMs), to: iso(startMs + 3 * hourMs), step: 60_000 });
  expect(points).toHaveLength(180);
  expect(points.every(({ readings, rssBytes }) => readings === 12 && rssBytes === 100)).toBe(true);
  const last = opened.history.read('t1', {});
  expect(last.stepMs).toBe(5_000);
  expect(last.points).toHaveLength(720);
  // One hour of readings, some minutes that were not pruned yet, and three hours of minutes.
  expect(opened.count()).toBeLessThan(720 + 12 + 180 + 1);
  expect(vitalsHistorySchema.omit({ latest: true }).parse(last)).toEqual(last);
});

it('gives the first readings of all as they came, though their minute is made already', () => {
  using opened = open();
  const fromMs = startMs + 50_000;
  opened.fill('t1', [fromMs, startMs + 90_000], 5_000);
  const { points } = opened.history.read('t1', { from: iso(startMs), to: iso(startMs + 90_000), step: 5_000 });
  expect(points.map(({ at }) => at)).toEqual(Array.from({ length: 8 }, (_, index) => iso(fromMs + index * 5_000)));
});

it('leaves gaps as they are, and counts readings that told nothing', () => {
  using opened = open();
  opened.history.add('t1', row(startMs, 1_000));
  opened.history.add('t1', row(startMs + 5_000, null, 1));
  opened.history.add('t1', row(startMs + 30 * 60_000, 3_000));
  opened.clock.nowMs = startMs + 31 * 60_000;
  const { points } = opened.history.read('t1', { step: 60_000 });
  expect(points.map(({ at, readings, failed, rssBytes }) => ({ at, readings, failed, rssBytes }))).toEqual([
    { at: iso(startMs), readings: 2, failed: 1, rssBytes: 1_000 },
    { at: iso(startMs + 30 * 60_000), readings: 1, failed: 0, rssBytes: 3_000 },
  ]);
  expect(opened.history.read('t2', {}).points).toEqual([]);
});

it('makes means of what is a mean and the highest of what is a peak', () => {
  using opened = open();
  for (const [index, bytes] of [100, 200, 600].entries()) opened.history.add('t1', row(startMs + index * 5_000, bytes));
  opened.clock.nowMs = startMs + minuteMs;
  expect(opened.history.read('t1', { step: 60_000 }).points).toMatchObject([{ rssBytes: 300, rssMaxBytes: 600 }]);
});

it('keeps a minute for seven days', () => {
  using opened = open();
  opened.fill('t1', [startMs, startMs + 8 * 24 * hourMs], 10 * minuteMs);
  const { points } = opened.history.read('t1', { from: iso(startMs), step: 600_000 });
  expect(Date.parse(points[0]?.at ?? '')).toBeGreaterThanOrEqual(startMs + 24 * hourMs - 10 * minuteMs);
  expect(points.length).toBeGreaterThan(7 * 24 * 6 - 3);
});

it('is bounded by the disk budget, whatever the number of targets: the oldest rows go', () => {
  using opened = open(4_800_000);
  for (let target = 0; target < 4; target++) opened.fill(`t${target}`, [startMs + target, startMs + 2 * hourMs], 5_000);
  expect(opened.count()).toBeLessThanOrEqual(1_000 + 12);
  expect(opened.history.read('t3', {}).points.length).toBeGreaterThan(0);
});

it('gives at most 2000 points, whatever the step', () => {
  using opened = open();
  const answer = opened.history.read('t1', { from: iso(startMs - 7 * 24 * hourMs), to: iso(startMs), step: 1_000 });
  expect(answer.stepMs).toBeGreaterThanOrEqual((7 * 24 * hourMs) / 2_000);
  expect(() => opened.history.read('t1', { from: iso(startMs), to: iso(startMs) })).toThrow(
    'from: must be before `to`',
  );
});

it('packs values and reads rows of a version that knew fewer', () => {
  const values = { ...nothing, rssBytes: 1.5, nodeLoad1: 0 };
  expect(unpackValues(packValues(values))).toEqual(values);
  expect(unpackValues(packValues(values).subarray(0, 8))).toEqual({ ...nothing, rssBytes: 1.5 });
});

it('survives the agent: minutes that were not made yet are made by the next one', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sidescope-history-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const settings = { directory, budgetBytes: 2e9, retentionCount: 0, retentionAgeMs: 0, log };
  {
    await using store = await ProfileStore.open(settings);
    const history = new History({ index: store, budgetBytes: 2e9, now: () => startMs });
    for (let second = 0; second < 60; second += 5) history.add('t1', row(startMs + second * 1_000));
  }
  await using store = await ProfileStore.open(settings);
  const nowMs = startMs + 2 * hourMs;
  const history = new History({ index: store, budgetBytes: 2e9, now: () => nowMs });
  history.add('t1', row(nowMs));
  const { points } = history.read('t1', { from: iso(startMs), to: iso(nowMs + 1), step: 60_000 });
  expect(points.map(({ at, readings }) => [at, readings])).toEqual([
    [iso(startMs), 12],
    [iso(nowMs), 1],
  ]);
});

it('of a real target and its stalls is there after a restart of the agent; what was ongoing was cut', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sidescope-history-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  await using target = await startTarget('gets-stuck');
  const settings = { directory, stallThresholdMs: 300, stallIntervalMs: 100 };
  let before: string | undefined;
  {
    await using monitored = await openMonitored([target.inspectorAddress], settings);
    await monitored.reading(({ gc }) => gc !== null, 'a reading');
    await target.send({ loop: 60_000 });
    before = (await monitored.stall(({ dominant }) => dominant !== null, 'a stall')).id;
  }
  await endLoop(target.inspectorAddress);
  await using monitored = await openMonitored([target.inspectorAddress], settings);
  const [stall] = monitored.monitor.listStalls({}).stalls.slice(-1);
  expect(stall).toMatchObject({ id: before, state: 'cut', dominant: { functionName: 'spinUntil' } });
  expect(monitored.monitor.vitals({}).points.length).toBeGreaterThan(0);
});
