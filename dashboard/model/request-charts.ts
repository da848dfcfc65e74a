import type { Feature } from '../../protocol/rest/info.ts';
import type { RequestHistoryList } from '../../protocol/rest/request-history.ts';
import { formatDuration, formatShare } from '../format.ts';
import type { ChartPlan } from './charts.ts';
import type { History, HistoryPoint } from './history.ts';
import { maxPoints } from './history.ts';
import { spanLine } from './request-words.ts';
import type { TimeRange } from './time-range.ts';

export interface RequestValues {
  readonly ratePerSecond: number;
  readonly failedShare: number | null;
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
  readonly routeP95Ms: Readonly<Record<string, number | null>>;
}

/** As the agent tells it; `routes` are those of the first answer, so that a line does not change its meaning. */
export interface RequestHistory extends History<RequestValues> {
  readonly routes: readonly string[];
  readonly sinceMs: number | null;
}

/** Spans of a step may come after it was told: as many of the last steps are asked for again. */
const askedAgain = 4;

export function readRequests(list: RequestHistoryList, targetId: string): RequestHistory {
  const { stepMs, routes, since, points } = list;
  return {
    targetId,
    stepMs,
    routes,
    sinceMs: since === null ? null : Date.parse(since),
    points: points.map((point) => readPoint(point, routes)),
  };
}

/** With the newer part in place of what was told of its time. */
export function withNewer(history: RequestHistory, newer: RequestHistory): RequestHistory {
  const fromMs = newer.points[0]?.atMs ?? Infinity;
  const points = [...history.points.filter(({ atMs }) => atMs < fromMs), ...newer.points].slice(-maxPoints);
  return { ...newer, routes: history.routes.length > 0 ? history.routes : newer.routes, points };
}

/** From where on to ask again; null while there is nothing to go on with. */
export function continuesAtMs({ points }: RequestHistory): number | null {
  return points.at(-askedAgain)?.atMs ?? null;
}

function readPoint(
  point: RequestHistoryList['points'][number],
  routes: readonly string[],
): HistoryPoint<RequestValues> {
  const { at, durationMs, requests, failed, p50Ms, p95Ms, p99Ms, routeP95Ms } = point;
  const values: RequestValues = {
    ratePerSecond: requests / (durationMs / 1000),
    failedShare: requests === 0 ? null : failed / requests,
    p50Ms,
    p95Ms,
    p99Ms,
    routeP95Ms: Object.fromEntries(routes.map((name, index) => [name, routeP95Ms[index] ?? null])),
  };
  return { atMs: Date.parse(at), values };
}

export function requestPlans(routes: readonly string[]): ChartPlan<RequestValues>[] {
  const byRoute: ChartPlan<RequestValues> = {
    id: 'route-latency',
    title: 'p95 of the busiest routes',
    format: formatDuration,
    leastTop: 10,
    series: routes.map((name) => ({ label: cut(name), read: ({ routeP95Ms }) => routeP95Ms[name] ?? null })),
  };
  return routes.length === 0 ? steadyPlans : [...steadyPlans, byRoute];
}

const steadyPlans: ChartPlan<RequestValues>[] = [
  {
    id: 'requests',
    title: 'Requests',
    format: formatPerSecond,
    leastTop: 1,
    series: [{ label: 'ended', read: ({ ratePerSecond }) => ratePerSecond }],
  },
  {
    id: 'failures',
    title: 'Failed requests',
    format: formatShare,
    leastTop: 0.01,
    series: [{ label: 'of all', read: ({ failedShare }) => failedShare }],
  },
  {
    id: 'latency',
    title: 'Latency of requests',
    format: formatDuration,
    leastTop: 10,
    series: [
      { label: 'p95', read: ({ p95Ms }) => p95Ms },
      { label: 'p50', read: ({ p50Ms }) => p50Ms },
      { label: 'p99', read: ({ p99Ms }) => p99Ms },
    ],
  },
];

export function formatPerSecond(value: number): string {
  return `${Number(value.toPrecision(3))}/s`;
}

/** Why there is nothing to draw in this time, or null; with `code` in it. */
export function requestsObstacle(
  history: RequestHistory,
  about: { otlp: Feature | undefined; range: TimeRange; isOneOfSeveral: boolean },
): string | null {
  const { otlp, range, isOneOfSeveral } = about;
  if (history.points.some(({ atMs }) => atMs >= range.fromMs && atMs <= range.toMs)) return null;
  if (otlp !== undefined && otlp.state !== 'on') {
    return `Spans are not received: ${otlp.reason ?? 'they are off'}. ${otlp.remedy ?? ''}`.trimEnd();
  }
  if (history.sinceMs === null) return `No spans yet: start the application with \`${spanLine}\`.`;
  if (range.toMs < history.sinceMs) return 'The agent knows of no request before that; its history begins later.';
  if (range.toMs - history.sinceMs < 2 * history.stepMs + settleMs) return 'The first requests are being counted.';
  return isOneOfSeveral
    ? 'No request of this target: spans say by their `process.pid` whose they are.'
    : 'No request is known of this time.';
}

/** Spans come by then. */
const settleMs = 10_000;

/** A name comes from the target; a legend is no place for more. */
function cut(name: string): string {
  return name.length > 40 ? `${name.slice(0, 39)}…` : name;
}
