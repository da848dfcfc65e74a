import { checkBound } from './profile-fields.ts';
import { cpuFields, RawNodes, SAMPLES_MAX, unreadable } from './raw-profile.ts';
import type { RawProfile } from './raw-profile.ts';

/**
 * Reads the bytes of a .cpuprofile without ever holding the whole as a string or as objects: nodes are parsed one by one,
 * numbers go straight into columns. Same checks as `readRawProfile`; syntax errors carry their offset.
 */
export function readRawProfileBytes(bytes: Uint8Array): RawProfile {
  const reader = new JsonReader(bytes);
  const nodes = new RawNodes();
  const numbers = new Map<string, Float64Array>();
  const times = new Map<string, unknown>();
  const seen = new Set<string>();
  reader.eachKey((key) => {
    if (seen.has(key)) throw unreadable(`"${key}" is there twice`);
    if (key === 'nodes') reader.eachItem(() => nodes.add(reader.value()));
    else if (key === 'samples' || key === 'timeDeltas') numbers.set(key, readNumbers(reader, key));
    else if (key === 'startTime' || key === 'endTime') times.set(key, reader.value());
    else reader.skipValue();
    if (keys.has(key)) seen.add(key);
  });
  const missing = [...keys].filter((key) => !seen.has(key));
  if (missing.length > 0) throw unreadable(`${missing.join(', ')} missing`);
  return {
    nodes,
    startTimeUs: cpuFields.timeUs(times.get('startTime'), 'startTime'),
    endTimeUs: cpuFields.timeUs(times.get('endTime'), 'endTime'),
    sampleIds: numbers.get('samples')!,
    timeDeltasUs: numbers.get('timeDeltas')!,
  };
}

const keys: ReadonlySet<string> = new Set(['nodes', 'startTime', 'endTime', 'samples', 'timeDeltas']);

function readNumbers(reader: JsonReader, key: string): Float64Array {
  let numbers = new Float64Array(4_096);
  let length = 0;
  reader.eachItem(() => {
    checkBound(key, length + 1, SAMPLES_MAX);
    if (length === numbers.length) {
      const grown = new Float64Array(length * 2);
      grown.set(numbers);
      numbers = grown;
    }
    numbers[length] = reader.smallInteger() ?? cpuFields.number(reader.value(), `${key}[${length}]`);
    length++;
  });
  return numbers.subarray(0, length);
}

/** The most bytes of one value that becomes objects: a node with 500,000 children, or a hostile one of 100 MB of heap. */
const VALUE_BYTES_MAX = 4 * 1024 * 1024;

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const COLON = 0x3a;
const OPENING_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSING_BRACKET = 0x5d;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;

/** Walks the outer levels of one JSON text; what lies deeper is found by its brackets and left to JSON.parse. */
class JsonReader {
  readonly #bytes: Uint8Array;
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The whole text must be one object. `visit` reads the value. */
  eachKey(visit: (key: string) => void): void {
    this.#expect(OPENING_BRACE, '{');
    if (!this.#accept(CLOSING_BRACE)) {
      do {
        const key = this.value();
        if (typeof key !== 'string') throw this.#malformed('a key');
        this.#expect(COLON, ':');
        visit(key);
      } while (this.#accept(COMMA));
      this.#expect(CLOSING_BRACE, '} or ,');
    }
    this.#skipSpace();
    if (this.#offset < this.#bytes.length) throw this.#malformed('the end');
  }

  eachItem(visit: () => void): void {
    this.#expect(OPENING_BRACKET, '[');
    if (this.#accept(CLOSING_BRACKET)) return;
    do visit();
    while (this.#accept(COMMA));
    this.#expect(CLOSING_BRACKET, '] or ,');
  }

  value(): unknown {
    this.#skipSpace();
    const start = this.#offset;
    this.skipValue();
    if (this.#offset - start > VALUE_BYTES_MAX) checkBound('bytes in one value', this.#offset - start, VALUE_BYTES_MAX);
    try {
      return JSON.parse(this.#decoder.decode(this.#bytes.subarray(start, this.#offset)));
    } catch {
      // JSON.parse's own message quotes the text; the offset says as much and gives nothing away.
      this.#offset = start;
      throw this.#malformed('a JSON value');
    }
  }

  /** A whole number of at most 15 digits; `undefined`, with nothing read, for anything else. */
  smallInteger(): number | undefined {
    this.#skipSpace();
    const isNegative = this.#bytes[this.#offset] === MINUS;
    const start = isNegative ? this.#offset + 1 : this.#offset;
    let end = start;
    let value = 0;
    for (; end < start + 15; end++) {
      const digit = this.#bytes[end] ?? 0;
      if (digit < 0x30 || digit > 0x39) break;
      value = value * 10 + digit - 0x30;
    }
    const next = this.#bytes[end];
    const hasLeadingZero = end > start + 1 && this.#bytes[start] === 0x30;
    if (end === start || hasLeadingZero || (next !== COMMA && next !== CLOSING_BRACKET)) return undefined;
    this.#offset = end;
    return isNegative ? -value : value;
  }

  /** To the end of the value, judged by quotes and brackets only. */
  skipValue(): void {
    this.#skipSpace();
    const start = this.#offset;
    let depth = 0;
    for (; this.#offset < this.#bytes.length; this.#offset++) {
      const byte = this.#bytes[this.#offset]!;
      if (byte === QUOTE) this.#skipString();
      else if (byte === OPENING_BRACE || byte === OPENING_BRACKET) depth++;
      else if (depth > 0 && (byte === CLOSING_BRACE || byte === CLOSING_BRACKET)) depth--;
      else if (depth > 0 || !endsScalar(byte)) continue;
      else break;
      if (depth === 0) {
        this.#offset++;
        return;
      }
    }
    if (depth > 0 || this.#offset === start) throw this.#malformed('a value');
  }

  /** From the opening quote to the closing one. */
  #skipString(): void {
    for (this.#offset++; this.#offset < this.#bytes.length; this.#offset++) {
      const byte = this.#bytes[this.#offset];
      if (byte === BACKSLASH) this.#offset++;
      else if (byte === QUOTE) return;
    }
    throw this.#malformed('the end of a string');
  }

  #expect(byte: number, name: string): void {
    if (!this.#accept(byte)) throw this.#malformed(name);
  }

  #accept(byte: number): boolean {
    this.#skipSpace();
    if (this.#bytes[this.#offset] !== byte) return false;
    this.#offset++;
    return true;
  }

  #skipSpace(): void {
    while (isSpace(this.#bytes[this.#offset])) this.#offset++;
  }

  #malformed(wanted: string) {
    const where =
      this.#offset < this.#bytes.length ? `at byte ${this.#offset}` : `at its end (${this.#bytes.length} B)`;
    return unreadable(`expected ${wanted} ${where}`);
  }
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function endsScalar(byte: number): boolean {
  return byte === COMMA || byte === COLON || byte === CLOSING_BRACE || byte === CLOSING_BRACKET || isSpace(byte);
}
