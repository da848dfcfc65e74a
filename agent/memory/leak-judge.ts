import { growthTrend, medianOf, smoothLoad, type GrowthTrend } from '../../protocol/trend/growth-trend.ts';
import type { LeakPool } from '../../protocol/rest/leaks.ts';
import type { PoolLimits, PoolSample } from './pools.ts';
import { PoolWindows, type PoolWindow } from './pool-windows.ts';

/** All times are in windows. A window of 30 s makes the shortest way to `leak` 6 minutes. */
const windowsKept = 240;
/** One coarse window is of so many; 72 of them are a day when a window is 30 s. */
const coarseFactor = 40;
const coarseKept = 72;
/** Of a new process: it loads code, fills pools, compiles. */
const warmUpWindows = 10;
const suspectWindows = 8;
const leakWindows = 12;
/** The verdict may wait for a tenth of the time to the limit, so that what fills up slowly shows its end first; this is the least and the most. */
const patience = { share: 0.1, unlimitedWindows: 120, maxWindows: 720 };
const stillFor = 20;
const inARow = 3;
const calmFor = 10;
/** Collections of the whole heap are waited for so long before growth that may be garbage is looked into. */
const garbageWindows = 20;
const urgentWindows = 120;

/** A growth below is noise, or not worth a night. Native memory moves by whole arenas. */
const leastGrowth: Readonly<Record<LeakPool, { bytes: number; share: number }>> = {
  heap: { bytes: 6 * 2 ** 20, share: 0.06 },
  external: { bytes: 8 * 2 ** 20, share: 0.1 },
  native: { bytes: 16 * 2 ** 20, share: 0.15 },
};

export interface PoolJudgement {
  readonly pool: LeakPool;
  readonly state: 'settled' | 'suspect' | 'leak';
  readonly reason: string;
  readonly trend: GrowthTrend | undefined;
  readonly p: number | null;
  readonly levelBytes: number | null;
  /** When the growth began that the verdict is about. */
  readonly sinceMs: number | null;
  readonly limit: NearestLimit | null;
}

export interface NearestLimit {
  readonly kind: 'heap' | 'container';
  readonly bytes: number;
  /** Going on like this; null when it does not grow. */
  readonly inMs: number | null;
}

interface PoolState {
  readonly fine: PoolWindows;
  readonly coarse: PoolWindows;
  judgement: PoolJudgement;
  /** How often in a row it looked like a leak. */
  row: number;
  /** How often in a row nothing was suspected. */
  quiet: number;
  /** Of the steepest trend since it was called a leak. */
  leakSlope: number;
}

/**
 * Says of one run of a target whether its pools grow for good. Fed with readings in order of time; a verdict is made when a window closes. A level is the lowest
 * reading after a collection of the whole heap where those are seen: without, garbage that waits for its collection looks like growth for an hour,
 * and no more than `suspect` is said. Pure: the caller has the clock.
 */
export class LeakJudge {
  readonly #windowMs: number;
  readonly #startedAtMs: number;
  /** The patience with a pool that no limit is known of. */
  readonly #unlimitedWindows: number;
  readonly #pools = new Map<LeakPool, PoolState>();
  #limits: PoolLimits = { heapLimitBytes: null, containerLimitBytes: null, containerBytes: null };

  constructor(options: { windowMs: number; startedAtMs: number; unlimitedWindows?: number | undefined }) {
    this.#windowMs = options.windowMs;
    this.#unlimitedWindows = options.unlimitedWindows ?? patience.unlimitedWindows;
    this.#startedAtMs = options.startedAtMs;
    for (const pool of ['heap', 'external', 'native'] as const) {
      this.#pools.set(pool, {
        fine: new PoolWindows({ windowMs: this.#windowMs, windowsMax: windowsKept }),
        coarse: new PoolWindows({ windowMs: this.#windowMs * coarseFactor, windowsMax: coarseKept }),
        judgement: nothingYet(pool),
        row: 0,
        quiet: 0,
        leakSlope: 0,
      });
    }
  }

  get judgements(): readonly PoolJudgement[] {
    return [...this.#pools.values()].map(({ judgement }) => judgement);
  }

  /** `isForced`: we made V8 collect the whole heap since the reading before. Returns the pools whose verdict was made anew. */
  add(sample: PoolSample, { isForced = false }: { isForced?: boolean } = {}): PoolJudgement[] {
    this.#limits = sample.limits;
    if (sample.atMs < this.#startedAtMs + warmUpWindows * this.#windowMs) return [];
    const isFloor = isForced || sample.isCollected === true;
    const judged: PoolJudgement[] = [];
    for (const [pool, state] of this.#pools) {
      const value = sample.bytes[pool];
      if (value === null) continue;
      const reading = { atMs: sample.atMs, value, load: sample.load, isFloor: isFloor || pool === 'native' };
      state.coarse.add(reading);
      if (state.fine.add(reading) === undefined) continue;
      state.judgement = this.#judge(pool, state);
      judged.push(state.judgement);
    }
    return judged;
  }

  #judge(pool: LeakPool, state: PoolState): PoolJudgement {
    const fine = this.#look(pool, {
      windows: state.fine.closed,
      windowMs: this.#windowMs,
      earlier: state.coarse.closed,
    });
    const coarse = this.#look(pool, {
      windows: state.coarse.closed,
      windowMs: this.#windowMs * coarseFactor,
      earlier: [],
    });
    const [worse] = [fine, coarse].toSorted((a, b) => rank(b.state) - rank(a.state));
    const found = worse ?? fine;
    const levelBytes = lastLevel(state.fine.closed);
    const before = state.judgement;
    state.row = found.state === 'leak' ? state.row + 1 : 0;
    const isLeak = state.row >= inARow;
    if (before.state === 'leak' && !isLeak) return this.#keepOrEnd(pool, { state, levelBytes, found });
    if (isLeak) state.leakSlope = Math.max(state.leakSlope, found.trend?.slopePerMs ?? 0);
    state.quiet = found.state === 'settled' ? state.quiet + 1 : 0;
    const isCalm = found.state === 'settled' && (before.state === 'settled' || state.quiet >= calmFor);
    const verdict = isLeak ? 'leak' : isCalm ? 'settled' : 'suspect';
    return {
      pool,
      state: verdict,
      reason: found.reason,
      trend: found.trend,
      p: found.trend?.p ?? null,
      levelBytes,
      sinceMs: verdict === 'settled' ? null : (before.sinceMs ?? found.trend?.firstMs ?? null),
      limit: this.#nearestLimit(pool, {
        slopePerMs: verdict === 'settled' ? 0 : (found.trend?.slopePerMs ?? 0),
        levelBytes,
      }),
    };
  }

  /** What was called a leak stays one until it has stopped growing for a while, or was given back. */
  #keepOrEnd(
    pool: LeakPool,
    { state, levelBytes, found }: { state: PoolState; levelBytes: number | null; found: Look },
  ): PoolJudgement {
    const before = state.judgement;
    const isStill = hasStopped(state);
    const limit = this.#nearestLimit(pool, { slopePerMs: isStill ? 0 : state.leakSlope, levelBytes });
    if (!isStill) return { ...before, levelBytes, limit };
    state.leakSlope = 0;
    return {
      pool,
      state: 'settled',
      reason: `it stopped growing; what was kept stays: ${mb(levelBytes ?? 0)}`,
      trend: found.trend,
      p: null,
      levelBytes,
      sinceMs: null,
      limit,
    };
  }

  /** One scale: the last two hours in fine windows, or the last day in coarse ones. */
  #look(
    pool: LeakPool,
    scale: { windows: readonly PoolWindow[]; windowMs: number; earlier: readonly PoolWindow[] },
  ): Look {
    const { windowMs, earlier } = scale;
    const windows = smoothLoad(scale.windows);
    const floors = windows.filter(({ isFloor }) => isFloor);
    const isTrusted = floors.length >= 5;
    const recent = growthPart(isTrusted ? floors : windows);
    const least = leastGrowth[pool];
    const third = Math.min(5, Math.ceil(recent.length / 3));
    const isFlat = (levelOf(recent.slice(-third)) ?? 0) - (levelOf(recent.slice(0, third)) ?? 0) < least.bytes / 2;
    // Most of the time: the trend need not be computed.
    const trend = isFlat ? undefined : growthTrend(recent);
    const settled = (reason: string): Look => ({ state: 'settled', reason, trend });
    if (windows.length < suspectWindows)
      return settled(`too early to tell: ${windows.length} of ${suspectWindows} windows`);
    if (isFlat) return settled('it does not grow');
    if (trend === undefined) return settled('too few readings at a comparable load');
    const start = trend.level - trend.grown;
    if (trend.grown < Math.max(least.bytes, least.share * Math.max(0, start)))
      return settled(`grew by ${mb(trend.grown)} in ${duration(trend)}, which is not enough to tell from noise`);
    if (trend.p > 0.05 || trend.grown < 4 * trend.noise)
      return settled(`moved by ${mb(trend.grown)} in ${duration(trend)}, not steadily (p=${trend.p.toFixed(3)})`);
    if (pool === 'native' && this.#isOverheadOfOthers(trend)) return settled('grows with the heap that V8 knows of');
    const grew = `grew by ${mb(trend.grown)} in ${duration(trend)} at no higher load`;
    const suspect = (why: string): Look => ({ state: 'suspect', reason: `${grew}; ${why}`, trend });
    const pace = this.#nearestLimit(pool, { slopePerMs: trend.slopePerMs, levelBytes: trend.level });
    const isUrgent = pace !== null && pace.inMs !== null && pace.inMs < urgentWindows * windowMs;
    if (!isTrusted && !isUrgent && windows.length < garbageWindows)
      return settled('garbage may be in it: too few collections of the whole heap so far');
    if (!isTrusted) return suspect('no collection of the whole heap was seen yet, so it may be garbage');
    const record = Math.max(...earlier.filter(({ atMs }) => atMs < trend.firstMs).map(({ value }) => value));
    if (trend.level < 1.02 * record) return suspect(`it held ${mb(record)} before`);
    const steadiness = trend.steadiness ?? 1;
    // Of few points the halves say little.
    const isSlowing = trend.points >= 12 && steadiness < 0.9 && !this.#wouldReach(trend, { steadiness, limit: pace });
    if (steadiness < 0.5 || isSlowing) return suspect('it slows down, as a cache does that fills');
    const spanWindows = (trend.lastMs - trend.firstMs) / windowMs;
    const needed = patienceWindows(pace, {
      windowMs,
      fineMs: this.#windowMs,
      unlimitedWindows: this.#unlimitedWindows,
    });
    if (trend.p > 0.01 || trend.points < 5 || spanWindows < needed)
      return suspect(`seen for ${Math.floor(spanWindows)} of the ${Math.ceil(needed)} windows that its pace asks for`);
    return { state: 'leak', reason: `${grew}, after collections, and goes on`, trend };
  }

  /** Where an exponential that slows down like this would end, seen from 80 % of the limit. */
  #wouldReach(trend: GrowthTrend, asked: { steadiness: number; limit: NearestLimit | null }): boolean {
    const { steadiness, limit } = asked;
    if (limit === null || limit.inMs === null) return false;
    const tauMs = (trend.lastMs - trend.firstMs) / 2 / -Math.log(steadiness);
    return trend.slopePerMs * steadiness * tauMs > 0.8 * trend.slopePerMs * limit.inMs;
  }

  /** V8's own bookkeeping, the sampler's too. */
  #isOverheadOfOthers(native: GrowthTrend): boolean {
    return (['heap', 'external'] as const).some((pool) => {
      const trend = growthTrend(growthPart(this.#pools.get(pool)?.fine.closed ?? []));
      return trend !== undefined && trend.slopePerMs * 0.5 > native.slopePerMs;
    });
  }

  #nearestLimit(pool: LeakPool, at: { slopePerMs: number; levelBytes: number | null }): NearestLimit | null {
    const { heapLimitBytes, containerLimitBytes, containerBytes } = this.#limits;
    const inMs = (roomBytes: number): number | null =>
      at.slopePerMs > 0 ? Math.max(0, roomBytes) / at.slopePerMs : null;
    const limits: NearestLimit[] = [];
    if (pool === 'heap' && heapLimitBytes !== null && at.levelBytes !== null)
      limits.push({ kind: 'heap', bytes: heapLimitBytes, inMs: inMs(heapLimitBytes - at.levelBytes) });
    if (containerLimitBytes !== null && containerBytes !== null && containerLimitBytes < absurdBytes)
      limits.push({
        kind: 'container',
        bytes: containerLimitBytes,
        inMs: inMs(containerLimitBytes - containerBytes),
      });
    const [nearest] = limits.toSorted((a, b) => (a.inMs ?? a.bytes) - (b.inMs ?? b.bytes));
    return nearest ?? null;
  }
}

interface Look {
  readonly state: 'settled' | 'suspect' | 'leak';
  readonly reason: string;
  readonly trend: GrowthTrend | undefined;
}

/** Node says 9.2e18 or 1.8e19 where there is no limit. */
const absurdBytes = 2 ** 60;

/** The levels of the last ten minutes, or of the last six collections when those took longer, rise less than a quarter as fast as before. */
function hasStopped({ fine, leakSlope }: PoolState): boolean {
  const floors = fine.closed.filter(({ isFloor }) => isFloor);
  const last = fine.closed.at(-1);
  const sinceIndex = Math.min(fine.closed.length - stillFor, fine.closed.indexOf(floors.at(-6)!));
  const recent = floors.filter((floor) => fine.closed.indexOf(floor) >= sinceIndex);
  const [first] = recent;
  if (first === undefined || last === undefined || recent.length < 6) return false;
  const half = recent.length >> 1;
  const grown = median(recent.slice(half)) - median(recent.slice(0, half));
  return grown < (0.25 * leakSlope * (last.atMs - first.atMs)) / 2;
}

function median(windows: readonly PoolWindow[]): number {
  return medianOf(windows.map(({ value }) => value));
}

/** From the last low point on: what was before a restart of a cache, or before the leak began, is not part of the growth. */
function growthPart(windows: readonly PoolWindow[]): readonly PoolWindow[] {
  if (windows.length < suspectWindows) return windows;
  const candidates = windows.slice(0, windows.length - leakWindows + 1);
  const lowest = Math.min(...candidates.map(({ value }) => value));
  return windows.slice(
    Math.max(
      0,
      candidates.findLastIndex(({ value }) => value <= lowest * 1.02),
    ),
  );
}

/** Of the scale that has windows of `windowMs`. */
function patienceWindows(
  limit: NearestLimit | null,
  scale: { windowMs: number; fineMs: number; unlimitedWindows: number },
): number {
  const { windowMs, fineMs, unlimitedWindows } = scale;
  const fine = limit === null || limit.inMs === null ? unlimitedWindows : (limit.inMs * patience.share) / fineMs;
  return Math.max(leakWindows - 1, (Math.min(patience.maxWindows, fine) * fineMs) / windowMs);
}

function lastLevel(windows: readonly PoolWindow[]): number | null {
  return (windows.findLast(({ isFloor }) => isFloor) ?? windows.at(-1))?.value ?? null;
}

function levelOf(windows: readonly PoolWindow[]): number | null {
  const floors = windows.filter(({ isFloor }) => isFloor);
  const values = (floors.length > 0 ? floors : windows).map(({ value }) => value);
  return values.length === 0 ? null : Math.min(...values);
}

function nothingYet(pool: LeakPool): PoolJudgement {
  const reason = 'too early to tell';
  return { pool, state: 'settled', reason, trend: undefined, p: null, levelBytes: null, sinceMs: null, limit: null };
}

function rank(state: Look['state']): number {
  return ['settled', 'suspect', 'leak'].indexOf(state);
}

export function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(Math.abs(bytes) < 1e7 ? 1 : 0)} MB`;
}

function duration({ firstMs, lastMs }: GrowthTrend): string {
  const minutes = (lastMs - firstMs) / 60_000;
  return minutes < 1
    ? `${Math.round(minutes * 60)} s`
    : minutes < 120
      ? `${Math.round(minutes)} min`
      : `${Math.round(minutes / 60)} h`;
}
