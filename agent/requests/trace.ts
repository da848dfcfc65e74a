import type { Span } from '../../protocol/otlp/model.ts';
import type { SpanKind } from '../../protocol/otlp/span-kind.ts';

/** What lists show of a trace, made when it is settled. */
export interface TraceSummary {
  /** Of its first request. */
  readonly name: string;
  readonly route: string | null;
  readonly kind: SpanKind;
  readonly method: string | null;
  readonly statusCode: number | null;
  readonly failed: boolean;
  readonly startMs: number;
  readonly durationMs: number;
  readonly requests: number;
  /** False when its first span never came. */
  readonly isWhole: boolean;
  readonly shares: readonly { readonly kind: SpanKind; readonly durationMs: number }[];
  readonly serviceName: string | null;
  /** `process.pid` of the sender, where it tells. */
  readonly pid: number | null;
}

/** The spans of one trace as far as they came. */
export class Trace {
  readonly traceId: string;
  readonly spans: Span[] = [];
  readonly firstAtMs: number;
  lastAtMs: number;
  bytes = traceBytes;
  /** Beyond the bounds of one trace: counted, not kept. */
  droppedSpans = 0;
  /** How many of `spans` the statistics have. */
  countedSpans = 0;
  hasEntry = false;
  summary: TraceSummary | undefined;
  #ids: Set<string> | undefined;

  constructor(traceId: string, nowMs: number) {
    this.traceId = traceId;
    this.firstAtMs = nowMs;
    this.lastAtMs = nowMs;
  }

  /** The same batch may come twice, and one may be sent by two exporters. */
  has(spanId: string): boolean {
    if (this.#ids !== undefined) return this.#ids.has(spanId);
    if (this.spans.length < 32) return this.spans.some((span) => span.spanId === spanId);
    this.#ids = new Set(this.spans.map((span) => span.spanId));
    return this.#ids.has(spanId);
  }

  push(span: Span, bytes: number): void {
    this.spans.push(span);
    this.#ids?.add(span.spanId);
    this.bytes += bytes;
  }
}

/** The object, its place in the table and its summary. */
const traceBytes = 500;
