import type { Attributes, AttributeValue, Span } from '../../protocol/otlp/model.ts';
import { TraceRequest } from '../otlp/proto.ts';

interface Long {
  readonly low: number;
  readonly high: number;
  toNumber(): number;
}
interface Any {
  value?: string;
  [kind: string]: unknown;
}
interface KeyValue {
  readonly key: string;
  readonly value: Any | null;
}
interface WireSpan {
  readonly traceId: Buffer;
  readonly spanId: Buffer;
  readonly parentSpanId: Buffer;
  readonly traceState: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: Long;
  readonly endTimeUnixNano: Long;
  readonly attributes: readonly KeyValue[];
  readonly events: readonly { timeUnixNano: Long; name: string; attributes: readonly KeyValue[] }[];
  readonly links: readonly unknown[];
  readonly status: { readonly code: number; readonly message: string } | null;
  readonly flags: number;
}
interface Request {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] } | null;
    readonly scopeSpans: readonly {
      readonly scope: { readonly name: string; readonly version: string } | null;
      readonly spans: readonly WireSpan[];
    }[];
  }[];
}

/** The same spans by way of protobufjs, written to be quick: what we would run if we used it. */
export function decodeWithProtobufjs(body: Uint8Array): Span[] {
  const request = TraceRequest.decode(body) as unknown as Request;
  const spans: Span[] = [];
  for (const { resource: given, scopeSpans } of request.resourceSpans) {
    const resource = { attributes: attributesOf(given?.attributes ?? []) };
    for (const { scope, spans: some } of scopeSpans)
      for (const span of some) {
        const { startTimeUnixNano: start, endTimeUnixNano: end, status } = span;
        spans.push({
          traceId: span.traceId.toString('hex'),
          spanId: span.spanId.toString('hex'),
          parentSpanId: span.parentSpanId.toString('hex'),
          flags: span.flags,
          traceState: span.traceState,
          name: span.name,
          kind: span.kind,
          startMs: milliseconds(start.low, start.high),
          durationMs: Math.max(0, ((end.high - start.high) * 2 ** 32 + (end.low >>> 0) - (start.low >>> 0)) / 1e6),
          statusCode: status?.code ?? 0,
          statusMessage: status?.message ?? '',
          scopeName: scope?.name ?? '',
          scopeVersion: scope?.version ?? '',
          attributes: attributesOf(span.attributes),
          events: span.events.map(({ timeUnixNano: at, name, attributes }) => ({
            name,
            timeMs: milliseconds(at.low, at.high),
            attributes: attributesOf(attributes),
          })),
          linkCount: span.links.length,
          resource,
        });
      }
  }
  return spans;
}

function milliseconds(low: number, high: number): number {
  return ((high >>> 0) * 2 ** 32 + (low >>> 0)) / 1e6;
}

function attributesOf(pairs: readonly KeyValue[]): Attributes {
  const attributes: Record<string, AttributeValue> = {};
  for (const { key, value } of pairs) attributes[key] = valueOf(value);
  return attributes;
}

function valueOf(any: Any | null): AttributeValue {
  const kind = any?.value;
  if (any === null || kind === undefined) return null;
  if (kind === 'intValue') return (any[kind] as Long).toNumber();
  if (kind === 'arrayValue') return (any[kind] as { values: Any[] }).values.map(valueOf);
  if (kind === 'kvlistValue') return attributesOf((any[kind] as { values: KeyValue[] }).values);
  return any[kind] as AttributeValue;
}
