import type { TraceFacts } from './check.ts';
import { noCuts } from './cuts.ts';
import type { Cuts } from './cuts.ts';
import type { DecodedTraces } from './decode.ts';
import type { SpanContext } from './decode-span.ts';
import { JsonCursor } from './json-cursor.ts';
import { spanOfJson } from './json-span.ts';
import { JsonPiece } from './json-value.ts';
import { envelopeFieldsMax, spanBytesMax, stepBytes } from './limits.ts';
import type { Attributes, Resource, Span } from './model.ts';
import { unreadable } from './wire.ts';

export interface DecodedJson extends DecodedTraces {
  readonly cuts: Readonly<Cuts>;
}

/**
 * A JSON trace request, in steps of `stepBytes`. Parsing is what checks it, so there is no separate check: nothing may be used before the end. Throws
 * `unreadable-otlp` with an offset. Costs about four times what protobuf does.
 */
export function* decodeJsonRequest(bytes: Uint8Array): Generator<undefined, DecodedJson> {
  const reader = new JsonTraceReader(bytes);
  yield* reader.request();
  const { spans, offsets, rejectedCount, cuts } = reader;
  return { spans, offsets, spanCount: spans.length, rejectedCount, cuts };
}

class JsonTraceReader implements Pick<TraceFacts, 'rejectedCount'> {
  readonly #cursor: JsonCursor;
  readonly spans: Span[] = [];
  readonly offsets: number[] = [];
  rejectedCount = 0;
  readonly cuts = noCuts();
  #stepEnd = stepBytes;
  #fields = 0;

  constructor(bytes: Uint8Array) {
    this.#cursor = new JsonCursor(bytes);
  }

  *request(): Generator<undefined, void> {
    const cursor = this.#cursor;
    for (const key of cursor.members()) {
      if (key === 'resourceSpans') for (const _ of cursor.elements()) yield* this.#resourceSpans();
      else this.#ignore();
    }
    cursor.end();
  }

  /** The resource may come behind the spans: they hold it already, and it is filled when it is met. */
  *#resourceSpans(): Generator<undefined, void> {
    const cursor = this.#cursor;
    const attributes: Attributes = {};
    const resource: Resource = { attributes };
    for (const key of cursor.members()) {
      if (key === 'scopeSpans') for (const _ of cursor.elements()) yield* this.#scopeSpans(resource);
      else if (key === 'resource') {
        const piece = this.#piece('resource');
        Object.assign(attributes, piece.attributes(piece.object(cursor.parse(), 'resource')['attributes']));
      } else this.#ignore();
    }
    this.#count();
  }

  *#scopeSpans(resource: Resource): Generator<undefined, void> {
    const cursor = this.#cursor;
    const first = this.spans.length;
    let context: SpanContext = { resource, scopeName: '', scopeVersion: '' };
    for (const key of cursor.members()) {
      if (key === 'spans') {
        for (const _ of cursor.elements()) {
          this.#span(context);
          if (cursor.position < this.#stepEnd) continue;
          yield;
          this.#stepEnd = cursor.position + stepBytes;
        }
      } else if (key === 'scope') {
        const piece = this.#piece('scope');
        const scope = piece.object(cursor.parse(), 'scope');
        const scopeName = piece.string(scope['name'], 'name');
        context = { resource, scopeName, scopeVersion: piece.string(scope['version'], 'version') };
      } else this.#ignore();
    }
    this.#count();
    for (let index = first; index < this.spans.length; index++) {
      const span = this.spans[index];
      // Spans before their scope, which no exporter writes.
      if (span !== undefined && span.scopeName !== context.scopeName) this.spans[index] = { ...span, ...context };
    }
  }

  #span(context: SpanContext): void {
    const cursor = this.#cursor;
    const offset = cursor.position;
    const value = cursor.parse();
    const isLong = cursor.position - offset > spanBytesMax;
    const span = isLong ? undefined : spanOfJson(value, new JsonPiece(offset, this.cuts), context);
    if (span === undefined) {
      this.rejectedCount++;
      this.#count();
      return;
    }
    this.spans.push(span);
    this.offsets.push(offset);
  }

  #piece(name: string): JsonPiece {
    const { position, bytes } = this.#cursor;
    this.#count();
    if (bytes.length - position > spanBytesMax) {
      this.#cursor.skip();
      const length = this.#cursor.position - position;
      if (length > spanBytesMax) throw unreadable(`a ${name} of ${length} bytes (at most ${spanBytesMax})`, position);
      this.#cursor.position = position;
    }
    return new JsonPiece(position, this.cuts);
  }

  /** Parsed all the same: a document that is not JSON is refused wherever it is not. */
  #ignore(): void {
    this.#cursor.parse();
    this.#count();
  }

  #count(): void {
    if (++this.#fields > envelopeFieldsMax)
      throw unreadable(`more than ${envelopeFieldsMax} members beside the valid spans`, this.#cursor.position);
  }
}
