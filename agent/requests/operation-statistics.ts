import { textOf, integerOf } from '../../protocol/otlp/attributes.ts';
import { isServed } from '../../protocol/otlp/entry.ts';
import type { SpanKind } from '../../protocol/otlp/span-kind.ts';
import { spanKinds } from '../../protocol/otlp/span-kind.ts';
import type { WaterfallRequest, WaterfallSpan } from '../../protocol/otlp/waterfall-span.ts';
import { Histogram } from './histogram.ts';
import { Sampling } from './sampling.ts';
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
  /** What those stand for of which it is known which share of its traces the sender keeps. */
  weightedCount: number;
  /** The others. */
  unweightedCount: number;
  errors: number;
  totalMs: number;
  selfMs: number;
  lastSeenMs: number;
  place: Place | null;
  readonly durations: Histogram;
}

export interface RouteRow {
  count: number;
  weightedCount: number;
  unweightedCount: number;
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
 * sender is in `weightedCount` alone.
 */
export class OperationStatistics {
  readonly operations = new WindowedTable<OperationRow>({ maxRows: maxOperations, create: newOperation });
  readonly routes = new WindowedTable<RouteRow>({ maxRows: maxRoutes, create: newRoute });
  /** What is the root of a trace and serves no request: a job, a call at the start. */
  readonly otherRoots = new WindowedTable<{ count: number }>({ maxRows: 1, create: () => ({ count: 0 }) });
  readonly sampling: Sampling;

  constructor(sampling: Sampling = new Sampling()) {
    this.sampling = sampling;
  }

  /** `entry`: of the request that it belongs to. */
  addSpan(one: WaterfallSpan, entry: WaterfallSpan, nowMs: number): void {
    const { span, kind, operation, selfMs, failed } = one;
    const row = this.operations.row(kind, operation, nowMs);
    row.count += 1;
    this.#weigh(row, one, entry);
    row.totalMs += span.durationMs;
    row.selfMs += selfMs;
    row.durations.add(span.durationMs);
    if (failed) row.errors += 1;
    row.lastSeenMs = Math.max(row.lastSeenMs, span.startMs + span.durationMs);
    row.place ??= placeOf(one);
  }

  /** For whole ones: a request without its entry is not one. */
  addRequest({ entry, name, spans }: WaterfallRequest, nowMs: number): void {
    const { span, kind, failed } = entry;
    if (!isServed(span)) {
      this.otherRoots.row('', '', nowMs).count += 1;
      return;
    }
    const row = this.routes.row(kind, name, nowMs);
    row.kind = kind;
    row.count += 1;
    this.#weigh(row, entry, entry);
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

  #weigh(row: { weightedCount: number; unweightedCount: number }, one: WaterfallSpan, entry: WaterfallSpan): void {
    const weight = this.sampling.weightOf(one.span, entry.span);
    if (weight === undefined) row.unweightedCount += 1;
    else row.weightedCount += weight;
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
    weightedCount: 0,
    unweightedCount: 0,
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
    weightedCount: 0,
    unweightedCount: 0,
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
