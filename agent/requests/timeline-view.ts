import { textOf } from '../../protocol/otlp/attributes.ts';
import { httpStatus, statementOf } from '../../protocol/otlp/classify.ts';
import type { AttributeValue, Span } from '../../protocol/otlp/model.ts';
import type { SpanKind } from '../../protocol/otlp/span-kind.ts';
import type { WaterfallRequest, WaterfallSpan } from '../../protocol/otlp/waterfall-span.ts';
import type { KindShare, Timeline, TimelineSpan } from '../../protocol/rest/timelines.ts';
import type { Trace, TraceSummary } from './trace.ts';

const maxAttributes = 64;
const maxTextChars = 2_000;
const maxErrors = 8;

export function timelineOf(trace: Trace, summary: TraceSummary, targetId: string | null): Timeline {
  const { shares, startMs, pid: _, ...rest } = summary;
  const totals = kindShares(shares);
  return {
    traceId: trace.traceId,
    ...rest,
    startedAt: isoTime(startMs),
    spans: trace.spans.length + trace.droppedSpans,
    totals,
    summary: shareText(totals),
    targetId,
  };
}

/** Largest first. */
export function kindShares(shares: readonly { kind: SpanKind; durationMs: number }[]): KindShare[] {
  const sumMs = shares.reduce((sum, { durationMs }) => sum + durationMs, 0);
  return shares
    .map(({ kind, durationMs }) => ({ kind, durationMs, share: sumMs > 0 ? durationMs / sumMs : 0 }))
    .toSorted((a, b) => b.durationMs - a.durationMs);
}

/** `database 61 %, middleware 4 %`: what has at least one percent, or the largest. */
export function shareText(totals: readonly KindShare[]): string {
  const told = totals.filter(({ share }, index) => index === 0 || share >= 0.01);
  return told.map(({ kind, share }) => `${kind.replace('-', ' ')} ${Math.round(share * 100)} %`).join(', ');
}

/** The rows of a waterfall; `offsetMs` from `startMs`, which counts from the first span of the trace as the spans do. */
export function timelineRows(requests: readonly WaterfallRequest[], startOffsetMs: number): TimelineSpan[] {
  return requests.flatMap(({ spans }) => spans.map((one) => timelineSpan(one, startOffsetMs)));
}

export function isoTime(atMs: number): string {
  // What a sender calls a time may be outside of what a Date can hold.
  return new Date(Math.min(Math.max(Math.floor(atMs), 0), 8.64e15)).toISOString();
}

function timelineSpan(one: WaterfallSpan, startOffsetMs: number): TimelineSpan {
  const { span, parent, kind, operation } = one;
  return {
    spanId: span.spanId,
    parentSpanId: parent?.span.spanId ?? null,
    depth: one.depth,
    kind,
    name: span.name,
    operation,
    offsetMs: one.offsetMs - startOffsetMs,
    durationMs: span.durationMs,
    selfMs: one.selfMs,
    failed: one.failed,
    status: statusOf(span),
    statement: statementOf(span) === undefined ? null : operation,
    errors: errorsOf(span),
    scope: span.scopeName,
    attributes: plainAttributes(span.attributes),
  };
}

function statusOf(span: Span): string | null {
  if (span.statusMessage !== '') return span.statusMessage.slice(0, maxTextChars);
  return httpStatus(span)?.toString() ?? textOf(span.attributes, 'error.type', 'rpc.grpc.status_code') ?? null;
}

function errorsOf({ events }: Span): TimelineSpan['errors'] {
  return events
    .filter(({ name }) => name === 'exception')
    .slice(0, maxErrors)
    .map(({ attributes }) => ({
      type: textOf(attributes, 'exception.type') ?? null,
      message: textOf(attributes, 'exception.message')?.slice(0, maxTextChars) ?? '',
      stack: textOf(attributes, 'exception.stacktrace')?.slice(0, maxTextChars) ?? null,
    }));
}

/** Statements are shown without their literals only: a person's data is not for everybody who may look. */
const hidden = new Set(['db.statement', 'db.query.text']);

function plainAttributes(attributes: Span['attributes']): TimelineSpan['attributes'] {
  const entries = Object.entries(attributes).filter(([name]) => !hidden.has(name));
  return Object.fromEntries(entries.slice(0, maxAttributes).map(([name, value]) => [name, plainValue(value)]));
}

function plainValue(value: AttributeValue): string | number | boolean | null {
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value === 'boolean' || value === null) return value;
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  const text =
    typeof value === 'string'
      ? value
      : JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? inner.toString() : inner));
  return text.slice(0, maxTextChars);
}
