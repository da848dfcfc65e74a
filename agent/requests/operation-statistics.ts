import { textOf, integerOf } from '../../protocol/otlp/attributes.ts';
import { sampledShare } from '../../protocol/otlp/sampling.ts';
import type { SpanKind } from '../../protocol/otlp/span-kind.ts';
import { spanKinds } from '../../protocol/otlp/span-kind.ts';
import type { WaterfallRequest, WaterfallSpan } from '../../protocol/otlp/waterfall-span.ts';
import { Histogram } from './histogram.ts';
import { WindowedTable } from './windowed-table.ts';

const maxOperations = 500;
const maxRoutes = 200;

export interface Place {
  readonly file: string;
  readonly line: number | null;
  readonly column: number | null;
}

export interface OperationRow {
  count: number;
  /** What the count stands for where the sender keeps only a share of its traces. */
  estimatedCount: number;
  errors: number;
  totalMs: number;
  selfMs: number;
  lastSeenMs: number;
  place: Place | null;
  readonly durations: Histogram;
}

export interface RouteRow {
  count: number;
  estimatedCount: number;
  errors: number;
  totalMs: number;
  firstSeenMs: number;
  lastSeenMs: number;
  kind: SpanKind;
  readonly sharesMs: Map<SpanKind, number>;
  readonly durations: Histogram;
  slowest: { readonly traceId: string; readonly durationMs: number } | null;
}

/**
 * Counts of what the received spans say, by operation and by route, for the last hour. Every span counts once, also when it comes late; what was sampled away by its
 * sender is in `estimatedCount` alone.
 */
export class OperationStatistics {
  readonly operations = new WindowedTable<OperationRow>({ maxRows: maxOperations, create: newOperation });
  readonly routes = new WindowedTable<RouteRow>({ maxRows: maxRoutes, create: newRoute });
  /** The smallest share of its traces that a sender said it keeps. */
  #keptShare = 1;

  get keptShare(): number {
    return this.#keptShare;
  }

  addSpan(one: WaterfallSpan, nowMs: number): void {
    const { span, kind, operation, selfMs, failed } = one;
    const row = this.operations.row(kind, operation, nowMs);
    row.count += 1;
    row.estimatedCount += this.#weightOf(one);
    row.totalMs += span.durationMs;
    row.selfMs += selfMs;
    row.durations.add(span.durationMs);
    if (failed) row.errors += 1;
    row.lastSeenMs = Math.max(row.lastSeenMs, span.startMs + span.durationMs);
    row.place ??= placeOf(one);
  }

  /** A request without its entry is not one: it is not counted here. */
  addRequest({ entry, name, spans }: WaterfallRequest, nowMs: number): void {
    const { span, kind, failed } = entry;
    const row = this.routes.row(kind, name, nowMs);
    row.kind = kind;
    row.count += 1;
    row.estimatedCount += this.#weightOf(entry);
    if (failed) row.errors += 1;
    row.totalMs += span.durationMs;
    row.durations.add(span.durationMs);
    row.firstSeenMs = Math.min(row.firstSeenMs, nowMs);
    row.lastSeenMs = Math.max(row.lastSeenMs, span.startMs + span.durationMs);
    if (span.durationMs > (row.slowest?.durationMs ?? -1))
      row.slowest = { traceId: span.traceId, durationMs: span.durationMs };
    for (const { kind: shareKind, durationMs } of sharesOf(spans))
      row.sharesMs.set(shareKind, (row.sharesMs.get(shareKind) ?? 0) + durationMs);
  }

  #weightOf({ span }: WaterfallSpan): number {
    const share = sampledShare(span);
    if (share === undefined || share <= 0 || share >= 1) return 1;
    this.#keptShare = Math.min(this.#keptShare, share);
    return 1 / share;
  }
}

/** Milliseconds by kind, only those that have some, in the order of `spanKinds`. */
export function sharesOf(spans: readonly WaterfallSpan[]): { kind: SpanKind; durationMs: number }[] {
  const sums = new Float64Array(spanKinds.length);
  for (const { kind, shareMs } of spans) sums[kindIndexes[kind]]! += shareMs;
  const shares: { kind: SpanKind; durationMs: number }[] = [];
  for (const kind of spanKinds) {
    const durationMs = sums[kindIndexes[kind]]!;
    if (durationMs > 0) shares.push({ kind, durationMs });
  }
  return shares;
}

const kindIndexes = Object.fromEntries(spanKinds.map((kind, index) => [kind, index])) as Record<SpanKind, number>;

function placeOf({ span: { attributes } }: WaterfallSpan): Place | null {
  const file = textOf(attributes, 'code.file.path', 'code.filepath');
  if (file === undefined) return null;
  return {
    file,
    line: integerOf(attributes, 'code.line.number', 'code.lineno') ?? null,
    column: integerOf(attributes, 'code.column.number', 'code.column') ?? null,
  };
}

function newOperation(): OperationRow {
  return {
    count: 0,
    estimatedCount: 0,
    errors: 0,
    totalMs: 0,
    selfMs: 0,
    lastSeenMs: 0,
    place: null,
    durations: new Histogram(),
  };
}

function newRoute(): RouteRow {
  return {
    count: 0,
    estimatedCount: 0,
    errors: 0,
    totalMs: 0,
    firstSeenMs: Infinity,
    lastSeenMs: 0,
    kind: 'server',
    sharesMs: new Map(),
    durations: new Histogram(),
    slowest: null,
  };
}
