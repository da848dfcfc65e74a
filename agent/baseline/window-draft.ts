import type { LoadSource } from '../../protocol/rest/baseline.ts';
import type { Vitals } from '../../protocol/rest/vitals.ts';
import { Histogram } from '../requests/histogram.ts';
import type { BoundTally } from './bound-tally.ts';
import type { VitalsValues } from './vitals-values.ts';
import type { ExtraValues, Window } from './window.ts';

/** A route's quantile of fewer requests is chance. */
const requestsForQuantile = 20;
/** Further routes of a window are not compared. */
const routesMax = 100;

/** A window that is still being filled: CPU of its own time, and the requests that ended in it. */
export class WindowDraft {
  readonly fromMs: number;
  readonly toMs: number;
  readonly #routes = new Map<string, Histogram>();
  #readings: Vitals[] = [];
  #cpuMs = 0;
  #cpuOverMs = 0;
  #vitals: Readonly<Record<string, number>> | undefined;
  #extra: ExtraValues = { counterLoad: null, values: {} };
  requests = 0;
  /** What it says is not the program's doing. */
  isDisturbed = false;

  constructor({ fromMs, windowMs }: { fromMs: number; windowMs: number }) {
    this.fromMs = fromMs;
    this.toMs = fromMs + windowMs;
  }

  get isUsable(): boolean {
    return this.#vitals !== undefined && !this.isDisturbed;
  }

  addRequest(route: string, durationMs: number, bounds: BoundTally): void {
    this.requests++;
    let durations = this.#routes.get(route);
    if (durations === undefined && this.#routes.size < routesMax)
      this.#routes.set(route, (durations = new Histogram()));
    if (durations === undefined) bounds.add('routes');
    else durations.add(durationMs);
  }

  addReading(vitals: Vitals): void {
    this.#readings.push(vitals);
  }

  /** What a reading says of the time since the one before it; the part of that time that lies in this window counts. */
  addCpu(cores: number, { fromMs, toMs }: { fromMs: number; toMs: number }): void {
    const overMs = Math.min(toMs, this.toMs) - Math.max(fromMs, this.fromMs);
    if (overMs <= 0) return;
    this.#cpuMs += cores * overMs;
    this.#cpuOverMs += overMs;
  }

  /** Its time is over: nothing but requests is still to come. */
  endReadings(values: VitalsValues, extra: () => ExtraValues): void {
    const answered = this.#readings;
    this.#readings = [];
    this.#extra = extra();
    if (answered.length > 0) this.#vitals = values.of(answered);
  }

  /** `hasSpans`: the requests are the load. */
  finish({ hasSpans }: { hasSpans: boolean }): Window {
    const overMs = this.toMs - this.fromMs;
    const { counterLoad, values: extraValues } = this.#extra;
    const spansLoad = hasSpans ? (this.requests * 1000) / overMs : null;
    const load = spansLoad ?? counterLoad;
    // Of less than half of the window it would be a guess.
    const cpu = this.#cpuOverMs >= overMs / 2 ? this.#cpuMs / this.#cpuOverMs : undefined;
    return {
      fromMs: this.fromMs,
      toMs: this.toMs,
      values: {
        ...(cpu !== undefined && { cpu }),
        ...this.#vitals,
        ...this.#routeValues(overMs),
        ...extraValues,
        ...(load !== null && { load }),
        ...(cpu !== undefined && load !== null && load > 0 && { 'cpu-per-request': (cpu * 1000) / load }),
      },
      loadSource: loadSourceOf(spansLoad, counterLoad),
      routeRequests: Object.fromEntries([...this.#routes].map(([route, { count }]) => [route, count])),
    };
  }

  #routeValues(overMs: number): Record<string, number> {
    const values: Record<string, number> = {};
    for (const [route, durations] of this.#routes) {
      values[`route-rate ${route}`] = (durations.count * 1000) / overMs;
      const p95 = durations.count >= requestsForQuantile ? durations.quantile(0.95) : null;
      if (p95 !== null) values[`route-p95 ${route}`] = p95;
    }
    return values;
  }
}

function loadSourceOf(spansLoad: number | null, counterLoad: number | null): LoadSource {
  return spansLoad !== null ? 'spans' : counterLoad !== null ? 'counter' : 'unknown';
}
