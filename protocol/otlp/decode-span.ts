import { beginSpan, readKeyValue, readString } from './decode-value.ts';
import type { DecodeState } from './decode-value.ts';
import type { Attributes, Resource, Span, SpanEvent } from './model.ts';

/** What all spans of one ScopeSpans share. */
export interface SpanContext {
  readonly resource: Resource;
  readonly scopeName: string;
  readonly scopeVersion: string;
}

const noEvents: readonly SpanEvent[] = [];

/** A span up to `end`, of a checked body; undefined when its ids are not valid. */
export function readSpan(state: DecodeState, end: number, context: SpanContext): Span | undefined {
  const { cursor, view } = state;
  beginSpan(state);
  let traceId = '';
  let spanId = '';
  let parentSpanId = '';
  let isParentBad = false;
  let flags = 0;
  let traceState = '';
  let name = '';
  let kind = 0;
  let startLow = 0;
  let startHigh = 0;
  let endLow = 0;
  let endHigh = 0;
  let status = unsetStatus;
  const attributes: Attributes = {};
  let events = noEvents;
  let linkCount = 0;
  while (cursor.position < end) {
    const tag = cursor.varint();
    switch (tag) {
      case 0x0a:
        traceId = readId(state, 16);
        break;
      case 0x12:
        spanId = readId(state, 8);
        break;
      case 0x1a:
        traceState = readString(state);
        break;
      case 0x22: {
        const length = cursor.bytes[cursor.position] ?? 0;
        parentSpanId = readId(state, 8);
        isParentBad = length !== 8 && length !== 0;
        break;
      }
      case 0x2a:
        name = readString(state);
        break;
      case 0x30:
        kind = cursor.varint();
        break;
      case 0x39:
        startLow = view.getUint32(cursor.position, true);
        startHigh = view.getUint32(cursor.position + 4, true);
        cursor.position += 8;
        break;
      case 0x41:
        endLow = view.getUint32(cursor.position, true);
        endHigh = view.getUint32(cursor.position + 4, true);
        cursor.position += 8;
        break;
      case 0x4a:
        readKeyValue(state, attributes);
        break;
      case 0x5a: {
        const event = readEvent(state);
        if (event === undefined) break;
        if (events === noEvents) events = [event];
        else (events as SpanEvent[]).push(event);
        break;
      }
      case 0x6a:
        linkCount++;
        cursor.skip(tag);
        break;
      case 0x7a:
        status = readStatus(state, status);
        break;
      case flagsTag:
        flags = view.getUint32(cursor.position, true);
        cursor.position += 4;
        break;
      default:
        cursor.skip(tag);
    }
  }
  if (traceId === '' || spanId === '' || isParentBad) return undefined;
  return {
    traceId,
    spanId,
    parentSpanId,
    flags,
    traceState,
    name,
    kind,
    startMs: toMs(startLow, startHigh),
    // High and low apart: the difference of two such times is exact in a double, the times are not.
    durationMs: Math.max(0, toMs(endLow - startLow, endHigh - startHigh)),
    statusCode: status.code,
    statusMessage: status.message,
    scopeName: context.scopeName,
    scopeVersion: context.scopeVersion,
    attributes,
    events,
    linkCount,
    resource: context.resource,
  };
}

/** Field 16, fixed32. */
const flagsTag = (16 << 3) | 5;

interface Status {
  readonly code: number;
  readonly message: string;
}

const unsetStatus: Status = { code: 0, message: '' };

/** Goes on with `before`, as a message given twice is merged. */
function readStatus(state: DecodeState, before: Status): Status {
  const { cursor } = state;
  const length = cursor.varint();
  const end = cursor.position + length;
  let { code, message } = before;
  while (cursor.position < end) {
    const tag = cursor.varint();
    if (tag === 0x18) code = cursor.varint();
    else if (tag === 0x12) message = readString(state);
    else cursor.skip(tag);
  }
  return code === 0 && message === '' ? unsetStatus : { code, message };
}

/** Undefined when the span holds as many values as it may. */
function readEvent(state: DecodeState): SpanEvent | undefined {
  const { cursor, view } = state;
  const length = cursor.varint();
  const end = cursor.position + length;
  if (state.budget-- <= 0) {
    state.cuts.values++;
    cursor.position = end;
    return undefined;
  }
  let name = '';
  let timeMs = 0;
  const attributes: Attributes = {};
  while (cursor.position < end) {
    const tag = cursor.varint();
    if (tag === 0x09) {
      timeMs = toMs(view.getUint32(cursor.position, true), view.getUint32(cursor.position + 4, true));
      cursor.position += 8;
    } else if (tag === 0x12) name = readString(state);
    else if (tag === 0x1a) readKeyValue(state, attributes);
    else cursor.skip(tag);
  }
  return { name, timeMs, attributes };
}

/** In hex; empty for one of another length, or of zeros only, which stands for none. */
function readId({ cursor, strings }: DecodeState, size: 8 | 16): string {
  const length = cursor.varint();
  const start = cursor.position;
  cursor.position = start + length;
  if (length !== size) return '';
  return strings.hex(cursor.bytes, start, cursor.position);
}

function toMs(low: number, high: number): number {
  return (high * 0x1_0000_0000 + low) / 1e6;
}
