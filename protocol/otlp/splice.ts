import { WireCursor } from './wire.ts';
import { concat, field, messageHeader } from './write.ts';

/** What may be added to a span on its way; whole numbers become integers. */
export type AddedAttributes = Readonly<Record<string, string | number | boolean>>;

/** `offset` is where the decoder found the span (`SpanSlice.offsets`). */
export interface Addition {
  readonly offset: number;
  readonly attributes: AddedAttributes;
}

/**
 * A checked protobuf request with attributes appended to some of its spans, in ascending order of offset: new bytes, in which nothing else differs but the
 * lengths of the three messages around each. Without additions the very same bytes. About 0.1 µs for each span of the request.
 */
export function spliceAttributes(bytes: Uint8Array, additions: readonly Addition[]): Uint8Array {
  if (additions.length === 0) return bytes;
  const splice = new Splice(bytes, additions);
  return concat(splice.message({ level: 0, start: 0, end: bytes.length }).parts);
}

/** ResourceSpans in the request, ScopeSpans in it, Span in that. */
const innerFields = [1, 2, 2];

interface Rewritten {
  readonly parts: readonly Uint8Array[];
  readonly length: number;
}

class Splice {
  readonly #cursor: WireCursor;
  readonly #additions: readonly Addition[];
  #next = 0;

  constructor(bytes: Uint8Array, additions: readonly Addition[]) {
    this.#cursor = new WireCursor(bytes);
    this.#additions = additions;
  }

  message({ level, start, end }: { level: number; start: number; end: number }): Rewritten {
    const cursor = this.#cursor;
    const { bytes } = cursor;
    const number = innerFields[level] ?? 0;
    const parts: Uint8Array[] = [];
    let copied = start;
    cursor.position = start;
    while (cursor.position < end && this.#next < this.#additions.length) {
      const tagStart = cursor.position;
      const tag = cursor.varint();
      if (tag !== ((number << 3) | 2)) {
        cursor.skip(tag);
        continue;
      }
      const innerLength = cursor.varint();
      const innerStart = cursor.position;
      const innerEnd = innerStart + innerLength;
      if (this.#isIn(innerStart, innerEnd)) {
        const inner =
          level === innerFields.length - 1
            ? this.#span(innerStart, innerEnd)
            : this.message({ level: level + 1, start: innerStart, end: innerEnd });
        parts.push(bytes.subarray(copied, tagStart), messageHeader(number, inner.length), ...inner.parts);
        copied = innerEnd;
      }
      cursor.position = innerEnd;
    }
    parts.push(bytes.subarray(copied, end));
    return { parts, length: parts.reduce((sum, part) => sum + part.length, 0) };
  }

  #span(start: number, end: number): Rewritten {
    const { attributes = {} } = this.#additions[this.#next++] ?? {};
    const added = concat(Object.entries(attributes).map(([key, value]) => keyValue(key, value)));
    return { parts: [this.#cursor.bytes.subarray(start, end), added], length: end - start + added.length };
  }

  #isIn(start: number, end: number): boolean {
    const offset = this.#additions[this.#next]?.offset ?? -1;
    return offset >= start && offset < end;
  }
}

/** Field 9 of a span. */
function keyValue(key: string, value: string | number | boolean): Uint8Array {
  return field.message(9, field.string(1, key), field.message(2, anyValue(value)));
}

function anyValue(value: string | number | boolean): Uint8Array {
  if (typeof value === 'string') return field.string(1, value);
  if (typeof value === 'boolean') return field.bool(2, value);
  return Number.isSafeInteger(value) ? field.int64(3, value) : field.double(4, value);
}
