import { SidescopeError } from '../error.ts';

/** Protobuf of any origin, read front to back: every length is checked. Numbers above 2^53 are rounded. */
export class PprofFields {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  /** Calls back with each field, which reads its value by one of the methods below; 0 is no field. */
  each(visit: (field: number, wire: number) => void): void {
    while (this.#at < this.#end) {
      const tag = this.varint();
      const wire = tag & 7;
      const before = this.#at;
      visit(Math.floor(tag / 8), wire);
      if (this.#at === before) this.#skip(wire);
    }
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let length = 0; length < 10; length++) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined || this.#at >= this.#end) throw unreadablePprof('a number is cut', this.#at);
      this.#at++;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    throw unreadablePprof('a number has more than 10 bytes', this.#at);
  }

  message(): PprofFields {
    const [at, end] = this.#extent();
    return new PprofFields(this.#bytes, at, end);
  }

  text(): string {
    const [at, end] = this.#extent();
    return new TextDecoder().decode(this.#bytes.subarray(at, end));
  }

  /** A repeated number, packed or one by one. */
  numbers(wire: number, into: number[]): void {
    if (wire === 0) {
      into.push(this.varint());
      return;
    }
    const packed = this.message();
    while (packed.#at < packed.#end) into.push(packed.varint());
  }

  #extent(): [number, number] {
    const length = this.varint();
    const at = this.#at;
    if (at + length > this.#end) throw unreadablePprof(`${length} B are announced, ${this.#end - at} B are there`, at);
    this.#at = at + length;
    return [at, this.#at];
  }

  #skip(wire: number): void {
    if (wire === 0) this.varint();
    else if (wire === 2) this.#extent();
    else if (wire === 1 || wire === 5) {
      this.#at += wire === 1 ? 8 : 4;
      if (this.#at > this.#end) throw unreadablePprof('a field is cut', this.#end);
    } else throw unreadablePprof(`wire type ${wire} is none of proto3`, this.#at);
  }
}

export function unreadablePprof(problem: string, offset: number): SidescopeError {
  return new SidescopeError('unreadable-profile', `not a pprof profile: ${problem} at byte ${offset}`);
}
