import { describe, expect, it } from 'vitest';
import { forecastLimit } from '../../agent/memory/limit-forecast.ts';
import { LimitWatch, type LimitStep } from '../../agent/memory/limit-watch.ts';
import { limitUses, oldGenerationLimitBytes, type LimitUses } from '../../agent/memory/nearer-limit.ts';
import type { Vitals } from '../../protocol/rest/vitals.ts';

const MB = 1e6;
const settings = { nodeVersion: 'v24.1.0', oldSpaceMiB: null };

/** A reading whose heap and container are used by these shares of 1 GB each. */
function usesOf(heap: number, container = 0): LimitUses {
  const uses = [
    { pool: 'heap' as const, usedBytes: heap * 1e9, limitBytes: 1e9, share: heap, pressure: heap },
    { pool: 'container' as const, usedBytes: container * 1e9, limitBytes: 1e9, share: container, pressure: container },
  ].toSorted((a, b) => b.share - a.share);
  return { uses, notes: [] };
}

/** Readings every 5 s; the kinds of steps with the second of each. A reading of the sampler has sites from second `sitesFrom` on. */
function watched(shares: readonly number[], { sitesFrom = 0 } = {}): { watch: LimitWatch; steps: string[] } {
  const watch = new LimitWatch({ intervalMs: 60_000, threshold: 0.9 });
  const steps = shares.flatMap((share, index) => {
    const second = index * 5;
    return watch.read(usesOf(share), second * 1_000).map(({ kind }: LimitStep) => {
      if (kind === 'read-sampling' && second >= sitesFrom) watch.gotSites();
      return `${kind} ${second}`;
    });
  });
  return { watch, steps };
}

const held = (share: number, seconds: number): number[] => Array.from({ length: seconds / 5 }, () => share);

describe('steps', () => {
  it('sampling begins at 70 %, is read once at 85 %, and again only after it was far from the limit', () => {
    const { steps } = watched([0.6, 0.69, 0.7, 0.76, 0.8, 0.83, 0.86, 0.82, 0.87, 0.65, 0.87, 0.59, 0.71, 0.86]);
    expect(steps).toEqual([
      'begin-sampling 10',
      'read-sampling 25',
      'end-sampling 55',
      'begin-sampling 60',
      // 0.71 after 0.59.
      'read-sampling 65',
    ]);
  });

  it('is read earlier where the next reading would be too late', () => {
    expect(watched([0.4, 0.6, 0.75, 0.95]).steps).toEqual(['begin-sampling 10', 'read-sampling 10']);
  });

  it('is read again, nearer to the limit, until there are sites', () => {
    const shares = [0.75, 0.86, 0.865, 0.87, 0.89, 0.86, 0.91, 0.97];
    expect(watched(shares, { sitesFrom: 20 }).steps).toEqual([
      'begin-sampling 0',
      'read-sampling 5',
      'read-sampling 20',
    ]);
    // Bounded, where nothing is ever seen: each reading forces a collection.
    const { steps } = watched(
      Array.from({ length: 5_000 }, (_, index) => 0.86 + 0.1 * Math.abs(Math.sin(index / 5))),
      { sitesFrom: Infinity },
    );
    expect(steps.filter((step) => step.startsWith('read')).length).toBeLessThanOrEqual(6);
  });

  it('is read again by what is used, also where less is kept free than before', () => {
    const watch = new LimitWatch({ intervalMs: 60_000, threshold: 0.9 });
    const steps = [
      [0.71, 0.87],
      [0.72, 0.76],
      [0.8, 0.86],
    ].flatMap(([share = 0, pressure = 0], index) => {
      const use = { pool: 'heap' as const, usedBytes: share * 1e9, limitBytes: 1e9, share, pressure };
      return watch.read({ uses: [use], notes: [] }, index * 5_000);
    });
    expect(steps.map(({ kind }) => kind)).toEqual(['begin-sampling', 'read-sampling', 'read-sampling']);
  });

  it('an alert is decided every 60 s, repeated while it lasts, and over below 85 %', () => {
    const { steps } = watched([...held(0.5, 70), ...held(0.93, 120), ...held(0.87, 120), ...held(0.8, 120)]);
    expect(steps.filter((step) => /alert|settled/.test(step))).toEqual(['alert 120', 'alert 180', 'settled 360']);
  });

  it('the lowest of three readings decides: one before a collection is no alert', () => {
    const saw = Array.from({ length: 17_280 }, (_, i) => 0.55 + 0.42 * ((i % 5) / 5));
    expect(watched(saw).steps.filter((step) => /alert/.test(step))).toEqual([]);
  });

  it('the nearer one of two limits counts', () => {
    const watch = new LimitWatch({ intervalMs: 60_000, threshold: 0.9 });
    const steps = held(0.4, 130).flatMap((share, index) => watch.read(usesOf(share, 0.95), index * 5_000));
    expect(steps.find(({ kind }) => kind === 'alert')).toMatchObject({ limit: { pool: 'container', share: 0.95 } });
    expect(watch.view(0)).toMatchObject({ pool: 'container', usedPercent: 95, forecast: null });
  });

  it('readings that tell nothing neither settle an alert nor raise one', () => {
    const watch = new LimitWatch({ intervalMs: 60_000, threshold: 0.9 });
    const nothing = { uses: [], notes: ['no reading: it hangs'] };
    const steps = Array.from({ length: 60 }, (_, index) =>
      watch.read(index < 13 ? usesOf(0.95) : nothing, index * 5_000),
    ).flat();
    expect(steps.map(({ kind }) => kind)).toEqual(['begin-sampling', 'read-sampling', 'alert']);
    expect(watch.notes).toEqual(['no reading: it hangs']);
  });

  it.each([1, 2, 3, 4, 5, 6])('24 h of steady, noisy vitals raise nothing and forecast nothing (seed %i)', (seed) => {
    const random = randomOf(seed);
    const watch = new LimitWatch({ intervalMs: 60_000, threshold: 0.9 });
    let forecasts = 0;
    let used = 0.4;
    for (let second = 0; second < 86_400; second += 5) {
      // A saw-tooth over a floor that follows the day, and bursts of requests.
      const day = 0.08 * Math.sin((second / 86_400) * 2 * Math.PI);
      // V8 collects halfway to the limit at the latest.
      used = random() < 0.08 || used > 0.7 ? 0.4 + day : used + 0.02 * random();
      const burst = random() < 0.002 ? 0.3 : 0;
      const steps = watch.read(usesOf(Math.min(0.97, used + burst + 0.01 * random())), second * 1_000);
      expect(steps.filter(({ kind }) => kind === 'alert')).toEqual([]);
      if (second % 600 === 0 && (watch.view(0)?.forecast?.inMs ?? Infinity) < 600_000) forecasts++;
    }
    expect(forecasts).toBe(0);
  });
});

describe('the forecast', () => {
  const minutes = (used: (minute: number) => number) =>
    Array.from({ length: 12 * 15 }, (_, i) => ({ atMs: i * 5_000, usedBytes: used(i / 12) * MB }));
  const limit = { limitBytes: 1_000 * MB, windowMs: 60_000 };

  it('is the line through the lowest readings: a saw-tooth on a slope is as steep as its floor', () => {
    const forecast = forecastLimit(
      minutes((minute) => 100 + 20 * minute + (300 * ((minute * 12) % 6)) / 6),
      limit,
    );
    expect(forecast?.bytesPerHour).toBeCloseTo(1_200 * MB, -8);
    expect(forecast?.inMs).toBeGreaterThan(25 * 60_000);
    expect(forecast?.inMs).toBeLessThan(35 * 60_000);
  });

  it.each([
    ['steady', () => 500],
    ['falling', (minute: number) => 900 - 10 * minute],
    ['up and down', (minute: number) => 500 + 100 * Math.sin(minute)],
    ['grown once', (minute: number) => (minute < 7 ? 300 : 500)],
    ['slower than a week', (minute: number) => 100 + 0.05 * minute],
  ])('is none for memory that is %s', (_, used) => {
    expect(forecastLimit(minutes(used), limit)).toBeUndefined();
  });

  it('is none of two minutes', () => {
    expect(forecastLimit(minutes((minute) => 10 * minute).slice(0, 24), limit)).toBeUndefined();
  });
});

describe('limits', () => {
  const reading = (memory: Partial<Vitals['memory']>, cgroup: Partial<NonNullable<Vitals['cgroup']>> | null = null) =>
    limitUses(
      {
        error: null,
        memory: {
          rssBytes: 200 * MB,
          heapUsedBytes: 90 * MB,
          heapTotalBytes: 120 * MB,
          heapLimitBytes: 4_500 * MB,
          externalBytes: 1 * MB,
          arrayBuffersBytes: 0,
          containerLimitBytes: null,
          spaces: [{ name: 'new_space', usedBytes: 10 * MB, sizeBytes: 16 * MB }],
          ...memory,
        },
        cgroup: cgroup as Vitals['cgroup'],
      },
      settings,
    );

  it("without a container's limit the heap's counts alone, and it is said", () => {
    const { uses, notes } = reading({});
    expect(uses).toMatchObject([{ pool: 'heap', usedBytes: 80 * MB, pressure: 88e6 / (4_500e6 - 192 * 2 ** 20) }]);
    expect(notes).toEqual(["the container limit is not known, or there is none: only the heap's counts"]);
  });

  it.each([
    ['lower than what is used', 100 * MB, 'it cannot be one'],
    ['a few bytes', 4_096, 'is absurd'],
    ['near 2^63', 9.2e18, 'is absurd'],
    ['infinite', Infinity, 'is absurd'],
    ['not a number', NaN, 'is absurd'],
  ])('a container limit that is %s does not count, and it is said', (_, containerLimitBytes, note) => {
    const { uses, notes } = reading({ containerLimitBytes });
    expect(uses.map(({ pool }) => pool)).toEqual(['heap']);
    expect(notes).toEqual([expect.stringContaining(note)]);
  });

  it('file cache of the container is not used memory', () => {
    const cgroup = { memoryCurrentBytes: 990 * MB, workingSetBytes: 300 * MB };
    const { uses } = reading({ containerLimitBytes: 1_000 * MB }, cgroup);
    expect(uses.find(({ pool }) => pool === 'container')).toMatchObject({ share: 0.3 });
  });

  it.each([
    ['v18.20.8', 108, 60, 60],
    ['v24.21.0', 252, 60, 60],
    ['v18.20.8', 4_144, null, 4_096],
    ['v24.21.0', 4_288, null, 4_096],
    ['v26.10.0', 4_192, null, 4_096],
    // A container of 512 MiB: the reserve is small too.
    ['v20.20.2', 262, null, 250],
    // Set to more than there is: V8 did not take it.
    ['v22.23.3', 304, 9_999, 290],
  ])("the old generation's limit: Node %s tells %i MiB with %s set", (...row) => {
    const [nodeVersion, told, oldSpaceMiB, expected] = row;
    const bytes = oldGenerationLimitBytes(told * 2 ** 20, { nodeVersion, oldSpaceMiB });
    expect(Math.round(bytes / 2 ** 20)).toBe(expected);
  });
});

/** mulberry32 */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
