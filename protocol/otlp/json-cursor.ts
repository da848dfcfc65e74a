import { decodeUtf8 } from './text.ts';
import { unreadable } from './wire.ts';

const quote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const comma = 0x2c;
const colon = 0x3a;

/**
 * Walks the outline of a JSON document by its bytes. It finds where values begin and end and leaves their inside to `JSON.parse`, piece by piece: so a body
 * of 64 MiB need not be parsed at once, and a piece can be changed where it stands.
 */
export class JsonCursor {
  readonly bytes: Uint8Array;
  position = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** The keys of the object here; at each the caller must pass the value. `null` is an object without keys, as protobuf's JSON has it. */
  *members(): Generator<string> {
    if (this.#takeNull()) return;
    this.#expect(openBrace, '{');
    if (this.#take(closeBrace)) return;
    do {
      this.#space();
      if (this.bytes[this.position] !== quote) throw unreadable('a key is expected', this.position);
      const key = this.parse();
      this.#expect(colon, ':');
      this.#space();
      yield String(key);
    } while (this.#take(comma));
    this.#expect(closeBrace, '} or ,');
  }

  /** The elements of the array here; at each the caller must pass the value. `null` is an empty one. */
  *elements(): Generator<undefined> {
    if (this.#takeNull()) return;
    this.#expect(openBracket, '[');
    if (this.#take(closeBracket)) return;
    do {
      this.#space();
      yield;
    } while (this.#take(comma));
    this.#expect(closeBracket, '] or ,');
  }

  /** The value here, parsed. Whole numbers that 64 bits hold and a double does not come as their text. */
  parse(): unknown {
    const start = this.position;
    this.skip();
    try {
      const text = decodeUtf8(this.bytes.subarray(start, this.position));
      return hasLongNumber.test(text) ? JSON.parse(text, keepLongNumbers) : JSON.parse(text);
    } catch (error) {
      const reason = error instanceof SyntaxError ? error.message.replace(/\s+/g, ' ').slice(0, 120) : 'not UTF-8';
      throw unreadable(`not JSON (${reason}) in the value`, start);
    }
  }

  /** Passes the value here. What is wrong inside is not seen, unless it is an end that is missing. */
  skip(): void {
    const { bytes } = this;
    const start = this.position;
    let depth = 0;
    for (let at = start; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0;
      if (byte === quote) {
        at = this.#stringEnd(at);
        if (depth === 0) return this.#endAt(at + 1);
      } else if (byte === openBrace || byte === openBracket) depth++;
      else if (byte === closeBrace || byte === closeBracket) {
        if (depth === 0) return this.#endOfScalar(start, at);
        if (--depth === 0) return this.#endAt(at + 1);
      } else if (depth === 0 && (byte === comma || isSpace(byte))) return this.#endOfScalar(start, at);
    }
    if (depth > 0) throw unreadable('a value has no end', start);
    this.#endOfScalar(start, bytes.length);
  }

  /** Nothing but white space may be left. */
  end(): void {
    this.#space();
    if (this.position < this.bytes.length) throw unreadable('something follows the document', this.position);
  }

  #endAt(position: number): void {
    this.position = position;
  }

  #endOfScalar(start: number, position: number): void {
    if (position === start) throw unreadable('a value is missing', start);
    this.position = position;
  }

  /** The closing quote of the string that opens at `at`. */
  #stringEnd(at: number): number {
    const { bytes } = this;
    for (let end = at + 1; end < bytes.length; end++) {
      const byte = bytes[end];
      if (byte === quote) return end;
      if (byte === backslash) end++;
    }
    throw unreadable('a string has no end', at);
  }

  #space(): void {
    while (isSpace(this.bytes[this.position] ?? 0)) this.position++;
  }

  #take(byte: number): boolean {
    this.#space();
    if (this.bytes[this.position] !== byte) return false;
    this.position++;
    return true;
  }

  #takeNull(): boolean {
    this.#space();
    if (this.bytes[this.position] !== 0x6e) return false;
    const start = this.position;
    if (this.parse() !== null) throw unreadable('an object or array is expected', start);
    return true;
  }

  #expect(byte: number, name: string): void {
    if (!this.#take(byte)) throw unreadable(`${name} is expected`, this.position);
  }
}

/** What 64 bits hold; beyond that a whole number is a double. */
const int64Max = 2 ** 64;

/** Sixteen digits may be too many for a double. Digits in a string match too, which only costs time. */
const hasLongNumber = /[[:,\s]-?\d{16}/;

function keepLongNumbers(_key: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source ?? '';
  const isLong = typeof value === 'number' && !Number.isSafeInteger(value) && Math.abs(value) <= int64Max;
  return isLong && /^-?\d+$/.test(source) ? source : value;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
