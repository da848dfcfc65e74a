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
/**
 * What would reach its limit within `urgentWindows` is looked at in windows of a sixth as well, after a fifth of the warm-up: at 30 s the shortest way to `leak`
 * is 3 minutes then. A verdict still takes a tenth of the time that is left. Not for native memory, whose arenas fill up in the first minutes.
 */
const quick = { factor: 6, warmUpWindows: 2, windowsKept: 96 };
const suspectWindows = 8;
const leakWindows = 12;
/** The verdict may wait for a tenth of the time to the limit, so that what fills up slowly shows its end first; this is the least and the most. */
const patience = { share: 0.1, unlimitedWindows: 120, maxWindows: 720 };
/**
 * Of native memory that grew while most windows were starved: what V8 has taken is only touched bit by bit, and no collection tells that apart. The floors of the other pools are what
 * collections left, late or not.
 */
const starvedPatience = 2;
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
  readonly quick: PoolWindows;
  readonly fine: PoolWindows;
  readonly coarse: PoolWindows;
  /** The last look at the quick windows, and the worse one of the last at the others. */
  readonly looks: { quick: Look; slow: Look };
  /** How often in a row each looked like a leak. */
  readonly rows: { quick: number; slow: number };
  judgement: PoolJudgement;
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
        quick: new PoolWindows({ windowMs: this.#windowMs / quick.factor, windowsMax: quick.windowsKept }),
        fine: new PoolWindows({ windowMs: this.#windowMs, windowsMax: windowsKept }),
        coarse: new PoolWindows({ windowMs: this.#windowMs * coarseFactor, windowsMax: coarseKept }),
        looks: { quick: noLook, slow: noLook },
        rows: { quick: 0, slow: 0 },
        judgement: nothingYet(pool),
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
    const aged = (sample.atMs - this.#startedAtMs) / this.#windowMs;
    if (aged < quick.warmUpWindows) return [];
    const isFloor = isForced || sample.isCollected === true;
    const judged: PoolJudgement[] = [];
    for (const [pool, state] of this.#pools) {
      const value = sample.bytes[pool];
      if (value === null) continue;
      const { atMs, load, isStarved } = sample;
      const reading = { atMs, value, load, isFloor: isFloor || pool === 'native', isStarved };
      const isNews = pool !== 'native' && state.quick.add(reading) !== undefined && this.#lookQuickly(pool, state);
      const isDue = aged >= warmUpWindows && this.#lookSlowly(pool, { state, reading });
      if (!isNews && !isDue) continue;
      state.judgement = this.#judge(pool, { state, isDue });
      judged.push(state.judgement);
    }
    return judged;
  }

  /** Whether there is something to say. */
  #lookQuickly(pool: LeakPool, { quick: windows, fine, looks, rows }: PoolState): boolean {
    const before = looks.quick;
    const windowMs = this.#windowMs / quick.factor;
    looks.quick = this.#look(pool, { windows: windows.closed, windowMs, earlier: fine.closed, isQuick: true });
    rows.quick = looks.quick.state === 'leak' ? rows.quick + 1 : 0;
    return looks.quick.state !== 'settled' || before.state !== 'settled';
  }

  /** Whether a window was closed. */
  #lookSlowly(pool: LeakPool, added: { state: PoolState; reading: PoolReading }): boolean {
    const { fine, coarse, looks, rows } = added.state;
    coarse.add(added.reading);
    if (fine.add(added.reading) === undefined) return false;
    const near = { windows: fine.closed, windowMs: this.#windowMs, earlier: coarse.closed };
    const far = { windows: coarse.closed, windowMs: this.#windowMs * coarseFactor, earlier: [] };
    looks.slow = worseOf(this.#look(pool, near), this.#look(pool, far));
    rows.slow = looks.slow.state === 'leak' ? rows.slow + 1 : 0;
    return true;
  }

  #judge(pool: LeakPool, { state, isDue }: { state: PoolState; isDue: boolean }): PoolJudgement {
    const { looks, rows, fine, judgement: before } = state;
    const found = worseOf(looks.slow, looks.quick);
    const levelBytes = lastLevel(isDue ? fine.closed : state.quick.closed);
    const isLeak = Math.max(rows.slow, rows.quick) >= inARow;
    if (before.state === 'leak' && !isLeak) return this.#keepOrEnd(pool, { state, levelBytes, found });
    if (isLeak) state.leakSlope = Math.max(state.leakSlope, found.trend?.slopePerMs ?? 0);
    if (found.state !== 'settled') state.quiet = 0;
    else if (isDue) state.quiet++;
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

  /** One scale: the last two hours in fine windows, the last day in coarse ones, or the last minutes in quick ones. */
  #look(pool: LeakPool, scale: Scale): Look {
    const { windows, windowMs, earlier, isQuick = false } = scale;
    const isTrusted = windows.filter(({ isFloor }) => isFloor).length >= 5;
    const growing = (of: readonly PoolWindow[]): readonly PoolWindow[] =>
      growthPart(isTrusted ? of.filter(({ isFloor }) => isFloor) : of);
    const recent = growing(windows);
    const least = leastGrowth[pool];
    const third = Math.min(5, Math.ceil(recent.length / 3));
    const levels = [levelOf(recent.slice(0, third)) ?? 0, levelOf(recent.slice(-third)) ?? 0] as const;
    const roughly = levels[1] - levels[0];
    const isFlat = roughly < least.bytes / 2;
    // Most of the time: the trend need not be computed.
    const isDull = isFlat || (isQuick && !this.#isNear(pool, { recent, roughly }));
    const trend = isDull ? undefined : growthTrend(growing(smoothLoad(windows)));
    const settled = (reason: string): Look => ({ state: 'settled', reason, trend });
    if (windows.length < suspectWindows)
      return settled(`too early to tell: ${windows.length} of ${suspectWindows} windows`);
    if (isFlat) return settled('it does not grow');
    if (isDull) return settled(notUrgent);
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
    const isUrgent =
      pace !== null && pace.inMs !== null && pace.inMs < urgentWindows * Math.max(windowMs, this.#windowMs);
    if (isQuick && !isUrgent) return settled(notUrgent);
    if (!isTrusted && !isUrgent && windows.length < garbageWindows)
      return settled('garbage may be in it: too few collections of the whole heap so far');
    if (!isTrusted) return suspect('no collection of the whole heap was seen yet, so it may be garbage');
    // RSS minus the heap falls when V8 takes memory that it does not touch yet, and rises as it does.
    const before = [...earlier, ...windows.filter(({ isFloor }) => isFloor)].filter(({ atMs }) => atMs < trend.firstMs);
    const record = Math.max(...before.map(({ value }) => value));
    if (trend.level < 1.02 * record) return suspect(`it held ${mb(record)} before`);
    const steadiness = trend.steadiness ?? 1;
    // Of few points the halves say little.
    const isSlowing = trend.points >= 6 && steadiness < 0.9 && !this.#wouldReach(trend, { steadiness, limit: pace });
    if (steadiness < 0.5 || isSlowing) return suspect('it slows down, as a cache does that fills');
    const spanWindows = (trend.lastMs - trend.firstMs) / windowMs;
    const seen = windows.filter(({ atMs }) => atMs >= trend.firstMs);
    const isStarved = pool === 'native' && seen.filter((window) => window.isStarved).length > seen.length / 2;
    const factor = isStarved ? starvedPatience : 1;
    const needed =
      factor * patienceWindows(pace, { windowMs, fineMs: this.#windowMs, unlimitedWindows: this.#unlimitedWindows });
    const why = isStarved ? ', as it waits for a CPU most of the time' : '';
    if (trend.p > 0.01 || trend.points < 5 * factor || spanWindows < needed)
      return suspect(
        `seen for ${Math.floor(spanWindows)} of the ${Math.ceil(needed)} windows that its pace asks for${why}`,
      );
    return { state: 'leak', reason: `${grew}, after collections, and goes on`, trend };
  }

  /** Twice as steep as it looks it would reach the limit in time. */
  #isNear(pool: LeakPool, { recent, roughly }: { recent: readonly PoolWindow[]; roughly: number }): boolean {
    const [first, last] = [recent[0], recent.at(-1)];
    if (first === undefined || last === undefined) return false;
    const slopePerMs = (2 * roughly) / Math.max(1, last.atMs - first.atMs);
    const limit = this.#nearestLimit(pool, { slopePerMs, levelBytes: last.value });
    return limit !== null && limit.inMs !== null && limit.inMs < urgentWindows * this.#windowMs;
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
    if (pool === 'heap' && heapLimitBytes !== null && heapLimitBytes < absurdBytes && at.levelBytes !== null)
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

interface Scale {
  readonly windows: readonly PoolWindow[];
  readonly windowMs: number;
  /** What was held before those windows. */
  readonly earlier: readonly PoolWindow[];
  /** Speaks of nothing but urgent growth. */
  readonly isQuick?: boolean;
}

type PoolReading = Parameters<PoolWindows['add']>[0];

const noLook: Look = { state: 'settled', reason: 'too early to tell', trend: undefined };

/** The first one of two that are alike. */
function worseOf(a: Look, b: Look): Look {
  return rank(b.state) > rank(a.state) ? b : a;
}

const notUrgent = 'the limit is too far away for a verdict of minutes';

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
