import { JsonCursor } from './json-cursor.ts';
import type { AddedAttributes, Addition } from './splice.ts';
import { concat } from './write.ts';

/** As `spliceAttributes`, for a JSON request that was decoded: text is put in, nothing is written again. */
export function spliceJsonAttributes(bytes: Uint8Array, additions: readonly Addition[]): Uint8Array {
  if (additions.length === 0) return bytes;
  const parts: Uint8Array[] = [];
  let copied = 0;
  for (const { offset, attributes } of additions) {
    const added = elementsOf(attributes);
    if (added === '') continue;
    const place = placeIn(bytes, offset);
    parts.push(bytes.subarray(copied, place.start), new TextEncoder().encode(place.before + added + place.after));
    copied = place.end;
  }
  parts.push(bytes.subarray(copied));
  return concat(parts);
}

/** What stands between `start` and `end` is replaced. */
interface Place {
  readonly start: number;
  readonly end: number;
  readonly before: string;
  readonly after: string;
}

/** Before the bracket that ends `attributes`; a span without any gets the member. Of a repeated member the last counts, as in `JSON.parse`. */
function placeIn(bytes: Uint8Array, offset: number): Place {
  const cursor = new JsonCursor(bytes);
  cursor.position = offset;
  let place: Place | undefined;
  let count = 0;
  for (const key of cursor.members()) {
    count++;
    const start = cursor.position;
    if (key !== 'attributes') {
      cursor.skip();
      continue;
    }
    let elements = 0;
    for (const _ of cursor.elements()) {
      cursor.skip();
      elements++;
    }
    const end = cursor.position;
    const isArray = bytes[end - 1] === 0x5d;
    place = isArray
      ? { start: end - 1, end: end - 1, before: elements === 0 ? '' : ',', after: '' }
      : { start, end, before: '[', after: ']' };
  }
  const behindBrace = { start: offset + 1, end: offset + 1, before: '"attributes":[', after: count === 0 ? ']' : '],' };
  return place ?? behindBrace;
}

function elementsOf(attributes: AddedAttributes): string {
  return Object.entries(attributes)
    .map(([key, value]) => JSON.stringify({ key, value: anyValue(value) }))
    .join(',');
}

function anyValue(value: string | number | boolean): object {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}
