import { medianOf } from '../../protocol/trend/growth-trend.ts';
import type { LoadSource } from '../../protocol/rest/baseline.ts';
import type { Vitals } from '../../protocol/rest/vitals.ts';
import { poolSample } from '../memory/pools.ts';
import { BoundTally } from './bound-tally.ts';
import { Histogram } from '../requests/histogram.ts';

/** One step of a process's life, as it is compared. Clock: milliseconds that no step of the wall clock moves. */
export interface Window {
  readonly fromMs: number;
  readonly toMs: number;
  /** By measure, see `measureOf`; one that could not be had is not there. */
  readonly values: Readonly<Record<string, number>>;
  readonly loadSource: LoadSource;
  readonly routeRequests: Readonly<Record<string, number>>;
}

/** A route's quantile of fewer requests is chance. */
const requestsForQuantile = 20;
/** Further routes of a window are not compared. */
const routesMax = 100;
/** Spans are the load as long as one came within so many windows. */
const silentWindowsMax = 10;

export interface WindowMakerOptions {
  readonly originMs: number;
  readonly windowMs: number;
  readonly bounds?: BoundTally | undefined;
}

/** Makes windows out of readings and requests as they come. */
export class WindowMaker {
  readonly #bounds: BoundTally;
  readonly #windowMs: number;
  readonly #originMs: number;
  #index: number | undefined;
  #readings: Vitals[] = [];
  #requests = 0;
  #routes = new Map<string, Histogram>();
  /** Lowest since the last collection of the whole heap: what comes on top until the next one may be garbage. */
  readonly #floors: { heap?: number; rss?: number } = {};
  #silentWindows = Infinity;
  #isDisturbed = false;

  /** Windows begin at `originMs` and whole `windowMs` after it. */
  constructor({ originMs, windowMs, bounds = new BoundTally() }: WindowMakerOptions) {
    this.#bounds = bounds;
    this.#originMs = originMs;
    this.#windowMs = windowMs;
  }

  addRequest(route: string, durationMs: number): void {
    this.#requests++;
    let durations = this.#routes.get(route);
    if (durations === undefined && this.#routes.size < routesMax)
      this.#routes.set(route, (durations = new Histogram()));
    if (durations === undefined) this.#bounds.add('routes');
    else durations.add(durationMs);
  }

  /** A capture paused the target: what this window says is not the program's doing. */
  disturb(): void {
    this.#isDisturbed = true;
  }

  /**
   * The window that ended before `atMs`, if one did and can be used; readings come in order. `extra` is asked for it: rates of counters, series. A
   * window that the first reading falls into is not whole, and is left out.
   */
  add(vitals: Vitals, atMs: number, extra: () => ExtraValues): Window | undefined {
    const index = Math.floor((atMs - this.#originMs) / this.#windowMs);
    const closed = this.#index !== undefined && index !== this.#index ? this.#close(this.#index, extra) : undefined;
    if (this.#index === undefined) {
      this.#reset();
      this.#isDisturbed = atMs - this.#originMs - index * this.#windowMs > this.#windowMs / 4;
    }
    this.#index = index;
    if (vitals.error === null) this.#readings.push(vitals);
    return closed;
  }

  #close(index: number, extra: () => ExtraValues): Window | undefined {
    const fromMs = this.#originMs + index * this.#windowMs;
    const readings = this.#readings;
    this.#silentWindows = this.#requests > 0 ? 0 : this.#silentWindows + 1;
    const { counterLoad, values: extraValues } = extra();
    const spansLoad = this.#silentWindows <= silentWindowsMax ? (this.#requests * 1000) / this.#windowMs : null;
    const load = spansLoad ?? counterLoad;
    const values: Record<string, number> = {
      ...this.#vitalsValues(readings),
      ...this.#routeValues(),
      ...extraValues,
      ...(load !== null && { load }),
    };
    const { cpu } = values;
    if (cpu !== undefined && load !== null && load > 0) values['cpu-per-request'] = (cpu * 1000) / load;
    const window: Window = {
      fromMs,
      toMs: fromMs + this.#windowMs,
      values,
      loadSource: spansLoad !== null ? 'spans' : counterLoad !== null ? 'counter' : 'unknown',
      routeRequests: Object.fromEntries([...this.#routes].map(([route, { count }]) => [route, count])),
    };
    const isUsable = readings.length > 0 && !this.#isDisturbed;
    this.#reset();
    return isUsable ? window : undefined;
  }

  #reset(): void {
    this.#readings = [];
    this.#requests = 0;
    this.#routes = new Map();
    this.#isDisturbed = false;
  }

  #vitalsValues(readings: readonly Vitals[]): Record<string, number> {
    const samples = readings.map((vitals) => ({ vitals, sample: poolSample(vitals, null) }));
    const isObserved = samples.some(({ sample }) => sample.isCollected !== undefined);
    const collected = samples.filter(({ sample }) => sample.isCollected === true);
    const lowest = (of: (sample: (typeof samples)[number]) => number | null, known: number | undefined) => {
      const values = (list: typeof samples): number[] => list.map(of).filter((value) => value !== null);
      if (collected.length > 0) return least(values(collected));
      const seen = least(values(samples));
      return isObserved && known !== undefined ? Math.min(known, seen ?? known) : seen;
    };
    const heap = lowest(({ sample }) => sample.bytes.heap, this.#floors.heap);
    const rss = lowest(({ vitals }) => vitals.memory.rssBytes, this.#floors.rss);
    if (heap !== undefined) this.#floors.heap = heap;
    if (rss !== undefined) this.#floors.rss = rss;
    const numbers = (of: (vitals: Vitals) => number | null): number[] =>
      readings.map(of).filter((value) => value !== null);
    const cpu = numbers(({ cpu: { userCores, systemCores } }) =>
      userCores === null || systemCores === null ? null : userCores + systemCores,
    );
    const [load1, load5, load15] = readings.findLast(({ nodeLoad }) => nodeLoad !== null)?.nodeLoad ?? [];
    return known({
      cpu: mean(cpu),
      'heap-floor': heap,
      rss,
      utilization: mean(numbers(({ loop }) => loop.utilization)),
      'delay-p99': median(numbers(({ loop }) => loop.delayP99Ms)),
      'load-average-1': load1,
      'load-average-5': load5,
      'load-average-15': load15,
    });
  }

  #routeValues(): Record<string, number> {
    const values: Record<string, number> = {};
    for (const [route, durations] of this.#routes) {
      values[`route-rate ${route}`] = (durations.count * 1000) / this.#windowMs;
      const p95 = durations.count >= requestsForQuantile ? durations.quantile(0.95) : null;
      if (p95 !== null) values[`route-p95 ${route}`] = p95;
    }
    return values;
  }
}

export interface ExtraValues {
  /** Requests per second by a counter of the application; null without one. */
  readonly counterLoad: number | null;
  /** Of series that the configuration names. */
  readonly values: Readonly<Record<string, number>>;
}

function least(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : Math.min(...values);
}

function mean(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function median(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : medianOf(values);
}

function known(values: Readonly<Record<string, number | undefined>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, number] => Number.isFinite(entry[1])),
  );
}
