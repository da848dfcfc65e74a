import type { Feature } from '../../protocol/rest/info.ts';
import type { RequestCounts, RouteStatistics } from '../../protocol/rest/timelines.ts';
import { formatDuration, formatShare } from '../format.ts';
import type { ChartPlan } from './charts.ts';
import type { History } from './history.ts';
import { maxPoints } from './history.ts';
import type { TimeRange } from './time-range.ts';

export interface RequestValues {
  readonly ratePerSecond: number | null;
  readonly failedShare: number | null;
  /** By route, of the agent's last five to ten minutes. */
  readonly p95Ms: Readonly<Record<string, number>>;
}

/** What the page saw of the requests since it was opened: the agent keeps sums of them, no rates over time. */
export interface RequestHistory extends History<RequestValues> {
  readonly last: { readonly atMs: number; readonly counts: RequestCounts } | null;
}

export const requestStepMs = 5_000;
/** A page in the background is let run once a minute at most; a rate over longer says nothing of a moment. */
const longestStepMs = 70_000;
const drawnRoutes = 3;

export const noRequestHistory: RequestHistory = { targetId: '', stepMs: requestStepMs, points: [], last: null };

/** With what is known now. Counts that went down are of an agent that started again: from there a new rate begins. */
export function appendRequests(
  history: RequestHistory,
  now: { atMs: number; counts: RequestCounts; routes: readonly RouteStatistics[] },
): RequestHistory {
  const { atMs, counts, routes } = now;
  const { last } = history;
  if (last !== null && atMs - last.atMs < requestStepMs / 2) return history;
  const seconds = last === null ? 0 : (atMs - last.atMs) / 1000;
  const came = last === null ? -1 : counts.requests - last.counts.requests;
  const isKnown = came >= 0 && seconds * 1000 <= longestStepMs;
  const failed = counts.failed - (last?.counts.failed ?? 0);
  const values: RequestValues = {
    ratePerSecond: isKnown ? came / seconds : null,
    failedShare: isKnown && came > 0 ? Math.min(1, Math.max(0, failed / came)) : null,
    p95Ms: Object.fromEntries(routes.slice(0, drawnRoutes).map(({ name, p95Ms }) => [name, p95Ms])),
  };
  return { ...history, last: { atMs, counts }, points: [...history.points, { atMs, values }].slice(-maxPoints) };
}

/** Routes in the order of their total time, as the agent gives them. */
export function requestPlans(routeNames: readonly string[]): ChartPlan<RequestValues>[] {
  const names = routeNames.slice(0, drawnRoutes);
  const latency: ChartPlan<RequestValues> = {
    id: 'latency',
    title: 'p95 of the busiest routes',
    format: formatDuration,
    leastTop: 10,
    series: names.map((name) => ({ label: cut(name), read: ({ p95Ms }) => p95Ms[name] ?? null })),
  };
  return names.length === 0 ? steadyPlans : [...steadyPlans, latency];
}

const steadyPlans: ChartPlan<RequestValues>[] = [
  {
    id: 'requests',
    title: 'Requests',
    format: formatPerSecond,
    leastTop: 1,
    series: [{ label: 'received', read: ({ ratePerSecond }) => ratePerSecond }],
  },
  {
    id: 'failures',
    title: 'Failed requests',
    format: formatShare,
    leastTop: 0.01,
    series: [{ label: 'of those received', read: ({ failedShare }) => failedShare }],
  },
];

export function formatPerSecond(value: number): string {
  return `${Number(value.toPrecision(3))}/s`;
}

/** Why there is nothing to draw in this time, or null. */
export function requestsObstacle(
  history: RequestHistory,
  about: { otlp: Feature | undefined; counts: RequestCounts | null; range: TimeRange },
): string | null {
  const { otlp, counts, range } = about;
  if (otlp !== undefined && otlp.state !== 'on') return `Spans are not received: ${otlp.reason ?? 'they are off'}.`;
  if (counts === null) return 'No span came since this page was opened; the rate is drawn from the first one on.';
  if (history.points.length < 2) return 'A rate needs two looks, five seconds apart.';
  const isShown = history.points.some(({ atMs }) => atMs >= range.fromMs && atMs <= range.toMs);
  return isShown ? null : 'Requests are counted by this page since it was opened, and not in this time.';
}

/** A name comes from the target; a legend is no place for more. */
function cut(name: string): string {
  return name.length > 40 ? `${name.slice(0, 39)}…` : name;
}
