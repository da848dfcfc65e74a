import type { MemoryLimit } from '../../protocol/rest/memory-limit.ts';
import { forecastLimit, maxWindows, type LimitForecast, type UsedPoint } from './limit-forecast.ts';
import type { LimitUse, LimitUses } from './nearer-limit.ts';

/** Of the nearer limit: heap sampling begins, is read until there are sites, and ends when it is far again. */
const samplingShares = { begin: 0.7, read: 0.85, end: 0.6 };
/** So much nearer a reading without sites is repeated: where nothing was allocated there is nothing to see. */
const nearerBy = 0.02;
/** Below the threshold by this much before the alert is over: a value around it gives one alert. */
const hysteresis = 0.05;
/** The lowest of these decides: one reading just before a collection is no alert. */
const decidingReadings = 3;

export interface LimitWatchOptions {
  /** Between two decisions, and the windows of the forecast. */
  readonly intervalMs: number;
  /** Share of the limit, 0.9. */
  readonly threshold: number;
}

/** What is to be done after a reading. */
export type LimitStep =
  | { readonly kind: 'begin-sampling' | 'read-sampling' | 'end-sampling' }
  | { readonly kind: 'alert'; readonly limit: LimitUse; readonly forecast: LimitForecast | undefined }
  | { readonly kind: 'settled'; readonly why: string };

/** The decisions about one run of a target. Knows no clock but the one it is told: a wall clock that is set changes nothing. */
export class LimitWatch {
  readonly #options: LimitWatchOptions;
  readonly #points: Record<LimitUse['pool'], UsedPoint[]> = { heap: [], container: [] };
  #recent: LimitUse[] = [];
  #notes: readonly string[] = [];
  #decidedAtMs: number | undefined;
  #isSampling = false;
  /** Used share of the limit when sampling was read last; the pressure falls whenever V8 keeps less free. */
  #readAt: number | undefined;
  #hasSites = false;
  #isAlerting = false;

  constructor(options: LimitWatchOptions) {
    this.#options = options;
  }

  /** Limits that do not count, and why. */
  get notes(): readonly string[] {
    return this.#notes;
  }

  get isAlerting(): boolean {
    return this.#isAlerting;
  }

  /** `atMs` is monotonic. */
  read({ uses, notes }: LimitUses, atMs: number): LimitStep[] {
    const [nearer] = uses;
    // A reading that failed tells nothing, also not that all is well.
    this.#notes = notes;
    if (nearer === undefined) return [];
    for (const { pool, usedBytes } of uses) this.#keep(pool, { atMs, usedBytes });
    this.#recent = [...this.#recent, nearer].slice(-decidingReadings);
    return [...this.#sampling(nearer), ...this.#decide(atMs)];
  }

  /** A reading of the sampler had sites: there is no second one on this way up. */
  gotSites(): void {
    this.#hasSites = this.#isSampling;
  }

  /** The nearer limit as it is now. `nowMs` is wall time, for the forecast's date. */
  view(nowMs: number): MemoryLimit | null {
    const use = this.#recent.at(-1);
    if (use === undefined) return null;
    const forecast = this.#forecast(use);
    return {
      pool: use.pool,
      usedBytes: use.usedBytes,
      limitBytes: use.limitBytes,
      usedPercent: Math.round(use.share * 1000) / 10,
      forecast:
        forecast === undefined ? null : { ...forecast, reachedAt: new Date(nowMs + forecast.inMs).toISOString() },
    };
  }

  #keep(pool: LimitUse['pool'], point: UsedPoint): void {
    const oldestMs = point.atMs - this.#options.intervalMs * maxWindows;
    this.#points[pool] = [...this.#points[pool].filter(({ atMs }) => atMs >= oldestMs), point].slice(-maxPoints);
  }

  #sampling({ pool, share: usedShare, pressure: share }: LimitUse): LimitStep[] {
    const steps: LimitStep[] = [];
    const before = this.#recent.at(-2);
    // At this pace the next reading may come too late.
    const nextShare = before?.pool === pool ? share + Math.max(0, share - before.pressure) : share;
    if (share >= samplingShares.begin && !this.#isSampling) {
      this.#isSampling = true;
      steps.push({ kind: 'begin-sampling' });
    }
    // One that had sites is the last on the way up: each forces a collection.
    const isDue = !this.#hasSites && (this.#readAt === undefined || usedShare >= this.#readAt + nearerBy);
    if (this.#isSampling && nextShare >= samplingShares.read && isDue) {
      this.#readAt = usedShare;
      steps.push({ kind: 'read-sampling' });
    }
    if (share < samplingShares.end && this.#isSampling) {
      this.#isSampling = false;
      this.#readAt = undefined;
      this.#hasSites = false;
      steps.push({ kind: 'end-sampling' });
    }
    return steps;
  }

  #decide(atMs: number): LimitStep[] {
    const { intervalMs, threshold } = this.#options;
    this.#decidedAtMs ??= atMs;
    if (atMs - this.#decidedAtMs < intervalMs || this.#recent.length < decidingReadings) return [];
    this.#decidedAtMs = atMs;
    const limit = this.#recent.toSorted((a, b) => a.share - b.share)[0];
    if (limit === undefined) return [];
    if (limit.share >= threshold) {
      this.#isAlerting = true;
      return [{ kind: 'alert', limit, forecast: this.#forecast(limit) }];
    }
    if (!this.#isAlerting || limit.share > threshold - hysteresis) return [];
    this.#isAlerting = false;
    return [{ kind: 'settled', why: `${limit.pool} used is ${Math.round(limit.share * 100)} % of its limit again` }];
  }

  #forecast({ pool, limitBytes }: LimitUse): LimitForecast | undefined {
    return forecastLimit(this.#points[pool], { limitBytes, windowMs: this.#options.intervalMs });
  }
}

/** 15 minutes of readings every 5 s are 180; no interval makes more than this. */
const maxPoints = 1_000;
