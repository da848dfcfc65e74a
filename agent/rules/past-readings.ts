import type { RouteList } from '../../protocol/rest/timelines.ts';
import type { VitalsPoint } from '../../protocol/rest/vitals.ts';
import type { PastSeries } from '../baseline/past-series.ts';
import type { Timelines } from '../requests/timelines.ts';
import { slotMs } from '../requests/windowed-table.ts';
import type { RuleReadings } from './evaluate.ts';
import type { PastEvent } from './past-events.ts';
import { readRoute, readSeries, routesWindowMs } from './target-readings.ts';

export interface PastSources {
  /** Oldest first. */
  readonly points: readonly VitalsPoint[];
  /** Oldest first. */
  readonly events: readonly PastEvent[];
  readonly series: PastSeries | undefined;
  readonly timelines: Pick<Timelines, 'routes'>;
}

export interface PastMoment {
  readonly atMs: number;
  /** There were no readings for a while before: the target was away, or the agent. */
  readonly isAfterGap: boolean;
}

/** The moments at which a rule would have been looked at: every reading and every event. In order. */
export function momentsOf({ points, events }: PastSources): PastMoment[] {
  const pointsMs = points.map(({ at }) => Date.parse(at));
  const distancesMs = pointsMs.slice(1).map((atMs, index) => atMs - (pointsMs[index] ?? atMs));
  const usualMs = distancesMs.toSorted((a, b) => a - b)[distancesMs.length >> 1] ?? 0;
  const gapMs = Math.max(30_000, 3 * usualMs);
  const afterGaps = new Set(pointsMs.filter((_, index) => (distancesMs[index - 1] ?? 0) > gapMs));
  return [...new Set([...pointsMs, ...events.map(({ atMs }) => atMs)])]
    .toSorted((a, b) => a - b)
    .map((atMs) => ({ atMs, isAfterGap: afterGaps.has(atMs) }));
}

/** What the conditions of a rule would have read at each moment; to be asked in order of time. */
export function pastReadings(sources: PastSources): (atMs: number) => RuleReadings {
  const { points, events, series, timelines } = sources;
  const pointsMs = points.map(({ at }) => Date.parse(at));
  let next = 0;
  let routes: { readonly slot: number; readonly list: RouteList } | undefined;
  return (atMs) => {
    while ((pointsMs[next] ?? Infinity) <= atMs) next += 1;
    series?.moveTo(atMs);
    const point = points[next - 1];
    return {
      metric: (name) => point?.[name] ?? null,
      // The target is that of `series`.
      series: (leaf) => readSeries('', leaf, series),
      route: (leaf) => {
        const slot = Math.floor(atMs / slotMs);
        if (routes?.slot !== slot) {
          const since = new Date(slot * slotMs - routesWindowMs).toISOString();
          routes = { slot, list: timelines.routes({ since, untilMs: slot * slotMs, limit: 500 }) };
        }
        return readRoute(leaf, routes.list);
      },
      event: (event) => {
        const last = events.findLast((each) => each.event === event && each.atMs <= atMs);
        return last === undefined ? undefined : { agoMs: atMs - last.atMs, title: last.title };
      },
    };
  };
}
