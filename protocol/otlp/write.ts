import { lengthTag, varintSize, writeVarint } from './wire.ts';

const encoder = new TextEncoder();

/** One field of a small message, in bytes. Nothing is left out for being zero or empty. */
export const field = {
  message: (number: number, ...parts: readonly Uint8Array[]): Uint8Array => lengthField(number, concat(parts)),
  string: (number: number, text: string): Uint8Array => lengthField(number, encoder.encode(text)),
  /** A whole number that a double holds exactly; a negative one takes ten bytes. */
  int64: (number: number, value: number): Uint8Array => concat([varint((number << 3) | 0), varint(value)]),
  bool: (number: number, value: boolean): Uint8Array => concat([varint((number << 3) | 0), varint(value ? 1 : 0)]),
  double: (number: number, value: number): Uint8Array => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    return concat([varint((number << 3) | 1), bytes]);
  },
};

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Tag and length of a message, in front of `length` bytes. */
export function messageHeader(number: number, length: number): Uint8Array {
  const header = new Uint8Array(1 + varintSize(length));
  header[0] = lengthTag(number);
  writeVarint(header, 1, length);
  return header;
}

function lengthField(number: number, content: Uint8Array): Uint8Array {
  return concat([messageHeader(number, content.length), content]);
}

function varint(value: number): Uint8Array {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  return Uint8Array.from([...bytes, Number(rest)]);
}
