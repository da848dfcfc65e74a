import type { AttributeValue, Attributes, Span } from '../../protocol/otlp/model.ts';

interface Any {
  stringValue?: string;
  boolValue?: boolean;
  intValue?: bigint | { toString(): string };
  doubleValue?: number;
  arrayValue?: { values: Any[] };
  kvlistValue?: { values: KeyValue[] };
  bytesValue?: Uint8Array;
}
interface KeyValue {
  key: string;
  value?: Any | null;
}
type Time = bigint | { toString(): string };
interface WireSpan {
  traceId: Uint8Array;
  spanId: Uint8Array;
  parentSpanId: Uint8Array;
  traceState: string;
  name: string;
  kind: number;
  startTimeUnixNano: Time;
  endTimeUnixNano: Time;
  attributes: KeyValue[];
  events: { timeUnixNano: Time; name: string; attributes: KeyValue[] }[];
  links: unknown[];
  status?: { message: string; code: number } | null;
  flags: number;
}
export interface WireRequest {
  resourceSpans: {
    resource?: { attributes: KeyValue[] } | null;
    scopeSpans: { scope?: { name: string; version: string } | null; spans: WireSpan[] }[];
  }[];
}

/** What a library decoded, as our spans, slowly and obviously; spans without valid ids are left out. */
export function referenceSpans(request: WireRequest): Span[] {
  return request.resourceSpans.flatMap((resourceSpans) => {
    const resource = { attributes: attributesOf(resourceSpans.resource?.attributes ?? []) };
    return resourceSpans.scopeSpans.flatMap(({ scope, spans }) =>
      spans.filter(isValid).map((span) => {
        const start = BigInt(span.startTimeUnixNano.toString());
        const end = BigInt(span.endTimeUnixNano.toString());
        return {
          traceId: hex(span.traceId),
          spanId: hex(span.spanId),
          parentSpanId: isZero(span.parentSpanId) ? '' : hex(span.parentSpanId),
          flags: span.flags,
          traceState: span.traceState,
          name: span.name,
          kind: span.kind >>> 0,
          startMs: Number(start) / 1e6,
          durationMs: end < start ? 0 : Number(end - start) / 1e6,
          statusCode: (span.status?.code ?? 0) >>> 0,
          statusMessage: span.status?.message ?? '',
          scopeName: scope?.name ?? '',
          scopeVersion: scope?.version ?? '',
          attributes: attributesOf(span.attributes),
          events: span.events.map(({ name, timeUnixNano, attributes }) => ({
            name,
            timeMs: Number(BigInt(timeUnixNano.toString())) / 1e6,
            attributes: attributesOf(attributes),
          })),
          linkCount: span.links.length,
          resource,
        };
      }),
    );
  });
}

/** The field of a oneof that is set: protobufjs and bufbuild tell it in different ways. */
function valueOf(any: Any | null | undefined): AttributeValue {
  if (any === null || any === undefined) return null;
  const oneof = any as { value?: { case?: string; value: never } };
  const [kind, value] =
    oneof.value !== undefined && typeof oneof.value === 'object' && 'case' in oneof.value
      ? [oneof.value.case, oneof.value.value as unknown]
      : (Object.entries(any).at(-1) ?? [undefined, undefined]);
  switch (kind) {
    case 'intValue': {
      const exact = BigInt((value as bigint).toString());
      return Number.isSafeInteger(Number(exact)) ? Number(exact) : exact;
    }
    case 'arrayValue':
      return (value as { values: Any[] }).values.map(valueOf);
    case 'kvlistValue':
      return attributesOf((value as { values: KeyValue[] }).values);
    case 'bytesValue':
      return new Uint8Array(value as Uint8Array);
    case undefined:
    case 'stringValueStrindex':
      return null;
    default:
      return value as string | boolean | number;
  }
}

function attributesOf(pairs: readonly KeyValue[]): Attributes {
  // `fromEntries` defines, so that `__proto__` is a key like others.
  return Object.fromEntries(pairs.map(({ key, value }) => [key, valueOf(value)]));
}

function isValid({ traceId, spanId, parentSpanId }: WireSpan): boolean {
  const hasIds = traceId.length === 16 && !isZero(traceId) && spanId.length === 8 && !isZero(spanId);
  return hasIds && (parentSpanId.length === 0 || parentSpanId.length === 8);
}

function isZero(id: Uint8Array): boolean {
  return id.every((byte) => byte === 0);
}

function hex(id: Uint8Array): string {
  return Buffer.from(id).toString('hex');
}
