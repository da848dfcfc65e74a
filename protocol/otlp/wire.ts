import { SidescopeError } from '../error.ts';

/** The low three bits of a tag. Groups (3, 4) are not proto3. */
export const WireType = { varint: 0, fixed64: 1, length: 2, fixed32: 5 } as const;

/** A field that is a message, string or bytes: its tag's first byte where the number is below 16. */
export function lengthTag(field: number): number {
  return (field << 3) | WireType.length;
}

/** The number of bytes that `value` takes as a varint; 0 to 2^32 - 1. */
export function varintSize(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5;
}

/** Writes a varint of 0 to 2^32 - 1 and returns the offset behind it. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  while (value >= 0x80) {
    bytes[at++] = (value % 0x80) | 0x80;
    value = Math.floor(value / 0x80);
  }
  bytes[at++] = value;
  return at;
}

export function unreadable(message: string, offset: number): SidescopeError {
  return new SidescopeError('unreadable-otlp', `${message} at byte ${offset}`, { details: { offset } });
}

/** Reads checked protobuf front to back. A class of few fields: V8 keeps them in registers where a method is inlined. */
export class WireCursor {
  readonly bytes: Uint8Array;
  position: number;

  constructor(bytes: Uint8Array, position = 0) {
    this.bytes = bytes;
    this.position = position;
  }

  /** Tags and lengths: 32 bits. The bytes above them, which a sender may pad with, are passed over. */
  varint(): number {
    const { bytes } = this;
    const first = bytes[this.position++] ?? 0;
    if (first < 0x80) return first;
    let value = first & 0x7f;
    for (let shift = 7; ; shift += 7) {
      const byte = bytes[this.position++] ?? 0;
      if (shift < 28) value |= (byte & 0x7f) << shift;
      else if (shift === 28) value = (value | ((byte & 0x0f) << 28)) >>> 0;
      if (byte < 0x80) return value;
    }
  }

  /** Behind the field whose tag was just read. */
  skip(tag: number): void {
    switch (tag & 7) {
      case WireType.varint:
        while ((this.bytes[this.position++] ?? 0) >= 0x80);
        break;
      case WireType.fixed64:
        this.position += 8;
        break;
      case WireType.length: {
        const length = this.varint();
        this.position += length;
        break;
      }
      default:
        this.position += 4;
    }
  }
}
