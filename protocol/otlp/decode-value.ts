import type { Cuts } from './cuts.ts';
import type { InternTable } from './intern.ts';
import { stringBytesMax, valuesPerSpanMax } from './limits.ts';
import type { Attributes, AttributeValue } from './model.ts';
import type { WireCursor } from './wire.ts';

type MutableAttributes = Record<string, AttributeValue>;

/** What the readers of one body share. */
export interface DecodeState {
  readonly cursor: WireCursor;
  readonly strings: InternTable;
  readonly cuts: Cuts;
  /** For doubles and 64-bit integers. */
  readonly view: DataView;
  /** Values that the current span may still hold; see `valuesPerSpanMax`. */
  budget: number;
}

export function beginSpan(state: DecodeState): void {
  state.budget = valuesPerSpanMax;
}

/** A repeated `KeyValue` field, its tag read. */
export function readKeyValue(state: DecodeState, into: Attributes): void {
  const { cursor, strings } = state;
  const length = cursor.varint();
  const end = cursor.position + length;
  if (state.budget-- <= 0) {
    state.cuts.values++;
    cursor.position = end;
    return;
  }
  let key = '';
  let value: AttributeValue = null;
  while (cursor.position < end) {
    const tag = cursor.varint();
    if (tag === 0x0a) {
      const start = cursor.position;
      const keyLength = cursor.bytes[start] ?? 0;
      if (keyLength < 0x80) {
        cursor.position = start + 1 + keyLength;
        key = strings.utf8(cursor.bytes, start + 1, cursor.position);
      } else key = readString(state);
    } else if (tag === 0x12) value = readAnyValue(state, value);
    else cursor.skip(tag);
  }
  setAttribute(into, key, value);
}

export function setAttribute(into: MutableAttributes, key: string, value: AttributeValue): void {
  // Assigned, it would change what the object inherits.
  if (key === '__proto__')
    Object.defineProperty(into, key, { value, enumerable: true, configurable: true, writable: true });
  else into[key] = value;
}

export function readString({ cursor, strings }: DecodeState): string {
  const length = cursor.varint();
  const start = cursor.position;
  cursor.position = start + length;
  return strings.utf8(cursor.bytes, start, cursor.position);
}

/** `before` is what an earlier part of the same field gave: a list or map goes on there, as proto3 merges messages. */
function readAnyValue(state: DecodeState, before: AttributeValue): AttributeValue {
  const { cursor } = state;
  const length = cursor.varint();
  const end = cursor.position + length;
  let value = before;
  while (cursor.position < end) {
    const tag = cursor.varint();
    switch (tag) {
      case 0x0a:
        value = readString(state);
        break;
      case 0x10:
        value = readBool(cursor);
        break;
      case 0x18:
        value = readInt64(cursor);
        break;
      case 0x21:
        value = state.view.getFloat64(cursor.position, true);
        cursor.position += 8;
        break;
      case 0x2a:
        value = readArray(state, Array.isArray(value) ? value : []);
        break;
      case 0x32:
        value = readMap(state, isMap(value) ? value : {});
        break;
      case 0x3a:
        value = readBytes(state);
        break;
      default:
        cursor.skip(tag);
    }
  }
  return value;
}

function readArray(state: DecodeState, into: AttributeValue[]): AttributeValue[] {
  const { cursor } = state;
  const length = cursor.varint();
  const end = cursor.position + length;
  while (cursor.position < end) {
    const tag = cursor.varint();
    if (tag !== 0x0a) cursor.skip(tag);
    else if (state.budget-- > 0) into.push(readAnyValue(state, null));
    else {
      state.cuts.values++;
      cursor.position = end;
    }
  }
  return into;
}

function readMap(state: DecodeState, into: Attributes): Attributes {
  const { cursor } = state;
  const length = cursor.varint();
  const end = cursor.position + length;
  while (cursor.position < end) {
    const tag = cursor.varint();
    if (tag === 0x0a) readKeyValue(state, into);
    else cursor.skip(tag);
  }
  return into;
}

function isMap(value: AttributeValue): value is Attributes {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

/** True when any of its bits is set, as for every decoder. */
function readBool(cursor: WireCursor): boolean {
  let any = 0;
  for (;;) {
    const byte = cursor.bytes[cursor.position++] ?? 0;
    any |= byte & 0x7f;
    if (byte < 0x80) return any !== 0;
  }
}

function readBytes({ cursor, cuts }: DecodeState): Uint8Array {
  const length = cursor.varint();
  const start = cursor.position;
  cursor.position = start + length;
  if (length > stringBytesMax) {
    cuts.strings++;
    return new Uint8Array();
  }
  // `Uint8Array.from` and a Buffer's own `slice` would not do: the latter is a view of the body.
  return new Uint8Array(cursor.bytes.subarray(start, cursor.position));
}

function readInt64(cursor: WireCursor): number | bigint {
  const { bytes } = cursor;
  let value = 0;
  let scale = 1;
  const start = cursor.position;
  // Seven bytes are 49 bits: exact in a double.
  for (let at = start; at < start + 7; at++) {
    const byte = bytes[at] ?? 0;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) {
      cursor.position = at + 1;
      return value;
    }
    scale *= 0x80;
  }
  let big = 0n;
  let shift = 0n;
  for (let at = start; ; at++) {
    const byte = bytes[at] ?? 0;
    big |= BigInt(byte & 0x7f) << shift;
    shift += 7n;
    if (byte < 0x80) {
      cursor.position = at + 1;
      return narrowed(BigInt.asIntN(64, big));
    }
  }
}

export function narrowed(value: bigint): number | bigint {
  const asNumber = Number(value);
  return Number.isSafeInteger(asNumber) ? asNumber : value;
}
