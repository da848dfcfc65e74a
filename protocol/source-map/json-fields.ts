import { SidescopeError } from '../error.ts';

/** Where a JSON value lies in the bytes: [start, end). */
export interface Span {
  readonly start: number;
  readonly end: number;
}

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;

/**
 * The members of the object that begins at `start`, not decoded: a source map is mostly `sourcesContent`, of which hardly anything is needed. What is
 * skipped is not checked. Of a name that comes twice the last one counts, as with JSON.parse. Throws `unreadable-source-map` with the offset.
 */
export function readMembers(bytes: Uint8Array, start: number): { members: Map<string, Span>; end: number } {
  const members = new Map<string, Span>();
  let at = expectByte(bytes, skipSpace(bytes, start), openBrace);
  at = skipSpace(bytes, at);
  if (bytes[at] === closeBrace) return { members, end: at + 1 };
  for (;;) {
    const key = { start: at, end: skipString(bytes, at) };
    at = skipSpace(bytes, expectByte(bytes, skipSpace(bytes, key.end), colon));
    const value = { start: at, end: skipValue(bytes, at) };
    members.set(String(decodeValue(bytes, key)), value);
    at = skipSpace(bytes, value.end);
    if (bytes[at] === closeBrace) return { members, end: at + 1 };
    at = skipSpace(bytes, expectByte(bytes, at, comma));
  }
}

/** The elements of the array at `span`, not decoded. */
export function readElements(bytes: Uint8Array, span: Span): Span[] {
  const elements: Span[] = [];
  let at = skipSpace(bytes, expectByte(bytes, span.start, openBracket));
  if (bytes[at] === closeBracket) return elements;
  for (;;) {
    const element = { start: at, end: skipValue(bytes, at) };
    elements.push(element);
    at = skipSpace(bytes, element.end);
    if (bytes[at] === closeBracket) return elements;
    at = skipSpace(bytes, expectByte(bytes, at, comma));
  }
}

export function decodeValue(bytes: Uint8Array, { start, end }: Span): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(start, end)));
  } catch {
    // JSON.parse's own message quotes the text.
    throw unreadable(`no JSON value`, start);
  }
}

export function skipSpace(bytes: Uint8Array, start: number): number {
  let at = start;
  for (; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
  }
  return at;
}

export function unreadable(what: string, offset: number): SidescopeError {
  return new SidescopeError('unreadable-source-map', `not a source map: ${what} at byte ${offset}`);
}

function skipValue(bytes: Uint8Array, start: number): number {
  const first = bytes[start];
  if (first === quote) return skipString(bytes, start);
  if (first === openBrace || first === openBracket) return skipNested(bytes, start);
  let at = start;
  while (at < bytes.length && !endsScalar(bytes[at]!)) at++;
  if (at === start) throw unreadable('no value', start);
  return at;
}

function skipNested(bytes: Uint8Array, start: number): number {
  let depth = 0;
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === quote) at = skipString(bytes, at) - 1;
    else if (byte === openBrace || byte === openBracket) depth++;
    else if ((byte === closeBrace || byte === closeBracket) && --depth === 0) return at + 1;
  }
  throw unreadable('a list or object without end', start);
}

function skipString(bytes: Uint8Array, start: number): number {
  expectByte(bytes, start, quote);
  for (let end = bytes.indexOf(quote, start + 1); end !== -1; end = bytes.indexOf(quote, end + 1)) {
    let escapes = 0;
    while (bytes[end - 1 - escapes] === backslash) escapes++;
    if (escapes % 2 === 0) return end + 1;
  }
  throw unreadable('a text without end', start);
}

function expectByte(bytes: Uint8Array, at: number, expected: number): number {
  if (bytes[at] === expected) return at + 1;
  throw unreadable(`expected ${String.fromCharCode(expected)}`, at);
}

function endsScalar(byte: number): boolean {
  return byte === comma || byte === closeBrace || byte === closeBracket || byte <= 0x20;
}
