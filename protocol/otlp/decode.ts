import { checkTraceRequest } from './check.ts';
import type { TraceFacts } from './check.ts';
import { noCuts } from './cuts.ts';
import { readSpan } from './decode-span.ts';
import type { SpanContext } from './decode-span.ts';
import { beginSpan, readKeyValue, readString } from './decode-value.ts';
import type { DecodeState } from './decode-value.ts';
import { InternTable } from './intern.ts';
import { spanBytesMax, stepBytes } from './limits.ts';
import type { Attributes, Span } from './model.ts';
import { portableText } from './text.ts';
import type { TextSource } from './text.ts';
import { WireCursor } from './wire.ts';

/** Spans of one step, and where each begins in the body: its first byte behind tag and length, or the brace in JSON. */
export interface SpanSlice {
  readonly spans: readonly Span[];
  readonly offsets: readonly number[];
  /** Of the body, passed in this step. */
  readonly bytes: number;
}

export interface DecodedTraces extends TraceFacts {
  readonly spans: readonly Span[];
  readonly offsets: readonly number[];
}

/** One trace request at once: for small bodies and tests. The agent checks first, and decodes in steps. */
export function decodeTraceRequest(bytes: Uint8Array, decoder = new TraceDecoder()): DecodedTraces {
  const check = checkTraceRequest(bytes);
  let step = check.next();
  while (step.done !== true) step = check.next();
  const spans: Span[] = [];
  const offsets: number[] = [];
  for (const slice of decoder.decode(bytes)) {
    spans.push(...slice.spans);
    offsets.push(...slice.offsets);
  }
  return { ...step.value, spans, offsets };
}

/** Decodes one body after another; what it keeps between them (270 kB) are the strings that they share. */
export class TraceDecoder {
  /** Of all bodies so far. */
  readonly cuts = noCuts();
  readonly #strings: InternTable;

  constructor(text: TextSource = portableText) {
    this.#strings = new InternTable(text, this.cuts);
  }

  /**
   * In steps of about `stepBytes`, so that other work gets its turn between two; several bodies may be under way. The body must have passed
   * `checkTraceRequest` and stay as it is; nothing in the spans is a view of it.
   */
  *decode(bytes: Uint8Array): Generator<SpanSlice, void> {
    const cursor = new WireCursor(bytes);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const state: DecodeState = { cursor, strings: this.#strings, cuts: this.cuts, view, budget: 0 };
    let spans: Span[] = [];
    let offsets: number[] = [];
    let stepStart = 0;
    for (const end of messagesOf(cursor, resourceSpansTag, bytes.length)) {
      const resource = { attributes: readResource(state, cursor.position, end) };
      for (const scopeEnd of messagesOf(cursor, scopeSpansTag, end)) {
        const context: SpanContext = { resource, ...readScope(state, cursor.position, scopeEnd) };
        // Not `messagesOf`: a generator's turn for each span is 5 % of its cost.
        while (cursor.position < scopeEnd) {
          const tag = cursor.varint();
          if (tag !== spanTag) {
            cursor.skip(tag);
            continue;
          }
          const length = cursor.varint();
          const start = cursor.position;
          const spanEnd = start + length;
          const span = spanEnd - start > spanBytesMax ? undefined : readSpan(state, spanEnd, context);
          cursor.position = spanEnd;
          if (span !== undefined) {
            spans.push(span);
            offsets.push(start);
          }
          if (spanEnd - stepStart < stepBytes) continue;
          yield { spans, offsets, bytes: spanEnd - stepStart };
          [spans, offsets, stepStart] = [[], [], spanEnd];
        }
      }
    }
    yield { spans, offsets, bytes: bytes.length - stepStart };
  }
}

const resourceSpansTag = 0x0a;
const scopeSpansTag = 0x12;
const spanTag = 0x12;

/** The end of each message under one tag, the cursor at its first byte; what is beside them is passed over. */
export function* messagesOf(cursor: WireCursor, wanted: number, end: number): Generator<number> {
  while (cursor.position < end) {
    const tag = cursor.varint();
    if (tag !== wanted) {
      cursor.skip(tag);
      continue;
    }
    const length = cursor.varint();
    const messageEnd = cursor.position + length;
    yield messageEnd;
    cursor.position = messageEnd;
  }
}

/** The resource may come behind the spans, and in several parts: it is looked for first. The cursor ends where it was. */
function readResource(state: DecodeState, start: number, end: number): Attributes {
  const { cursor } = state;
  const attributes: Attributes = {};
  beginSpan(state);
  for (const resourceEnd of messagesOf(cursor, 0x0a, end)) {
    while (cursor.position < resourceEnd) {
      const tag = cursor.varint();
      if (tag === 0x0a) readKeyValue(state, attributes);
      else cursor.skip(tag);
    }
  }
  cursor.position = start;
  return attributes;
}

function readScope(state: DecodeState, start: number, end: number): { scopeName: string; scopeVersion: string } {
  const { cursor } = state;
  let scopeName = '';
  let scopeVersion = '';
  for (const scopeEnd of messagesOf(cursor, 0x0a, end)) {
    while (cursor.position < scopeEnd) {
      const tag = cursor.varint();
      if (tag === 0x0a) scopeName = readString(state);
      else if (tag === 0x12) scopeVersion = readString(state);
      else cursor.skip(tag);
    }
  }
  cursor.position = start;
  return { scopeName, scopeVersion };
}
