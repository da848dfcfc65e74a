import { fieldPath, messageIndex, messages, Rule } from './fields.ts';
import { depthMax, envelopeFieldsMax, spanBytesMax, stepBytes } from './limits.ts';
import { decodeUtf8 } from './text.ts';
import { unreadable, WireType } from './wire.ts';

/** What is known of a body before anything is decoded. */
export interface TraceFacts {
  /** Spans that can be decoded. */
  readonly spanCount: number;
  /** Spans without a valid trace and span id, or longer than `spanBytesMax`: they are left out. */
  readonly rejectedCount: number;
}

/**
 * Walks a whole `ExportTraceServiceRequest` in steps of `stepBytes`, about 0.3 µs for a span. Throws `unreadable-otlp` with the offset of what
 * is wrong: then nothing of the body is used. A body that passes can be decoded without further checks.
 */
export function* checkTraceRequest(bytes: Uint8Array): Generator<undefined, TraceFacts> {
  const check = new Check(bytes);
  const { resourceSpans, scopeSpans, span, resource, scope, request } = messageIndex;
  let stepEnd = stepBytes;
  let fields = 0;
  // The three upper levels are walked here, so that a step can end between two spans.
  const ends = [bytes.length];
  const path = [request];
  while (ends.length > 0) {
    const message = path.at(-1) ?? request;
    const end = ends.at(-1) ?? 0;
    if (check.position === end) {
      ends.pop();
      path.pop();
      continue;
    }
    const inner = check.field(message, end);
    if (inner !== span) fields++;
    if (fields + check.rejectedCount > envelopeFieldsMax)
      throw unreadable(`more than ${envelopeFieldsMax} fields beside the valid spans`, check.position);
    if (inner === undefined) continue;
    if (inner === span) check.span();
    else if (inner === resourceSpans || inner === scopeSpans) {
      ends.push(check.innerEnd);
      path.push(inner);
    } else {
      if (inner === resource || inner === scope) check.refuseLong(inner === resource ? 'resource' : 'scope');
      check.message(inner, check.innerEnd, path.length);
    }
    if (check.position >= stepEnd) {
      yield;
      stepEnd = check.position + stepBytes;
    }
  }
  return { spanCount: check.spanCount, rejectedCount: check.rejectedCount };
}

const noRules = new Uint8Array(32);
const hasTraceId = 1;
const hasSpanId = 2;
const hasBadParent = 4;

class Check {
  readonly #bytes: Uint8Array;
  position = 0;
  /** Where the message ends that `field` found. */
  innerEnd = 0;
  spanCount = 0;
  rejectedCount = 0;
  #ids = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Passes one field, or stands at the first byte of a message and returns its index. */
  field(message: number, end: number): number | undefined {
    const start = this.position;
    const tag = this.#varint(end);
    const number = tag >>> 3;
    const wireType = tag & 7;
    if (number === 0) throw unreadable('a field has the number 0', start);
    const rule = number < 32 ? (messages[message]?.[number] ?? Rule.unknown) : Rule.unknown;
    if (rule !== Rule.unknown && wireType !== wireTypeOf(rule))
      throw unreadable(`${fieldPath(message, number)} has wire type ${wireType}`, start);
    switch (wireType) {
      case WireType.varint:
        this.#varint64(end);
        return undefined;
      case WireType.fixed64:
        this.#pass(8, end);
        return undefined;
      case WireType.fixed32:
        this.#pass(4, end);
        return undefined;
      case WireType.length: {
        const length = this.#varint(end);
        const at = this.position;
        if (length > end - at)
          throw unreadable(`${fieldPath(message, number)} is ${length} bytes long and ${end - at} are left`, start);
        this.innerEnd = at + length;
        if (rule >= Rule.message) return rule - Rule.message;
        if (rule === Rule.string) this.#string(length);
        else if (rule >= Rule.traceId) this.#id(rule, length);
        this.position = at + length;
        return undefined;
      }
      default:
        throw unreadable(`wire type ${wireType} (${wireType === 3 || wireType === 4 ? 'group' : 'unknown'})`, start);
    }
  }

  message(index: number, end: number, depth: number): void {
    if (depth > depthMax) throw unreadable(`messages are nested deeper than ${depthMax}`, this.position);
    const bytes = this.#bytes;
    const rules = messages[index] ?? noRules;
    let at = this.position;
    while (at < end) {
      // Nearly all of a request are fields like these four: a short ASCII string, a short message, a time, a small number. `field` takes what is not.
      const tag = bytes[at] ?? 0;
      const next = bytes[at + 1] ?? 0;
      const rule = tag < 0x80 ? (rules[tag >> 3] ?? 0) : 0;
      if (next < 0x80 && (tag & 7) === WireType.length && at + 2 + next <= end) {
        const innerEnd = at + 2 + next;
        if (rule === Rule.string) {
          let all = 0;
          for (let from = at + 2; from < innerEnd; from++) all |= bytes[from] ?? 0;
          if (all < 0x80) {
            at = innerEnd;
            continue;
          }
        } else if (rule >= Rule.message) {
          this.position = at + 2;
          this.message(rule - Rule.message, innerEnd, depth + 1);
          at = innerEnd;
          continue;
        }
      } else if (rule === Rule.fixed64 && (tag & 7) === WireType.fixed64 && at + 9 <= end) {
        at += 9;
        continue;
      } else if (rule === Rule.varint && (tag & 7) === WireType.varint && next < 0x80 && at + 2 <= end) {
        at += 2;
        continue;
      }
      this.position = at;
      const inner = this.field(index, end);
      if (inner !== undefined) this.message(inner, this.innerEnd, depth + 1);
      at = this.position;
    }
    this.position = at;
  }

  span(): void {
    const end = this.innerEnd;
    if (end - this.position > spanBytesMax) {
      this.rejectedCount++;
      this.position = end;
      return;
    }
    this.#ids = 0;
    this.message(messageIndex.span, end, 3);
    if (this.#ids === (hasTraceId | hasSpanId)) this.spanCount++;
    else this.rejectedCount++;
  }

  refuseLong(name: string): void {
    const length = this.innerEnd - this.position;
    if (length > spanBytesMax)
      throw unreadable(`a ${name} of ${length} bytes (at most ${spanBytesMax})`, this.position);
  }

  #id(rule: number, length: number): void {
    const isZero = isAllZero(this.#bytes, this.position, this.position + length);
    if (rule === Rule.parentId) {
      const isBad = length !== 0 && length !== 8;
      this.#ids = isBad ? this.#ids | hasBadParent : this.#ids & ~hasBadParent;
      return;
    }
    const bit = rule === Rule.traceId ? hasTraceId : hasSpanId;
    const isValid = length === (rule === Rule.traceId ? 16 : 8) && !isZero;
    this.#ids = isValid ? this.#ids | bit : this.#ids & ~bit;
  }

  /** Nearly all strings are ASCII; the rest go to the platform's decoder, which knows what UTF-8 is. */
  #string(length: number): void {
    const bytes = this.#bytes;
    const end = this.position + length;
    if (length < 512) {
      let all = 0;
      for (let at = this.position; at < end; at++) all |= bytes[at] ?? 0;
      if (all < 0x80) return;
    }
    try {
      decodeUtf8(bytes.subarray(this.position, end));
    } catch {
      // The platform says neither what nor where.
      throw unreadable('a string is not UTF-8', this.position);
    }
  }

  #pass(count: number, end: number): void {
    if (count > end - this.position) throw unreadable('a number is cut', this.position);
    this.position += count;
  }

  /** A tag or length. More than 32 bits are refused: no body is that long. */
  #varint(end: number): number {
    const bytes = this.#bytes;
    const start = this.position;
    if (start >= end) throw unreadable('a field is cut', start);
    const first = bytes[start] ?? 0;
    this.position = start + 1;
    if (first < 0x80) return first;
    let value = first & 0x7f;
    let scale = 0x80;
    for (let at = start + 1; at < start + 10; at++) {
      if (at >= end) throw unreadable('a number is cut', start);
      const byte = bytes[at] ?? 0;
      value += (byte & 0x7f) * scale;
      scale *= 0x80;
      if (byte < 0x80) {
        if (value > 0xffff_ffff) throw unreadable('a tag or length of more than 32 bits', start);
        this.position = at + 1;
        return value;
      }
    }
    throw unreadable('a number of more than 10 bytes', start);
  }

  #varint64(end: number): void {
    const start = this.position;
    for (let at = start; at < start + 10; at++) {
      if (at >= end) throw unreadable('a number is cut', start);
      const byte = this.#bytes[at] ?? 0;
      if (byte < 0x80) {
        if (at === start + 9 && byte > 1) break;
        this.position = at + 1;
        return;
      }
    }
    throw unreadable('a number of more than 64 bits', start);
  }
}

function wireTypeOf(rule: number): number {
  return rule === Rule.varint
    ? WireType.varint
    : rule === Rule.fixed64
      ? WireType.fixed64
      : rule === Rule.fixed32
        ? WireType.fixed32
        : WireType.length;
}

function isAllZero(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] !== 0) return false;
  return true;
}
