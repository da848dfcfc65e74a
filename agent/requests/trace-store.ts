import { EventEmitter } from 'node:events';
import type { Span } from '../../protocol/otlp/model.ts';
import type { WaterfallRequest } from '../../protocol/otlp/waterfall-span.ts';
import { isEntry } from '../../protocol/otlp/entry.ts';
import { OperationStatistics } from './operation-statistics.ts';
import type { Sampling } from './sampling.ts';
import { settleTrace } from './settle-trace.ts';
import type { SpanBatch, SpanSink } from './span-sink.ts';
import { cutSpan, sizeOfSpan } from './span-size.ts';
import { Tail } from './tail.ts';
import { Trace } from './trace.ts';

/** Traces with about 60,000 spans of a usual backend. */
export const defaultTraceBytes = 32 * 2 ** 20;
const maxSpansPerTrace = 2_000;
/** Above the bound of one trace: its entry ends, and so comes, last of all. */
const reservedEntries = 16;
const maxTraceShare = 1 / 8;
/** Of the budget: what the slow and the failed may take from the recent. */
const keptShare = 1 / 2;
/** A sender's batches come every 5 s, but a trace that is cut in two comes in batches that follow each other at once. */
const quietMs = 1_500;
/** The parent may be in a process that sends later than this one, or nothing. */
const lostEntryMs = 15_000;
const checkEveryMs = 500;
/** The agent's loop is nobody's for longer. */
const sliceMs = 15;

export interface TraceStoreCounts {
  spans: number;
  duplicates: number;
  /** Beyond the bounds of one trace. */
  droppedSpans: number;
  cutSpans: number;
  requests: number;
  failed: number;
  evictedTraces: number;
}

/**
 * The traces that came lately, in memory, bounded by bytes: recent ones, and longer the slow and the failed of each route. A trace is settled when its entry is
 * here and nothing more of it came for a second and a half; then its spans count in the statistics. What comes later is added, counted once, and settles it again.
 * Nothing runs while no trace waits.
 */
export class TraceStore
  extends EventEmitter<{ settled: [Trace]; request: [WaterfallRequest] }>
  implements SpanSink, Disposable
{
  readonly statistics: OperationStatistics;
  readonly counts: TraceStoreCounts = {
    spans: 0,
    duplicates: 0,
    droppedSpans: 0,
    cutSpans: 0,
    requests: 0,
    failed: 0,
    evictedTraces: 0,
  };
  readonly #budgetBytes: number;
  readonly #now: () => number;
  /** In the order in which they came. */
  readonly #recent = new Map<string, Trace>();
  readonly #kept = new Map<string, Trace>();
  readonly #open = new Set<Trace>();
  readonly #tail = new Tail();
  #recentBytes = 0;
  #keptBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor({
    budgetBytes = defaultTraceBytes,
    now = Date.now,
    sampling,
  }: { budgetBytes?: number; now?: () => number; sampling?: Sampling | undefined } = {}) {
    super();
    this.statistics = new OperationStatistics(sampling);
    this.#budgetBytes = budgetBytes;
    this.#now = now;
  }

  get bytes(): number {
    return this.#recentBytes + this.#keptBytes;
  }

  get size(): number {
    return this.#recent.size + this.#kept.size;
  }

  add(spans: readonly Span[], { receivedAtMs }: SpanBatch): void {
    for (const span of spans) this.#addSpan(span, receivedAtMs);
    this.#evict();
    if (this.#open.size > 0) this.#timer ??= setTimeout(() => this.#check(), checkEveryMs).unref();
  }

  get(traceId: string): Trace | undefined {
    return this.#recent.get(traceId) ?? this.#kept.get(traceId);
  }

  *traces(): Generator<Trace> {
    yield* this.#kept.values();
    yield* this.#recent.values();
  }

  /** Settles what waits, however short ago it came. For the end, and for tests. */
  settle(): void {
    for (const trace of this.#open) this.#settle(trace);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#open.clear();
  }

  #addSpan(received: Span, nowMs: number): void {
    this.counts.spans += 1;
    const trace = this.#traceOf(received.traceId, nowMs);
    if (trace.has(received.spanId)) {
      this.counts.duplicates += 1;
      return;
    }
    const sizeBytes = sizeOfSpan(received);
    const span = cutSpan(received, sizeBytes);
    if (span !== received) this.counts.cutSpans += 1;
    const bytes = span === received ? sizeBytes : sizeOfSpan(span);
    const entry = isEntry(span) === true;
    trace.lastAtMs = nowMs;
    trace.hasEntry ||= entry;
    this.#open.add(trace);
    const isFull =
      trace.spans.length >= maxSpansPerTrace + (entry ? reservedEntries : 0) ||
      trace.bytes + bytes > this.#budgetBytes * maxTraceShare;
    if (isFull) {
      trace.droppedSpans += 1;
      this.counts.droppedSpans += 1;
      return;
    }
    trace.push(span, bytes);
    this.#count(trace, bytes);
  }

  #traceOf(traceId: string, nowMs: number): Trace {
    const known = this.get(traceId);
    if (known !== undefined) return known;
    const trace = new Trace(traceId, nowMs);
    this.#recent.set(traceId, trace);
    this.#recentBytes += trace.bytes;
    return trace;
  }

  #count(trace: Trace, bytes: number): void {
    if (this.#kept.has(trace.traceId)) this.#keptBytes += bytes;
    else this.#recentBytes += bytes;
  }

  /** Oldest first; what the tail keeps moves to the kept ones, whose oldest then goes. */
  #evict(): void {
    for (const trace of this.#recent.values()) {
      if (this.bytes <= this.#budgetBytes) return;
      // An old one may be waited for still; its numbers are not to be lost.
      if (this.#open.has(trace)) this.#settle(trace);
      this.#recent.delete(trace.traceId);
      this.#recentBytes -= trace.bytes;
      if (this.#tail.keeps(trace.traceId)) {
        this.#kept.set(trace.traceId, trace);
        this.#keptBytes += trace.bytes;
        this.#evictKept(this.#budgetBytes * keptShare);
      } else this.#dropped(trace);
    }
    this.#evictKept(this.#budgetBytes);
  }

  #evictKept(limitBytes: number): void {
    for (const trace of this.#kept.values()) {
      if (this.#keptBytes <= limitBytes) return;
      this.#kept.delete(trace.traceId);
      this.#keptBytes -= trace.bytes;
      this.#dropped(trace);
    }
  }

  #dropped(trace: Trace): void {
    this.counts.evictedTraces += 1;
    this.#open.delete(trace);
    this.#tail.forget(trace.traceId);
  }

  #check(): void {
    this.#timer = undefined;
    const nowMs = this.#now();
    const endMs = performance.now() + sliceMs;
    let delayMs = checkEveryMs;
    for (const trace of this.#open) {
      if (nowMs - trace.lastAtMs < (trace.hasEntry ? quietMs : lostEntryMs)) continue;
      this.#settle(trace);
      if (performance.now() < endMs) continue;
      delayMs = 1;
      break;
    }
    if (this.#open.size > 0) this.#timer = setTimeout(() => this.#check(), delayMs).unref();
  }

  #settle(trace: Trace): void {
    this.#open.delete(trace);
    const { statistics, counts } = this;
    const onRequest = (request: WaterfallRequest): void => void this.emit('request', request);
    const summary = settleTrace(trace, { statistics, counts, nowMs: this.#now(), onRequest });
    if (summary === undefined) return;
    trace.summary = summary;
    const { name, durationMs, failed, isWhole } = summary;
    if (isWhole) this.#tail.offer({ name, traceId: trace.traceId, durationMs, failed }, this.#now());
    this.emit('settled', trace);
  }
}
