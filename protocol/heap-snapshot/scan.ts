import { notSnapshot } from './layout.ts';

export type NumberSection = 'nodes' | 'edges' | 'locations';

/** Takes what the scanner finds. Sections arrive in the order of the file. */
export interface SnapshotSink {
  readonly strings: {
    /** `at`: in the chunk, of the first byte behind the opening quote. */
    open(at: number): void;
    add(bytes: Uint8Array, from: number, to: number): void;
    /** `at`: of the closing quote. */
    close(at: number): void;
  };
  /** The value of `"snapshot"`, parsed. */
  header(value: unknown): void;
  /** How many numbers make one record of this section, and who takes each; undefined skips the section. */
  section(name: NumberSection): { fields: number; store: (record: Float64Array) => void } | undefined;
}

const HEADER_BYTES_MAX = 1024 * 1024;
const KEY_BYTES_MAX = 256;
/** More digits than a double holds exactly. */
const DIGITS_MAX = 15;

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const COLON = 0x3a;
const OPENING_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSING_BRACKET = 0x5d;
const LETTER_U = 0x75;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;
const SPACE = 0x20;

type State =
  | 'start'
  | 'first-key'
  | 'key'
  | 'in-key'
  | 'colon'
  | 'value'
  | 'header'
  | 'skipped'
  | 'numbers-begin'
  | 'numbers'
  | 'strings-begin'
  | 'strings-first'
  | 'strings-next'
  | 'in-string'
  | 'strings-comma'
  | 'after-value'
  | 'end';

/** Walks the one JSON object of a snapshot, from chunks cut anywhere. */
export class SnapshotScanner {
  readonly #sink: SnapshotSink;
  readonly #seen = new Set<string>();
  #state: State = 'start';
  /** Of the chunk at hand. */
  #baseOffset = 0;
  #kept: number[] = [];
  #key = '';
  // skipped and kept values
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  // numbers
  #record = new Float64Array(0);
  #store: (record: Float64Array) => void = () => undefined;
  #field = 0;
  #value = 0;
  #digits = 0;
  #digitsBeforeSpace = 0;
  #isNegative = false;
  #count = 0;
  /** Of an escape sequence: 0 none, -1 its letter is missing, 1 to 4 hex digits are. */
  #escapeRest = 0;

  constructor(sink: SnapshotSink) {
    this.#sink = sink;
  }

  get bytesRead(): number {
    return this.#baseOffset;
  }

  push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#state === 'numbers') at = this.#scanNumbers(bytes, at);
      else if (this.#state === 'in-string') at = this.#scanString(bytes, at);
      else if (this.#state === 'skipped' || this.#state === 'header') at = this.#scanValue(bytes, at);
      else this.#scanOuter(bytes[at]!, at++);
    }
    this.#baseOffset += bytes.length;
  }

  finish(): void {
    if (this.#state !== 'end') {
      throw notSnapshot(
        this.#baseOffset === 0 ? 'it is empty' : `it ends at byte ${this.#baseOffset}, ${this.#place()} (cut short?)`,
      );
    }
    const missing = ['snapshot', 'nodes', 'edges', 'strings'].filter((key) => !this.#seen.has(key));
    if (missing.length > 0) throw notSnapshot(`${missing.join(', ')} missing`);
  }

  #place(): string {
    return this.#key === '' ? 'before its first key' : `in or after "${this.#key}"`;
  }

  #scanOuter(byte: number, at: number): void {
    if (this.#state === 'in-key') {
      if (byte === QUOTE) this.#endKey(at);
      else if (byte === BACKSLASH || this.#kept.length === KEY_BYTES_MAX) throw this.#malformed('a key', at);
      else this.#kept.push(byte);
      return;
    }
    if (isSpace(byte)) return;
    switch (this.#state) {
      case 'start':
        return this.#expect(byte === OPENING_BRACE, 'first-key', at);
      case 'first-key':
      case 'key':
        if (byte === CLOSING_BRACE && this.#state === 'first-key') return void (this.#state = 'end');
        this.#kept = [];
        return this.#expect(byte === QUOTE, 'in-key', at);
      case 'colon':
        return this.#expect(byte === COLON, 'value', at);
      case 'value':
        return this.#beginValue(byte, at);
      case 'numbers-begin':
        return this.#expect(byte === OPENING_BRACKET, 'numbers', at);
      case 'strings-begin':
        return this.#expect(byte === OPENING_BRACKET, 'strings-first', at);
      case 'strings-first':
      case 'strings-next':
        if (byte === CLOSING_BRACKET && this.#state === 'strings-first') return void (this.#state = 'after-value');
        this.#expect(byte === QUOTE, 'in-string', at);
        return this.#sink.strings.open(at + 1);
      case 'strings-comma':
        if (byte === CLOSING_BRACKET) return void (this.#state = 'after-value');
        return this.#expect(byte === COMMA, 'strings-next', at);
      case 'after-value':
        if (byte === CLOSING_BRACE) return void (this.#state = 'end');
        return this.#expect(byte === COMMA, 'key', at);
      default:
        throw this.#malformed('the end', at);
    }
  }

  #expect(isRight: boolean, next: State, at: number): void {
    if (!isRight) throw this.#malformed(beginnings[next] ?? next, at);
    this.#state = next;
  }

  #endKey(at: number): void {
    this.#key = String.fromCharCode(...this.#kept).replace(/[^\w ]/g, '?');
    if (this.#seen.has(this.#key))
      throw notSnapshot(`"${this.#key}" is there twice, again at byte ${this.#baseOffset + at}`);
    // Unknown ones are not kept: there may be many.
    if (this.#seen.size < 64) this.#seen.add(this.#key);
    this.#kept = [];
    this.#state = 'colon';
  }

  /** The byte that a value begins with is the first of the next state too, where that is a number or a skipped value. */
  #beginValue(byte: number, at: number): void {
    const key = this.#key;
    if (key === 'strings') {
      this.#state = 'strings-begin';
      return this.#scanOuter(byte, at);
    }
    if (key === 'nodes' || key === 'edges' || key === 'locations') {
      const section = this.#sink.section(key);
      if (section !== undefined) {
        this.#record = new Float64Array(section.fields);
        this.#store = section.store;
        this.#field = this.#count = this.#value = this.#digits = this.#digitsBeforeSpace = 0;
        this.#isNegative = false;
        this.#state = 'numbers-begin';
        return this.#scanOuter(byte, at);
      }
    }
    if (key === 'snapshot' && byte !== OPENING_BRACE) throw this.#malformed('an object', at);
    this.#state = key === 'snapshot' ? 'header' : 'skipped';
    this.#depth = 0;
    this.#isInString = this.#isEscaped = false;
    this.#scanValue(Uint8Array.of(byte), 0);
  }

  #scanNumbers(bytes: Uint8Array, from: number): number {
    const record = this.#record;
    const store = this.#store;
    const fields = record.length;
    let at = from;
    let value = this.#value;
    let digits = this.#digits;
    let field = this.#field;
    for (; at < bytes.length; at++) {
      const byte = bytes[at]!;
      if (byte >= 0x30 && byte <= 0x39) {
        value = value * 10 + (byte - 0x30);
        digits++;
        continue;
      }
      if (byte === COMMA || byte === CLOSING_BRACKET) {
        if (digits === 0 && byte === CLOSING_BRACKET && this.#count === 0 && field === 0) break;
        if (digits === 0 || digits > DIGITS_MAX) throw this.#malformed('a whole number', at);
        if (this.#digitsBeforeSpace !== 0) {
          if (this.#digitsBeforeSpace !== digits) throw this.#malformed('a comma', at);
          this.#digitsBeforeSpace = 0;
        }
        if (this.#isNegative) {
          value = -value;
          this.#isNegative = false;
        }
        record[field++] = value;
        value = 0;
        digits = 0;
        if (field === fields) {
          field = 0;
          this.#count++;
          store(record);
        }
        if (byte === CLOSING_BRACKET) break;
      } else if (isSpace(byte)) {
        if (digits > 0 && this.#digitsBeforeSpace === 0) this.#digitsBeforeSpace = digits;
      } else if (byte === MINUS && digits === 0 && !this.#isNegative) {
        this.#isNegative = true;
      } else {
        throw this.#malformed('a whole number', at);
      }
    }
    this.#value = value;
    this.#digits = digits;
    this.#field = field;
    if (at === bytes.length) return at;
    if (field !== 0) throw notSnapshot(`"${this.#key}" ends within a record of ${fields} numbers`);
    this.#state = 'after-value';
    return at + 1;
  }

  #scanString(bytes: Uint8Array, from: number): number {
    const { strings } = this.#sink;
    let start = from;
    let at = from;
    for (; at < bytes.length; at++) {
      const byte = bytes[at]!;
      if (this.#escapeRest !== 0) this.#scanEscape(byte, at);
      else if (byte === BACKSLASH) this.#escapeRest = -1;
      else if (byte < SPACE) throw this.#malformed('no control character in a string', at);
      else if (byte === QUOTE) {
        strings.add(bytes, start, at);
        strings.close(at);
        at++;
        // Most are followed by the next at once.
        if (bytes[at] !== COMMA || bytes[at + 1] !== QUOTE) {
          this.#state = 'strings-comma';
          return at;
        }
        at++;
        start = at + 1;
        strings.open(start);
      }
    }
    strings.add(bytes, start, bytes.length);
    return bytes.length;
  }

  #scanEscape(byte: number, at: number): void {
    if (this.#escapeRest > 0) {
      if (!isHexDigit(byte)) throw this.#malformed('four hex digits', at);
      this.#escapeRest--;
    } else if (byte === LETTER_U) {
      this.#escapeRest = 4;
    } else if (escapable.has(byte)) {
      this.#escapeRest = 0;
    } else {
      throw this.#malformed('an escape sequence of JSON', at);
    }
  }

  /** To the end of a value that is skipped or parsed by JSON.parse, judged by quotes and brackets. */
  #scanValue(bytes: Uint8Array, from: number): number {
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at]!;
      if (this.#state === 'header') {
        if (this.#kept.length === HEADER_BYTES_MAX) throw notSnapshot(`"snapshot" is over ${HEADER_BYTES_MAX} B`);
        this.#kept.push(byte);
      }
      if (this.#isEscaped) this.#isEscaped = false;
      else if (this.#isInString) {
        if (byte === BACKSLASH) this.#isEscaped = true;
        else if (byte === QUOTE) {
          this.#isInString = false;
          if (this.#depth === 0) return this.#endValue(at + 1);
        }
      } else if (byte === QUOTE) this.#isInString = true;
      else if (byte === OPENING_BRACE || byte === OPENING_BRACKET) this.#depth++;
      else if (this.#depth === 0) {
        // A scalar: its end is the first byte that is not its own.
        if (byte === COMMA || byte === CLOSING_BRACE || byte === CLOSING_BRACKET) return this.#endValue(at);
      } else if ((byte === CLOSING_BRACE || byte === CLOSING_BRACKET) && --this.#depth === 0) {
        return this.#endValue(at + 1);
      }
    }
    return bytes.length;
  }

  #endValue(next: number): number {
    if (this.#state === 'header') {
      const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(this.#kept));
      this.#kept = [];
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch {
        // JSON.parse's own message quotes the text.
        throw notSnapshot('"snapshot" is no JSON value');
      }
      this.#sink.header(value);
    }
    this.#state = 'after-value';
    return next;
  }

  #malformed(wanted: string, at: number) {
    return notSnapshot(`expected ${wanted} at byte ${this.#baseOffset + at}, ${this.#place()}`);
  }
}

/** What the states that `#expect` leads to begin with. */
const beginnings: { readonly [Next in State]?: string } = {
  'first-key': '"{"',
  'in-key': 'a key',
  value: 'a colon',
  numbers: 'a list of numbers',
  'strings-first': 'a list of strings',
  'in-string': 'a string',
  'strings-next': 'a comma',
  key: 'a comma',
};

const escapable: ReadonlySet<number> = new Set([...'"\\/bfnrt'].map((letter) => letter.charCodeAt(0)));

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isHexDigit(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66);
}
