import type { TimelineDetail } from '../../protocol/rest/timelines.ts';
import type { Vitals } from '../../protocol/rest/vitals.ts';

/** At one reading in 5 s the last 40 minutes, of those in which something was to be told. */
const maxMoments = 500;

interface Moment {
  readonly targetId: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly gc: { readonly count: number; readonly pauseMs: number } | null;
  readonly measures: TimelineDetail['moments'][number]['measures'];
}

/** Garbage collections and the application's measures of the last readings: they lie between two readings, nobody knows where. */
export class Moments {
  readonly #moments: Moment[] = [];
  readonly #lastAtMs = new Map<string, number>();

  add({ targetId, at, gc, measures }: Vitals): void {
    const toMs = Date.parse(at);
    const fromMs = this.#lastAtMs.get(targetId);
    this.#lastAtMs.set(targetId, toMs);
    const entries = measures?.entries ?? [];
    if (fromMs === undefined || ((gc?.count ?? 0) === 0 && entries.length === 0)) return;
    const reading = gc === null ? null : { count: gc.count, pauseMs: gc.pauseMs };
    this.#moments.push({ targetId, fromMs, toMs, gc: reading, measures: entries.slice(0, 20) });
    if (this.#moments.length > maxMoments) this.#moments.shift();
  }

  forget(targetId: string): void {
    this.#lastAtMs.delete(targetId);
  }

  /** Those that overlap, with offsets from `startMs`. */
  during({
    targetId,
    startMs,
    endMs,
  }: {
    targetId: string;
    startMs: number;
    endMs: number;
  }): TimelineDetail['moments'] {
    return this.#moments
      .filter((moment) => moment.targetId === targetId && moment.fromMs < endMs && moment.toMs > startMs)
      .map(({ fromMs, toMs, gc, measures }) => ({
        fromOffsetMs: fromMs - startMs,
        toOffsetMs: toMs - startMs,
        gc,
        measures,
      }));
  }
}
