import { describe, expect, it, vi } from 'vitest';
import type { ProcessShape } from './simulated-process.ts';
import { simulate } from './simulation.ts';

// A day is a second or two of CPU, on a busy machine half a minute.
vi.setConfig({ testTimeout: 120_000 });

const hourMs = 3_600_000;
const base = {
  baseMb: 90,
  loadMb: 60,
  garbageMbPerHour: 2_000,
  load: () => 0.4,
  heapLimitMb: 2_200,
  containerLimitMb: 3_000,
} satisfies Omit<ProcessShape, 'seed'>;

/** Least in the night, most at noon. */
const dayAndNight = (atMs: number): number => 0.35 - 0.3 * Math.cos((2 * Math.PI * atMs) / (24 * hourMs));

const silent: Record<string, Omit<ProcessShape, 'seed'>> = {
  'steady load': base,
  'hardly any collections': { ...base, garbageMbPerHour: 60, load: () => 0.05 },
  'day and night': { ...base, load: dayAndNight },
  'day and night, and memory that goes with them': { ...base, loadMb: 400, load: dayAndNight },
  'day and night with few collections': { ...base, loadMb: 100, garbageMbPerHour: 150, load: dayAndNight },
  'a deploy that warms up within minutes': { ...base, cache: { mb: 200, tauMs: 5 * 60_000 } },
  'a cache that fills for an hour': { ...base, cache: { mb: 200, tauMs: hourMs / 2 } },
  'a cache that fills for half a day': { ...base, cache: { mb: 300, tauMs: 4 * hourMs } },
  'a bounded cache that fills evenly': { ...base, cache: { mb: 150, tauMs: hourMs / 3, isLinear: true } },
  'bursts by day': { ...base, bursts: true, load: dayAndNight },
};

/** Where the limits are so near that a verdict is a matter of minutes. */
const silentAndTight: Record<string, Omit<ProcessShape, 'seed'>> = {
  'much garbage': { ...base, garbageMbPerHour: 20_000, containerLimitMb: 500 },
  'a deploy that warms up within minutes': {
    ...base,
    cache: { mb: 200, tauMs: 5 * 60_000 },
    containerLimitMb: 900,
  },
  'a cache that fills within a minute': { ...base, cache: { mb: 100, tauMs: 60_000, isLinear: true } },
  'load that comes within minutes': {
    ...base,
    loadMb: 250,
    containerLimitMb: 900,
    load: (atMs) => Math.min(0.9, 0.1 + atMs / 600_000),
  },
  bursts: { ...base, bursts: true, garbageMbPerHour: 10_000, containerLimitMb: 700 },
};

describe.each(Object.entries(silentAndTight))('4 hours near the limit with %s', (_name, shape) => {
  it('are not called a leak', async () => {
    const { changes, raised, readings } = await simulate({ ...shape, seed: 1 }, { hours: 4 });
    expect(
      changes.filter(({ verdict }) => verdict.verdict === 'leak').map(({ hour, verdict }) => [hour, verdict]),
    ).toEqual([]);
    expect(raised).toEqual([]);
    // What may be garbage is looked into, and then left alone.
    expect(readings).toBeLessThan(40);
  });
});

describe.each(Object.entries(silent))('24 hours of %s', (_name, shape) => {
  it('are not called a leak', async () => {
    const { changes, raised } = await simulate({ ...shape, seed: 2 }, { hours: 24 });
    expect(
      changes.filter(({ verdict }) => verdict.verdict === 'leak').map(({ hour, verdict }) => [hour, verdict]),
    ).toEqual([]);
    expect(raised).toEqual([]);
  });
});

const leaking: [string, Omit<ProcessShape, 'seed'>, { pool: string; withinHours: number }][] = [
  ['20 GB/h in the heap', { ...base, leakMbPerHour: 20_000 }, { pool: 'heap', withinHours: 0.08 }],
  ['7 GB/h in the heap', { ...base, leakMbPerHour: 7_000 }, { pool: 'heap', withinHours: 0.08 }],
  ['7 GB/h of Buffers', { ...base, leakMbPerHour: 7_000, pool: 'external' }, { pool: 'external', withinHours: 0.1 }],
  ['3 GB/h in the heap', { ...base, leakMbPerHour: 3_000 }, { pool: 'heap', withinHours: 0.4 }],
  ['200 MB/h in the heap', { ...base, leakMbPerHour: 200 }, { pool: 'heap', withinHours: 1.5 }],
  ['20 MB/h in the heap', { ...base, leakMbPerHour: 20 }, { pool: 'heap', withinHours: 9 }],
  [
    '30 MB/h where V8 hardly collects',
    { ...base, leakMbPerHour: 30, garbageMbPerHour: 60, load: () => 0.05 },
    { pool: 'heap', withinHours: 9 },
  ],
  ['100 MB/h of Buffers', { ...base, leakMbPerHour: 100, pool: 'external' }, { pool: 'external', withinHours: 6 }],
  ['100 MB/h of native memory', { ...base, leakMbPerHour: 100, pool: 'native' }, { pool: 'native', withinHours: 6 }],
];

it.each(leaking)('%s are found, in no other pool', async (_name, shape, { pool, withinHours }) => {
  const { changes, raised } = await simulate({ ...shape, seed: 7 }, { hours: withinHours });
  const leaks = changes.filter(({ verdict }) => verdict.verdict === 'leak');
  expect(new Set(leaks.map(({ verdict }) => verdict.pool))).toEqual(new Set([pool]));
  const slope = leaks[0]?.verdict.slopeMbPerHour ?? 0;
  expect(slope / (shape.leakMbPerHour ?? 1)).toBeGreaterThan(0.8);
  expect(slope / (shape.leakMbPerHour ?? 1)).toBeLessThan(1.2);
  expect(raised[0]).toMatchObject({ problem: 'memory-leak', key: pool });
});

it.each([
  ['forward', 3_600_000],
  ['back', -3_600_000],
])('a wall clock that steps %s by an hour changes no verdict', async (_name, stepMs) => {
  const clockErrorMs = (atMs: number): number => (atMs > 150_000 ? stepMs : 0);
  const leak = await simulate({ ...base, leakMbPerHour: 7_000, seed: 7 }, { hours: 0.1, clockErrorMs });
  const right = await simulate({ ...base, leakMbPerHour: 7_000, seed: 7 }, { hours: 0.1 });
  expect(leak.changes).toEqual(right.changes);
  expect(leak.raised[0]).toMatchObject({ problem: 'memory-leak', key: 'heap' });
  const steady = await simulate({ ...base, seed: 7 }, { hours: 2, clockErrorMs });
  expect(steady.changes.filter(({ verdict }) => verdict.verdict === 'leak')).toEqual([]);
});

it.each([
  ['none', { heapLimitMb: 1.8e13, containerLimitMb: 1.8e13 }],
  ['far too small', { heapLimitMb: 1, containerLimitMb: 1 }],
])('limits that are %s give no forecast, and a leak is one all the same', async (_name, limits) => {
  const { raised } = await simulate({ ...base, ...limits, leakMbPerHour: 200, seed: 7 }, { hours: 3 });
  expect(raised[0]).toMatchObject({ problem: 'memory-leak', facts: { limit: null, limitReachedAt: null } });
});

it('what an earlier agent saw counts: the suspicion is there at once', async () => {
  const shape = { ...base, leakMbPerHour: 400, seed: 7 };
  const minutesToSuspicion = async (isRecalled: boolean): Promise<number> => {
    const { changes } = await simulate(shape, { hours: 2.2, attachedAtHour: 2, isRecalled });
    return ((changes[0]?.hour ?? Infinity) - 2) * 60;
  };
  expect(await minutesToSuspicion(true)).toBeLessThan(2);
  expect(await minutesToSuspicion(false)).toBeGreaterThan(3);
});

describe('a program that gets no CPU', () => {
  const nativeBase = { ...base, pool: 'native' as const, containerLimitMb: 420 };
  const starved = () => 0.8;
  const firstLeak = async (shape: Omit<ProcessShape, 'seed'>, hours: number) =>
    (await simulate({ ...shape, seed: 3 }, { hours })).changes.find(({ verdict }) => verdict.verdict === 'leak');

  it('is called a leak as soon, and later for native memory, but is called one', async () => {
    const heap = { ...base, leakMbPerHour: 3_000 };
    const [usual, late] = [await firstLeak(heap, 1), await firstLeak({ ...heap, starved }, 1)];
    expect(usual?.verdict.pool).toBe('heap');
    expect(late).toMatchObject({ hour: usual?.hour, verdict: { pool: 'heap' } });
    const native = { ...nativeBase, leakMbPerHour: 120 };
    const [soon, later] = [await firstLeak(native, 2), await firstLeak({ ...native, starved }, 2)];
    expect(soon?.verdict.pool).toBe('native');
    expect(later?.verdict.pool).toBe('native');
    expect(later?.hour).toBeGreaterThan(soon?.hour ?? Infinity);
  });
});
