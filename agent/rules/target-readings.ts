import type { RouteList } from '../../protocol/rest/timelines.ts';
import type { SeriesValues } from '../../protocol/rest/vitals.ts';
import type { Series } from '../baseline/series.ts';
import type { RuleReadings } from './evaluate.ts';
import type { RecentEvents } from './recent-events.ts';
import type { RuleLeaf } from './rule.ts';

export type SeriesReader = Pick<Series, 'value' | 'rate' | 'quantile'>;

export interface ReadingSources {
  readonly events: RecentEvents;
  /** Undefined without `--metrics-url`. */
  readonly series: SeriesReader | undefined;
  /** Of the last five to ten minutes. */
  routes(): RouteList;
}

/** Of a page that is read once a minute, with one missing. */
export const seriesWindowMs = 180_000;
/** Routes are counted in steps of five minutes: of those that the last five minutes fall into. */
export const routesWindowMs = 300_000;

/** What the conditions of rules read of one target now. */
export function readingsOf(
  targetId: string,
  values: SeriesValues | undefined,
  { sources, nowMs }: { sources: ReadingSources; nowMs: number },
): RuleReadings {
  let routes: RouteList | undefined;
  return {
    metric: (name) => values?.[name] ?? null,
    series: (leaf) => readSeries(targetId, leaf, sources.series),
    route: (leaf) => readRoute(leaf, (routes ??= sources.routes())),
    event: (event) => sources.events.get(targetId, event, nowMs),
  };
}

export function readSeries(
  targetId: string,
  { series: name, labels, read, quantile: q }: Extract<RuleLeaf, { kind: 'series' }>,
  series: SeriesReader | undefined,
): number | null {
  if (series === undefined) return null;
  const selector = { targetId, name, labels };
  if (read === 'rate') return series.rate(selector, seriesWindowMs);
  return read === 'value' ? series.value(selector) : series.quantile({ ...selector, q }, seriesWindowMs);
}

/** By its whole name, `GET /users/:id`, or the path alone. */
export function isRoute(name: string, route: string): boolean {
  return name === route || name.endsWith(` ${route}`);
}

export function readRoute(
  { route, read, minRequests }: Extract<RuleLeaf, { kind: 'route' }>,
  { routes }: RouteList,
): number | null {
  const found = routes.find(({ name }) => name === route) ?? routes.find(({ name }) => isRoute(name, route));
  if (found === undefined || found.count < minRequests) return null;
  switch (read) {
    case 'p50':
      return found.p50Ms;
    case 'p95':
      return found.p95Ms;
    case 'p99':
      return found.p99Ms;
    case 'average':
      return found.averageMs;
    case 'errors':
      return found.errorShare;
    case 'requests':
      return found.ratePerSecond;
  }
}
