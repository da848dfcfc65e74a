import { SidescopeError } from '../error.ts';

/** No export is larger: with it, a hostile file costs this much memory and no more. */
export const EXPORT_BYTES_MAX = 256 * 1024 * 1024;

/** Bytes that grow. `protobuf.dev/programming-guides/encoding` names the wire types that the field methods write. */
export class ByteWriter {
  #bytes = new Uint8Array(1_024);
  #length = 0;
  #inner: ByteWriter | undefined;

  /** What was written so far; valid until the next write. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  text(value: string): void {
    this.#reserve(value.length * 3);
    this.#length += encoder.encodeInto(value, this.#bytes.subarray(this.#length)).written;
  }

  /** Whole numbers from 0 on. Zero is not written: it is what a reader assumes. */
  varintField(field: number, value: number | bigint): void {
    if (Number(value) === 0) return;
    this.#varint(field << 3);
    this.#varint(value);
  }

  textField(field: number, value: string): void {
    this.messageField(field, (inner) => inner.text(value));
  }

  packedField(field: number, values: Iterable<number>): void {
    this.messageField(field, (inner) => {
      for (const value of values) inner.#varint(value);
    });
  }

  /** Written also when empty: the empty string is the first of pprof's table. */
  messageField(field: number, write: (inner: ByteWriter) => void): void {
    const inner = (this.#inner ??= new ByteWriter());
    inner.#length = 0;
    write(inner);
    this.#varint((field << 3) | 2);
    this.#varint(inner.#length);
    this.#reserve(inner.#length);
    this.#bytes.set(inner.bytes, this.#length);
    this.#length += inner.#length;
  }

  #varint(value: number | bigint): void {
    this.#reserve(10);
    if (typeof value === 'bigint') {
      let rest = value;
      for (; rest >= 0x80n; rest >>= 7n) this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80;
      this.#bytes[this.#length++] = Number(rest);
      return;
    }
    let rest = value;
    // Not with shifts: nanoseconds do not fit 32 bits.
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#bytes[this.#length++] = (rest % 0x80) | 0x80;
    this.#bytes[this.#length++] = rest;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    if (needed > EXPORT_BYTES_MAX) {
      throw new SidescopeError(
        'unsupported-format',
        `the profile would be over ${EXPORT_BYTES_MAX} B in this format; download the .cpuprofile`,
      );
    }
    const grown = new Uint8Array(Math.min(EXPORT_BYTES_MAX, Math.max(needed, this.#bytes.length * 2)));
    grown.set(this.bytes);
    this.#bytes = grown;
  }
}

const encoder = new TextEncoder();
