import type { SpanContext } from './decode-span.ts';
import type { JsonObject, JsonPiece } from './json-value.ts';
import type { Span, SpanEvent } from './model.ts';

/** A parsed span; undefined when its ids are not valid. Throws `unreadable-otlp` with the piece's offset where a field is not of its type. */
export function spanOfJson(value: unknown, piece: JsonPiece, context: SpanContext): Span | undefined {
  const span = piece.object(value, 'a span');
  const status = piece.object(span['status'], 'status');
  const start = nanoseconds(piece, span, 'startTimeUnixNano');
  const end = nanoseconds(piece, span, 'endTimeUnixNano');
  const read: Span = {
    traceId: id(piece, span['traceId'], 32),
    spanId: id(piece, span['spanId'], 16),
    parentSpanId: id(piece, span['parentSpanId'], 16),
    flags: piece.integer(span['flags'], 'flags'),
    traceState: piece.string(span['traceState'], 'traceState'),
    name: piece.string(span['name'], 'name'),
    kind: enumeration(piece, span, 'kind'),
    startMs: start.ms,
    durationMs: Math.max(0, ((end.seconds - start.seconds) * 1e9 + (end.rest - start.rest)) / 1e6),
    statusCode: enumeration(piece, status, 'code'),
    statusMessage: piece.string(status['message'], 'message'),
    scopeName: context.scopeName,
    scopeVersion: context.scopeVersion,
    attributes: piece.attributes(span['attributes']),
    events: events(piece, span['events']),
    linkCount: piece.array(span['links'], 'links').length,
    resource: context.resource,
  };
  const hasBadParent = read.parentSpanId === '' && !isNone(span['parentSpanId']);
  return read.traceId === '' || read.spanId === '' || hasBadParent ? undefined : read;
}

function events(piece: JsonPiece, value: unknown): SpanEvent[] {
  const read: SpanEvent[] = [];
  for (const each of piece.array(value, 'events')) {
    if (!piece.holdsOneMore()) continue;
    const event = piece.object(each, 'an event');
    read.push({
      name: piece.string(event['name'], 'name'),
      timeMs: nanoseconds(piece, event, 'timeUnixNano').ms,
      attributes: piece.attributes(event['attributes']),
    });
  }
  return read;
}

/** Lower case; empty for anything that is no id of this length, and for zeros, which stand for none. */
function id(piece: JsonPiece, value: unknown, digits: 16 | 32): string {
  const text = piece.string(value, 'an id');
  const isValid = text.length === digits && /^[0-9a-fA-F]+$/.test(text) && !isNone(text);
  return isValid ? text.toLowerCase() : '';
}

function isNone(value: unknown): boolean {
  return value === undefined || value === null || value === '' || value === '0000000000000000' || value === zeroTraceId;
}

const zeroTraceId = '0'.repeat(32);

/** OTLP's JSON has the numbers of enums, never their names. */
function enumeration(piece: JsonPiece, object: JsonObject, name: string): number {
  const value = object[name];
  if (value === undefined || value === null) return 0;
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : piece.fail(`${name} is not a number`);
}

/** Rounded as the protobuf reader does: `ms` from the nearest double of the nanoseconds; seconds and the rest are exact. */
function nanoseconds(
  piece: JsonPiece,
  object: JsonObject,
  name: string,
): { ms: number; seconds: number; rest: number } {
  const value = object[name];
  const text = typeof value === 'string' ? value : String(piece.int64(value, name));
  if (!/^\d{1,20}$/.test(text)) piece.fail(`${name} is not a whole number of nanoseconds`);
  const ns = Number(text);
  if (ns > 18_446_744_073_709_551_615) piece.fail(`${name} has more than 64 bits`);
  return { ms: ns / 1e6, seconds: Number(text.slice(0, -9)), rest: Number(text.slice(-9)) };
}
