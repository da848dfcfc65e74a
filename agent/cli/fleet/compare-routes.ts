import type { RouteList } from '../../../protocol/rest/timelines.ts';
import type { PodSample } from './sample-pod.ts';

export interface RouteSide {
  readonly count: number;
  readonly errors: number;
  /** Means of the pods', weighted by their requests: quantiles cannot be added up. */
  readonly p50Ms: number;
  readonly p95Ms: number;
}

/** Null: no request of that route there. */
export interface RouteChange {
  readonly name: string;
  readonly before: RouteSide | null;
  readonly after: RouteSide | null;
}

/** The routes with the most requests first. */
export function compareRoutes(before: readonly PodSample[], after: readonly PodSample[]): RouteChange[] {
  const [old, now] = [routesOf(before), routesOf(after)];
  const countOf = (name: string): number => (old.get(name)?.count ?? 0) + (now.get(name)?.count ?? 0);
  return [...new Set([...old.keys(), ...now.keys()])]
    .toSorted((a, b) => countOf(b) - countOf(a))
    .map((name) => ({ name, before: old.get(name) ?? null, after: now.get(name) ?? null }));
}

function routesOf(side: readonly PodSample[]): Map<string, RouteSide> {
  const grouped = Map.groupBy(
    side.flatMap(({ routes }) => routes?.routes ?? []),
    ({ name }) => name,
  );
  return new Map([...grouped].map(([name, rows]) => [name, sumOf(rows)]));
}

function sumOf(rows: RouteList['routes']): RouteSide {
  const count = rows.reduce((sum, row) => sum + row.count, 0);
  const weighted = (value: (row: RouteList['routes'][number]) => number): number =>
    rows.reduce((sum, row) => sum + value(row) * row.count, 0) / Math.max(1, count);
  return {
    count,
    errors: rows.reduce((sum, row) => sum + row.errors, 0),
    p50Ms: weighted(({ p50Ms }) => p50Ms),
    p95Ms: weighted(({ p95Ms }) => p95Ms),
  };
}

/** From there on two versions are not under the same traffic. */
const rateRatioMax = 1.5;
const mixDistanceMax = 0.25;

/** What makes latency and functions of the two sides no fair comparison. */
export function trafficWarnings(before: readonly PodSample[], after: readonly PodSample[]): string[] {
  const [old, now] = [routesOf(before), routesOf(after)];
  if (old.size === 0 && now.size === 0)
    return ['no agent has received spans (--otlp-address): traffic and latency of the versions are not known'];
  const [oldRate, nowRate] = [rateOf(before), rateOf(after)];
  const warnings: string[] = [];
  if (Math.max(oldRate, nowRate) > rateRatioMax * Math.min(oldRate, nowRate)) {
    warnings.push(
      `the traffic differs: ${oldRate.toFixed(1)} requests/s in each old pod, ${nowRate.toFixed(1)} in each new one; shares of functions can differ by that alone`,
    );
  }
  const distance = mixDistance(old, now);
  if (oldRate > 0 && nowRate > 0 && distance > mixDistanceMax)
    warnings.push(
      `the mix of routes differs: ${Math.round(distance * 100)} % of the requests go elsewhere; compare by route`,
    );
  return warnings;
}

/** Requests per second of one pod. */
function rateOf(side: readonly PodSample[]): number {
  const rates = side.flatMap(({ routes }) =>
    routes === null ? [] : [routes.routes.reduce((sum, row) => sum + row.ratePerSecond, 0)],
  );
  return rates.length === 0 ? 0 : rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
}

/** Total variation distance: the share of requests that would have to go to another route. */
function mixDistance(old: ReadonlyMap<string, RouteSide>, now: ReadonlyMap<string, RouteSide>): number {
  const total = (side: ReadonlyMap<string, RouteSide>): number =>
    [...side.values()].reduce((sum, { count }) => sum + count, 0);
  const [oldTotal, nowTotal] = [Math.max(1, total(old)), Math.max(1, total(now))];
  return (
    [...new Set([...old.keys(), ...now.keys()])].reduce(
      (sum, name) => sum + Math.abs((old.get(name)?.count ?? 0) / oldTotal - (now.get(name)?.count ?? 0) / nowTotal),
      0,
    ) / 2
  );
}
