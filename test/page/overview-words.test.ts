import { describe, expect, it } from 'vitest';
import { chartPlans, topOf } from '../../dashboard/model/charts.ts';
import { healthOf } from '../../dashboard/model/health.ts';
import { appendPoint, columnsOf, maxPoints, pointOfVitals } from '../../dashboard/model/history.ts';
import type { History } from '../../dashboard/model/history.ts';
import { bandsOf, layoutMarks, markedSince, marksOf } from '../../dashboard/model/marks.ts';
import type { PageState } from '../../dashboard/model/page-state.ts';
import { emptyState } from '../../dashboard/model/page-state.ts';
import { arrange, compareObstacle, pageOf } from '../../dashboard/model/profile-list.ts';
import { readKey, shortcuts } from '../../dashboard/model/shortcuts.ts';
import {
  axisLabelPx,
  axisStepsSeconds,
  drawnRange,
  ranges,
  readRange,
  writeRange,
  zoomed,
} from '../../dashboard/model/time-range.ts';
import { views } from '../../dashboard/views.ts';
import { sampleAlert, sampleDeath } from './incident-samples.ts';
import { sampleRegression } from './regression-samples.ts';
import { ago, detachedTarget, sampleProfile, sampleStall, sampleTarget, sampleVitals } from './samples.ts';

const nowMs = Date.parse(ago(0));

describe('the health of a target', () => {
  const vitals = sampleVitals();
  const { memory, loop } = vitals;
  const read = (over: Partial<PageState>): string => {
    const state = {
      ...emptyState,
      targets: [sampleTarget()],
      vitals: { t1: vitals },
      readingMs: { t1: 5_000 },
      ...over,
    };
    const { tone, text, path } = healthOf(state, state.targets[0]!, nowMs);
    return `${tone} ${path ?? '-'}: ${text}`;
  };
  const stall = sampleStall({ state: 'ongoing', endedAt: null });

  it.each<[string, Partial<PageState>, string]>([
    ['well', {}, 'good -: Healthy: event loop 41 % busy, delay p99 12.5 ms, heap at 18.8 % of its limit.'],
    [
      'last read two minutes ago',
      { vitals: { t1: { ...vitals, at: ago(120_000) } } },
      'idle -: Attached; the last reading of it is 2 min old.',
    ],
    [
      'blocked when the agent was last heard of',
      {
        connection: { state: 'reconnecting', attempt: 2, retryAtMs: nowMs, reason: 'no answer' },
        vitals: { t1: { ...vitals, at: ago(14_000) } },
        stalls: [stall],
      },
      'idle -: How it is now is not known: the agent does not answer; the last reading of it is 14 s old.',
    ],
    ['not read yet', { vitals: {} }, 'idle -: Attached; no reading of it yet.'],
    [
      'blocked now, whatever else',
      { stalls: [stall], alerts: [sampleAlert({ severity: 'critical' })] },
      'bad /stacks: The event loop is blocked for 3.1 s by renderInvoice (invoices.js:41), /invoices/:id, trace 0af76519…',
    ],
    [
      'late now for want of a CPU, which no function is to blame for',
      { stalls: [sampleStall({ state: 'ongoing', endedAt: null, verdict: 'starved' })] },
      'bad /stacks: The event loop is late by 3.1 s, waiting for a CPU.',
    ],
    [
      'stopped now',
      { stalls: [sampleStall({ state: 'ongoing', endedAt: null, verdict: 'stopped', dominant: null })] },
      'bad /stacks: The process is stopped by a signal, for 3.1 s so far.',
    ],
    [
      'in native work now, and nothing tells where',
      { stalls: [sampleStall({ state: 'ongoing', endedAt: null, verdict: 'native', dominant: null, span: null })] },
      'bad /stacks: The event loop is blocked for 3.1 s by native work.',
    ],
    [
      'dead a minute ago, and back',
      { deaths: [sampleDeath({ at: ago(60_000) })] },
      'bad /alerts: It died 1 min ago: The kernel killed it at the memory limit of its container (1 GiB). It is back.',
    ],
    [
      'ended by itself',
      { deaths: [sampleDeath({ at: ago(60_000), cause: 'exit' })] },
      'good -: Healthy: event loop 41 % busy, delay p99 12.5 ms, heap at 18.8 % of its limit.',
    ],
    [
      'alerted about, critically, before what the numbers say',
      {
        alerts: [sampleAlert(), sampleAlert({ id: 'a-2', severity: 'critical', title: 'the container is full' })],
        vitals: { t1: { ...vitals, loop: { ...loop, utilization: 1 } } },
      },
      'bad /alerts: The container is full. And 1 more.',
    ],
    [
      'throttled',
      { vitals: { t1: { ...vitals, cgroup: { ...vitals.cgroup!, throttledRatio: 0.4 } } } },
      'warn /captures: The CPU limit of 1 core keeps it waiting 40 % of the time.',
    ],
    [
      'near its heap limit',
      { vitals: { t1: { ...vitals, memory: { ...memory, heapUsedBytes: 480 * 1024 * 1024 } } } },
      'warn /memory: The heap holds 480 MiB of 512 MiB (93.8 %).',
    ],
    [
      'collecting garbage',
      { vitals: { t1: { ...vitals, gc: { count: 9, pauseMs: 2_500, kinds: [] } } } },
      'warn /memory: Garbage collection takes 50 % of the time.',
    ],
    [
      'read every 30 s, with as much garbage collection in them',
      {
        vitals: { t1: { ...vitals, at: ago(50_000), gc: { count: 9, pauseMs: 2_500, kinds: [] } } },
        readingMs: { t1: 30_000 },
      },
      'good -: Healthy: event loop 41 % busy, delay p99 12.5 ms, heap at 18.8 % of its limit.',
    ],
    [
      'saturated',
      { vitals: { t1: { ...vitals, loop: { ...loop, utilization: 0.99 } } } },
      'warn /captures: The event loop is busy 99 % of the time: requests wait for each other. A CPU profile tells what it does.',
    ],
    [
      'under a warning',
      { alerts: [sampleAlert()] },
      'warn /alerts: The heap grows by 14 MiB an hour and is full in 5 h.',
    ],
    [
      'worse than its baseline, by the function behind it',
      { regressions: [sampleRegression({ title: 'CPU is 47 % of a core, 88 % more than the 25 % of version 3.4.0' })] },
      'warn /regressions: Worse than before: CPU is 47 % of a core, 88 % more than the 25 % of version 3.4.0. Likely cause: renderReport (report.ts:88) grew from 4 % to 31 % of the CPU time.',
    ],
    [
      'alerted about for a regression',
      {
        alerts: [sampleAlert({ problem: 'regression', severity: 'critical', title: 'RSS is 2 GiB' }), sampleAlert()],
        regressions: [sampleRegression({ title: 'RSS is 2 GiB', severity: 'critical', causes: [] })],
      },
      'bad /regressions: Worse than before: RSS is 2 GiB. And 1 more.',
    ],
    [
      'worse for more load, or not any more',
      {
        regressions: [
          sampleRegression({ outcome: 'explained' }),
          sampleRegression({ id: 'r-2', state: 'ended', endedAt: ago(1_000) }),
          sampleRegression({ id: 'r-3', targetId: 't2' }),
        ],
      },
      'good -: Healthy: event loop 41 % busy, delay p99 12.5 ms, heap at 18.8 % of its limit.',
    ],
    [
      'worse than its first minutes, and stalled a minute ago',
      { regressions: [sampleRegression({ outcome: 'provisional', causes: [] })], stalls: [sampleStall()] },
      'warn /stacks: The event loop was blocked for 3.1 s, most of it in renderInvoice (invoices.js:41). In /invoices/:id, trace 0af76519… That was 56 s ago.',
    ],
    [
      'worse than its first minutes',
      { regressions: [sampleRegression({ outcome: 'provisional', severity: 'critical', causes: [] })] },
      'warn /regressions: An early finding: CPU of the process.',
    ],
    [
      'stalled lately',
      { stalls: [sampleStall()] },
      'warn /stacks: The event loop was blocked for 3.1 s, most of it in renderInvoice (invoices.js:41). In /invoices/:id, trace 0af76519… That was 56 s ago.',
    ],
    [
      'late lately for want of a CPU',
      {
        stalls: [sampleStall({ verdict: 'starved', summary: 'the event loop was late by 3.1 s, 2.9 s of it waiting' })],
      },
      'warn /stacks: The event loop was late by 3.1 s, 2.9 s of it waiting. That was 56 s ago.',
    ],
  ])('is told when it is %s', (_, over, sentence) => {
    expect(read(over)).toBe(sentence);
  });

  it('tells how old the last data is while the process is gone', () => {
    const target = {
      ...detachedTarget,
      state: { ...detachedTarget.state, since: ago(14_000) } as typeof detachedTarget.state,
    };
    const { tone, text } = healthOf({ ...emptyState, targets: [target] }, target, nowMs);
    expect([tone, text]).toEqual([
      'warn',
      'It is gone or restarting, last data 14 s ago: the agent attaches again when it is back.',
    ]);
  });
});

describe('the history of a target', () => {
  const point = (atMs: number, delayMaxMs: number | null = 1) => {
    const vitals = sampleVitals({ at: new Date(atMs).toISOString() });
    return pointOfVitals({ ...vitals, loop: { ...vitals.loop, delayMaxMs } }, 5_000);
  };
  const history = (stepMs: number, ...times: number[]): History => ({
    targetId: 't1',
    stepMs,
    points: times.map((time) => point(time)),
  });

  it('grows by each reading, stays bounded, and takes none twice', () => {
    let grown = history(5_000, 0);
    for (let index = 0; index < maxPoints + 100; index += 1) grown = appendPoint(grown, point(index * 5_000));
    expect(grown.points.length).toBe(maxPoints);
    expect(appendPoint(grown, point(10))).toBe(grown);
  });

  it('takes readings of one long step together, the worst delay of them', () => {
    const start = 600_000;
    let grown = history(60_000, start);
    grown = appendPoint(grown, point(start + 5_000, 900));
    grown = appendPoint(grown, point(start + 10_000, 3));
    grown = appendPoint(grown, point(start + 60_000, 4));
    expect(grown.points.map(({ atMs, values }) => [atMs - start, values.delayMaxMs])).toEqual([
      [0, 900],
      [60_000, 4],
    ]);
  });

  it('has a gap where nothing was read', () => {
    const [xs, ys] = columnsOf(history(5_000, 0, 5_000, 60_000), [({ utilization }) => utilization]);
    expect(xs).toEqual([0, 5, 32.5, 60]);
    expect(ys).toEqual([0.41, 0.41, null, 0.41]);
  });

  it('has none where the agent reads less often than the steps are long', () => {
    const [xs] = columnsOf(history(5_000, 0, 30_000, 60_000, 90_000, 300_000), [({ utilization }) => utilization]);
    expect(xs).toEqual([0, 30, 60, 90, 195, 300]);
  });

  it('has rates of the time between two readings, and none where that is not known', () => {
    const vitals = { ...sampleVitals(), gc: { count: 3, pauseMs: 600, kinds: [] } };
    expect(pointOfVitals(vitals, 30_000).values).toMatchObject({ gcRatio: 0.02, gcPerSecond: 0.1 });
    expect(pointOfVitals(vitals, null).values).toMatchObject({ gcRatio: null, gcPerSecond: null });
  });
});

it('keeps a limit out of the scale while it is far above, and no chart below its least', () => {
  const heap = chartPlans.find(({ id }) => id === 'heap')!;
  const MiB = 1024 * 1024;
  expect(topOf(heap, { highest: 100 * MiB, limits: [4096 * MiB] })).toBeCloseTo(112 * MiB, 3);
  expect(topOf(heap, { highest: 100 * MiB, limits: [200 * MiB, 4096 * MiB] })).toBe(208 * MiB);
  expect(topOf(heap, { highest: 0, limits: [] })).toBe(8 * MiB);
});

describe('the range of the charts', () => {
  it('is drawn from the first thing known while nobody chose, and up to the last reading', () => {
    const minutes = (from: number, to: number) => ({ fromMs: from * 60_000, toMs: to * 60_000, isLive: true });
    const drawn = (known: Partial<Parameters<typeof drawnRange>[1]>, range = minutes(0, 15)): (number | boolean)[] => {
      const { fromMs, toMs } = drawnRange(range, { firstMs: null, lastMs: null, isChosen: false, ...known });
      return [fromMs / 60_000, toMs / 60_000];
    };
    expect(drawn({})).toEqual([0, 15]);
    expect(drawn({ firstMs: 14.5 * 60_000 })).toEqual([13, 15]);
    expect(drawn({ firstMs: 10 * 60_000 })).toEqual([9.8, 15]);
    expect(drawn({ firstMs: 10 * 60_000, isChosen: true })).toEqual([0, 15]);
    expect(drawn({ lastMs: 15.1 * 60_000 })).toEqual([0, 15.1]);
    expect(drawn({ firstMs: 14 * 60_000, lastMs: 16 * 60_000 }, { ...minutes(0, 15), isLive: false })).toEqual([0, 15]);
  });

  it.each([
    [{}, 900_000, true],
    [{ range: '1h' }, 3_600_000, true],
    [{ range: 'nonsense' }, 900_000, true],
    [{ from: '1000000', to: '1600000' }, 600_000, false],
    [{ from: '1000000', to: '1004000' }, 30_000, false],
    [{ from: '9', to: '8' }, 900_000, true],
    [{ from: 'x', to: '1600000' }, 900_000, true],
    [{ from: '1', to: '99999999999999' }, 900_000, true],
  ])('is read from %j', (query, lengthMs, isLive) => {
    const range = readRange(query, nowMs);
    expect([range.toMs - range.fromMs, range.isLive]).toEqual([lengthMs, isLive]);
  });

  it('zooms around its middle, never beyond now, and reads what it writes', () => {
    const range = readRange({ from: String(nowMs - 600_000), to: String(nowMs) }, nowMs);
    expect(zoomed(range, 0.5, nowMs)).toEqual({ fromMs: nowMs - 450_000, toMs: nowMs - 150_000 });
    expect(zoomed(range, 2, nowMs)).toEqual({ fromMs: nowMs - 1_200_000, toMs: nowMs });
    const { from, to } = writeRange(zoomed(range, 0.5, nowMs));
    expect(readRange({ from: from ?? '', to: to ?? '' }, nowMs)).toMatchObject({
      fromMs: nowMs - 450_000,
      isLive: false,
    });
  });
});

it.each(ranges)('labels the time axis of %s, the outlook beside it included, on a phone', (_, __, lengthMs) => {
  const plotPx = 220;
  for (const seconds of [lengthMs / 1_000, (lengthMs / 1_000) * 1.5]) {
    const labelPx = axisStepsSeconds.map((step) => (plotPx * step) / seconds).find((px) => px >= axisLabelPx);
    expect(labelPx).toBeLessThanOrEqual(plotPx);
  }
});

it('says from when on it marks, where a list that it has ends within the range', () => {
  const list = [1, 2, 3].map((minutes) => ({ startedAt: ago(minutes * 60_000) }));
  const fromMs = nowMs - 600_000;
  expect(markedSince(list, { isCut: true, fromMs })).toBe(list[2]?.startedAt);
  expect(markedSince(list, { isCut: false, fromMs })).toBeNull();
  expect(markedSince(list, { isCut: true, fromMs: nowMs - 100_000 })).toBeNull();
  expect(markedSince([], { isCut: true, fromMs })).toBeNull();
});

it('marks what happened to one target, and groups signs that would touch', () => {
  const target = sampleTarget();
  const stalls = [1, 2, 300].map((seconds) =>
    sampleStall({
      id: `s-${seconds}`,
      startedAt: ago(seconds * 1000),
      verdict: seconds === 300 ? 'starved' : 'javascript',
    }),
  );
  const marks = marksOf({
    profiles: [sampleProfile({ startedAt: ago(100_000) }), sampleProfile({ id: 'p-x', targetId: 'other' })],
    stalls,
    alerts: [sampleAlert()],
    deaths: [sampleDeath()],
    regressions: [sampleRegression({ since: ago(200_000) }), sampleRegression({ id: 'r-x', targetId: 'other' })],
    target,
    nowMs,
  });
  expect(marks.filter(({ kind }) => kind !== 'start').map(({ id }) => id)).toEqual([
    'stall-s-1',
    'stall-s-2',
    'profile-p-1',
    'regression-r-1',
    'stall-s-300',
    'alert-a-1',
    'death-d-1',
  ]);
  expect(marks[4]?.text).toBe('late by 3.1 s, waiting for a CPU');
  expect(marks[0]?.text).toBe('blocked for 3.1 s in renderInvoice (invoices.js:41)');
  const groups = layoutMarks(marks, { fromMs: nowMs - 600_000, toMs: nowMs, leastGap: 0.02 });
  expect(groups.filter(({ kind }) => kind === 'stall').map((group) => group.marks.length)).toEqual([2, 1]);
  expect(groups.some(({ kind }) => kind === 'death')).toBe(false);
  const close = layoutMarks(marks, { fromMs: nowMs - 600_000, toMs: nowMs, leastGap: 0.2 });
  expect(close.map(({ kind, row }) => `${kind} ${row}`)).toEqual([
    'stall 0',
    'capture 1',
    'regression 0',
    'stall 1',
    'alert 0',
  ]);
});

it('draws as one band what lasted at the same time, by its kind', () => {
  const mark = (kind: 'alert' | 'stall', atMs: number, toMs: number) => ({ kind, atMs, toMs });
  const bands = bandsOf([mark('alert', 50, 60), mark('alert', 10, 40), mark('stall', 12, 13), mark('alert', 20, 30)]);
  expect(bands.map(({ kind, fromMs, toMs }) => [kind, fromMs, toMs])).toEqual([
    ['alert', 10, 40],
    ['stall', 12, 13],
    ['alert', 50, 60],
  ]);
});

describe('the list of profiles', () => {
  const profiles = [
    sampleProfile({ id: 'a', durationMs: 5, sizeBytes: 1, targetName: 'web' }),
    sampleProfile({ id: 'b', durationMs: 50, sizeBytes: 3, pinned: true, labels: { ticket: 'OPS-12' } }),
    sampleProfile({ id: 'c', durationMs: 10, sizeBytes: 9, kind: 'heap-snapshot', cpu: null }),
  ];
  const ids = (over: Partial<Parameters<typeof arrange>[1]>): string[] =>
    arrange(profiles, { text: '', order: 'newest', pinnedOnly: false, ...over }).map(({ id }) => id);

  it('is ordered, filtered and searched', () => {
    expect(ids({})).toEqual(['a', 'b', 'c']);
    expect(ids({ order: 'longest' })).toEqual(['b', 'c', 'a']);
    expect(ids({ order: 'largest' })).toEqual(['c', 'b', 'a']);
    expect(ids({ pinnedOnly: true })).toEqual(['b']);
    expect(ids({ text: ' ops-12 ' })).toEqual(['b']);
    expect(ids({ text: 'WEB' })).toEqual(['a']);
  });

  it('draws fifty at a time, and the last page for one that is gone', () => {
    const many = Array.from({ length: 120 }, (_, index) => index);
    expect(pageOf(many, 1).rows).toEqual(many.slice(50, 100));
    expect(pageOf(many, 9)).toEqual({ page: 2, pages: 3, rows: many.slice(100) });
    expect(pageOf([], 0)).toEqual({ page: 0, pages: 1, rows: [] });
  });

  it('compares two of one kind', () => {
    const [a, b, c] = profiles;
    expect(compareObstacle([a!, b!])).toBeNull();
    expect(compareObstacle([a!])).toBe('Choose two.');
    expect(compareObstacle([a!, c!])).toBe('Choose two of one kind.');
  });
});

describe('the keys', () => {
  it('lead to views that exist, each by keys of its own', () => {
    const paths = shortcuts.flatMap(({ action }) => (action.type === 'go' ? [action.path] : []));
    expect(paths.filter((path) => !views.some((view) => view.path === path))).toEqual([]);
    expect(new Set(shortcuts.map(({ keys }) => keys)).size).toBe(shortcuts.length);
  });

  it('are pairs only when the second comes soon', () => {
    const { rest } = readKey('g', { before: null, nowMs: 0 });
    expect(readKey('c', { before: rest, nowMs: 500 }).action).toEqual({ type: 'go', path: '/captures' });
    expect(readKey('c', { before: rest, nowMs: 5_000 }).action).toBeNull();
    expect(readKey('t', { before: rest, nowMs: 5_000 }).action).toEqual({ type: 'theme' });
  });
});
