import type { HotOperation } from '../../protocol/rest/hot-functions.ts';
import type { RouteList, RouteStatistics } from '../../protocol/rest/timelines.ts';
import type { SpanKind } from '../../protocol/otlp/span-kind.ts';
import { Histogram, quantileErrorShare } from './histogram.ts';
import type { OperationRow, OperationStatistics, RouteRow } from './operation-statistics.ts';
import { isoTime, kindShares, shareText } from './timeline-view.ts';
import { slotMs } from './windowed-table.ts';

interface ListOptions {
  readonly sinceMs: number | undefined;
  readonly limit: number;
  readonly nowMs: number;
}

/** `GET /routes`. */
export function listRoutes(
  statistics: OperationStatistics,
  { sinceMs, limit, nowMs, untilMs }: ListOptions & { readonly untilMs?: number | undefined },
): RouteList {
  const { fromMs, rows } = statistics.routes.read(sinceMs, nowMs, untilMs);
  const toMs = Math.min(nowMs, untilMs === undefined ? nowMs : (Math.floor(untilMs / slotMs) + 1) * slotMs);
  const { note: sampling, weightOfOthers } = statistics.sampling.state();
  const merged = [...Map.groupBy(rows, ({ group, name }) => `${group}\n${name}`).values()];
  const routes = merged.map((parts): RouteStatistics => {
    const { name, group } = parts[0]!;
    return routeOf({
      name,
      kind: group as SpanKind,
      rows: parts.map(({ row }) => row),
      nowMs: toMs,
      weightOfOthers: sampling === null ? undefined : weightOfOthers,
    });
  });
  return {
    from: isoTime(Math.min(fromMs, toMs)),
    to: isoTime(toMs),
    quantileErrorShare,
    sampling,
    otherRoots: sum(statistics.otherRoots.read(sinceMs, nowMs, untilMs).rows, ({ row }) => row.count),
    routes: routes.toSorted((a, b) => b.totalMs - a.totalMs).slice(0, limit),
  };
}

/** By their total time in the last hour. */
export function busiestRoutes(statistics: OperationStatistics, nowMs: number): string[] {
  const totalsMs = new Map<string, number>();
  for (const { name, row } of statistics.routes.read(undefined, nowMs).rows)
    totalsMs.set(name, (totalsMs.get(name) ?? 0) + row.totalMs);
  return [...totalsMs].toSorted(([, a], [, b]) => b - a).map(([name]) => name);
}

/** The part of `GET /hot-functions` that spans tell, without servers: their time is that of what they call. */
export function listOperations(
  statistics: OperationStatistics,
  { sinceMs, limit, nowMs }: ListOptions,
): { from: string; to: string; spans: number; sampling: RouteList['sampling']; items: HotOperation[] } {
  const { fromMs, rows } = statistics.operations.read(sinceMs, nowMs);
  const { note: sampling, weightOfOthers } = statistics.sampling.state();
  const merged = [...Map.groupBy(rows, ({ group, name }) => `${group}\n${name}`).values()];
  const allSelfMs = rows.reduce((sum, { row }) => sum + row.selfMs, 0);
  const items = merged.map((parts): HotOperation => {
    const { name, group } = parts[0]!;
    const sums = mergeOperations(parts.map(({ row }) => row));
    const { count, totalMs, selfMs, errors, place, durations, lastSeenMs } = sums;
    return {
      kind: group as SpanKind,
      name,
      where: place,
      count,
      estimatedCount: sampling === null ? null : estimateOf([sums], weightOfOthers),
      averageMs: totalMs / count,
      totalMs,
      selfMs,
      share: allSelfMs > 0 ? selfMs / allSelfMs : 0,
      p95Ms: durations.quantile(0.95) ?? 0,
      errors,
      lastSeenAt: isoTime(lastSeenMs),
    };
  });
  return {
    from: isoTime(Math.min(fromMs, nowMs)),
    to: isoTime(nowMs),
    spans: rows.reduce((sum, { row }) => sum + row.count, 0),
    sampling,
    items: items.toSorted((a, b) => b.selfMs - a.selfMs).slice(0, limit),
  };
}

/** Null where some of them stand for nobody knows how many. */
function estimateOf(rows: readonly Weighed[], weightOfOthers: number | null): number | null {
  const others = sum(rows, (row) => row.unweightedCount);
  if (others > 0 && weightOfOthers === null) return null;
  return Math.round(sum(rows, (row) => row.weightedCount) + others * (weightOfOthers ?? 0));
}

type Weighed = Pick<OperationRow, 'weightedCount' | 'unweightedCount'>;

function routeOf(options: {
  name: string;
  kind: SpanKind;
  rows: readonly RouteRow[];
  nowMs: number;
  /** Undefined: nothing is sampled away. */
  weightOfOthers: number | null | undefined;
}): RouteStatistics {
  const { name, kind, rows, nowMs, weightOfOthers } = options;
  const durations = new Histogram();
  const sharesMs = new Map<SpanKind, number>();
  for (const row of rows) {
    durations.merge(row.durations);
    for (const [shareKind, ms] of row.sharesMs) sharesMs.set(shareKind, (sharesMs.get(shareKind) ?? 0) + ms);
  }
  const count = sum(rows, (row) => row.count);
  const errors = sum(rows, (row) => row.errors);
  const totalMs = sum(rows, (row) => row.totalMs);
  const totals = kindShares([...sharesMs].map(([shareKind, durationMs]) => ({ kind: shareKind, durationMs })));
  // A route that came up a second ago has not been silent for five minutes.
  const seenForMs = Math.max(1_000, nowMs - Math.min(...rows.map(({ firstSeenMs }) => firstSeenMs)));
  const slowest = rows.flatMap((row) => row.slowest ?? []).toSorted((a, b) => b.durationMs - a.durationMs)[0];
  return {
    name,
    kind,
    count,
    estimatedCount: weightOfOthers === undefined ? null : estimateOf(rows, weightOfOthers),
    ratePerSecond: count / (seenForMs / 1000),
    errors,
    errorShare: errors / count,
    averageMs: totalMs / count,
    p50Ms: durations.quantile(0.5) ?? 0,
    p95Ms: durations.quantile(0.95) ?? 0,
    p99Ms: durations.quantile(0.99) ?? 0,
    totalMs,
    databaseShare: totals.find((total) => total.kind === 'database')?.share ?? 0,
    totals,
    summary: shareText(totals),
    lastSeenAt: isoTime(Math.max(...rows.map(({ lastSeenMs }) => lastSeenMs))),
    slowestTraceId: slowest?.traceId ?? null,
  };
}

function mergeOperations(rows: readonly OperationRow[]): OperationRow {
  const durations = new Histogram();
  for (const row of rows) durations.merge(row.durations);
  return {
    count: sum(rows, (row) => row.count),
    weightedCount: sum(rows, (row) => row.weightedCount),
    unweightedCount: sum(rows, (row) => row.unweightedCount),
    errors: sum(rows, (row) => row.errors),
    totalMs: sum(rows, (row) => row.totalMs),
    selfMs: sum(rows, (row) => row.selfMs),
    lastSeenMs: Math.max(...rows.map(({ lastSeenMs }) => lastSeenMs)),
    place: rows.find(({ place }) => place !== null)?.place ?? null,
    durations,
  };
}

function sum<Row>(rows: readonly Row[], value: (row: Row) => number): number {
  return rows.reduce((total, row) => total + value(row), 0);
}
