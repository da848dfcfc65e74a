import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { AttributeMap, AttributeValue, Span } from '../../protocol/otlp/model.ts';

/** A recorded body of the OpenTelemetry SDK, in the JSON form. */
export function recordedSpans(file: string): Span[] {
  const bytes = readFileSync(join(import.meta.dirname, '../fixtures/otlp', file));
  const body = JSON.parse((file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()) as Body;
  return body.resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const shared = { attributes: mapOf(resource.attributes) };
    return scopeSpans.flatMap(({ scope, spans }) => spans.map((span) => toSpan(span, { scope, resource: shared })));
  });
}

export function byTrace(spans: readonly Span[]): Span[][] {
  return [...Map.groupBy(spans, ({ traceId }) => traceId).values()];
}

export interface Drawn {
  readonly name: string;
  readonly kind?: number;
  readonly scope?: string;
  readonly from?: number;
  readonly for?: number;
  readonly flags?: number;
  readonly parent?: string;
  readonly attributes?: AttributeMap;
  readonly failed?: boolean;
  readonly traceState?: string;
  readonly below?: readonly Drawn[];
}

let ids = 0;

/** A trace drawn as a tree: times in ms from the trace's start. Parents are local unless `flags` say otherwise. */
export function drawTrace(roots: readonly Drawn[], options: { traceId?: string; startMs?: number } = {}): Span[] {
  const { traceId = (++ids).toString(16).padStart(32, '0'), startMs = 1_800_000_000_000 } = options;
  const spans: Span[] = [];
  const draw = (drawn: Drawn, parentSpanId: string): void => {
    const spanId = (++ids).toString(16).padStart(16, '0');
    spans.push({
      traceId,
      spanId,
      parentSpanId: drawn.parent ?? parentSpanId,
      flags: drawn.flags ?? 0x101,
      traceState: drawn.traceState ?? '',
      name: drawn.name,
      kind: drawn.kind ?? 1,
      startMs: startMs + (drawn.from ?? 0),
      durationMs: drawn.for ?? 1,
      statusCode: drawn.failed === true ? 2 : 0,
      statusMessage: '',
      scopeName: drawn.scope ?? 'test',
      scopeVersion: '',
      attributes: drawn.attributes ?? {},
      events: [],
      linkCount: 0,
      resource,
    });
    for (const child of drawn.below ?? []) draw(child, spanId);
  };
  for (const root of roots) draw(root, '');
  // As senders do: children end first.
  return spans.reverse();
}

/** Remote parent. */
export const remote = { flags: 0x301, parent: 'feedfeedfeedfeed' } as const;

export function serverAttributes(route?: string, status = 200): AttributeMap {
  return {
    'http.request.method': 'GET',
    'http.response.status_code': status,
    ...(route === undefined ? {} : { 'http.route': route }),
  };
}

const resource = { attributes: { 'service.name': 'shop', 'process.pid': 42 } };

interface Body {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: Pairs };
    readonly scopeSpans: readonly { readonly scope: Scope; readonly spans: readonly WireSpan[] }[];
  }[];
}
type Pairs = readonly { readonly key: string; readonly value: Record<string, unknown> }[];
interface Scope {
  readonly name: string;
  readonly version?: string;
}
interface WireSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly flags?: number;
  readonly traceState?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly status?: { readonly code?: number; readonly message?: string };
  readonly attributes?: Pairs;
  readonly events?: readonly { readonly name: string; readonly timeUnixNano: string; readonly attributes?: Pairs }[];
  readonly links?: readonly unknown[];
}

function toSpan(span: WireSpan, { scope, resource: shared }: { scope: Scope; resource: Span['resource'] }): Span {
  const start = BigInt(span.startTimeUnixNano);
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId ?? '',
    flags: span.flags ?? 0,
    traceState: span.traceState ?? '',
    name: span.name,
    kind: span.kind,
    startMs: Number(start / 1_000n) / 1_000,
    durationMs: Number(BigInt(span.endTimeUnixNano) - start) / 1e6,
    statusCode: span.status?.code ?? 0,
    statusMessage: span.status?.message ?? '',
    scopeName: scope.name,
    scopeVersion: scope.version ?? '',
    attributes: mapOf(span.attributes),
    events: (span.events ?? []).map((event) => ({
      name: event.name,
      timeMs: Number(BigInt(event.timeUnixNano) / 1_000n) / 1_000,
      attributes: mapOf(event.attributes),
    })),
    linkCount: span.links?.length ?? 0,
    resource: shared,
  };
}

function mapOf(pairs: Pairs = []): AttributeMap {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, valueOf(value)]));
}

function valueOf(value: Record<string, unknown>): AttributeValue {
  const [first] = Object.values(value);
  if (first === undefined) return null;
  if (typeof first !== 'object') return first as AttributeValue;
  const { values = [] } = (first ?? {}) as { values?: readonly Record<string, unknown>[] };
  return values.map(valueOf);
}
