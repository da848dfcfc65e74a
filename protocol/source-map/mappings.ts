import { SidescopeError } from '../error.ts';
import { unreadable } from './json-fields.ts';

/** Each is at least a byte of text and some nanoseconds: a bundle of 10 MB has about 1.5 M. */
const segmentsMax = 20_000_000;

/** The segment being visited; lines and columns are 0-based. One object for all of them. */
export interface Segment {
  line: number;
  column: number;
  /** -1: this text comes from nowhere. */
  source: number;
  originalLine: number;
  originalColumn: number;
  /** -1: no name. */
  name: number;
}

export interface MappingsReader {
  /** A line begins; false ends the reading. */
  line(line: number): boolean;
  /** The segment's fields are this call's only. */
  segment(segment: Segment): void;
}

/**
 * Walks through base64 VLQ mappings, in the order of the text; columns may go back within a line. `offset` is that of the first byte, for
 * messages. Throws `unreadable-source-map`; numbers of sources and names are not checked here.
 */
export function readMappings(bytes: Uint8Array, offset: number, reader: MappingsReader): void {
  const segment: Segment = { line: 0, column: 0, source: -1, originalLine: 0, originalColumn: 0, name: -1 };
  const state = { source: 0, originalLine: 0, originalColumn: 0, name: 0 };
  const fields = new Int32Array(5);
  let segments = 0;
  let at = 0;
  if (!reader.line(0)) return;
  while (at < bytes.length) {
    const byte = bytes[at]!;
    if (byte === semicolon) {
      at++;
      segment.line++;
      segment.column = 0;
      if (!reader.line(segment.line)) return;
      continue;
    }
    if (byte === comma) {
      at++;
      continue;
    }
    const start = at;
    let count = 0;
    do {
      let value = 0;
      let shift = 0;
      let digit: number;
      do {
        digit = digits[bytes[at++] ?? 0]!;
        if (digit < 0) throw unreadable('expected a base64 digit in `mappings`', offset + at - 1);
        if (shift > 30 || (shift === 30 && digit > 3)) throw unreadable('a number over 32 bits', offset + start);
        value |= (digit & 31) << shift;
        shift += 5;
      } while (digit >= 32);
      if (count === 5) throw unreadable('a segment of more than 5 numbers', offset + start);
      fields[count++] = (value & 1) === 1 ? -(value >>> 1) : value >>> 1;
    } while (at < bytes.length && bytes[at] !== comma && bytes[at] !== semicolon);
    if (count === 2 || count === 3) throw unreadable(`a segment of ${count} numbers`, offset + start);
    if (++segments > segmentsMax)
      throw new SidescopeError('analysis-limit', `the source map has more than ${segmentsMax} segments`);
    segment.column += fields[0]!;
    segment.source = -1;
    segment.name = -1;
    if (count > 1) {
      segment.source = state.source += fields[1]!;
      segment.originalLine = state.originalLine += fields[2]!;
      segment.originalColumn = state.originalColumn += fields[3]!;
      if (count === 5) segment.name = state.name += fields[4]!;
      if (state.source < 0 || state.originalLine < 0 || state.originalColumn < 0 || state.name < 0)
        throw unreadable('a negative place', offset + start);
    }
    if (segment.column < 0) throw unreadable('a negative column', offset + start);
    reader.segment(segment);
  }
}

const comma = 0x2c;
const semicolon = 0x3b;

/** By byte; -1 for what is no digit. The byte 0 stands for the end of the text too. */
const digits = new Int8Array(256).fill(-1);
for (let digit = 0; digit < 64; digit++) {
  digits['ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'.charCodeAt(digit)] = digit;
}
