import type { AttributeMap, AttributeValue, Span } from '../../protocol/otlp/model.ts';

/** A span's own fields, ids and places in tables: measured at 480-620 bytes on Node 24. */
const spanBytes = 600;
const attributeBytes = 40;
const stringBytes = 24;
/** What one kept span may hold in texts; behind it every text is cut. */
const maxTextBytes = 16 * 1024;
const maxTextChars = 2_048;
const maxValues = 64;

/** What a span costs kept, about, in bytes. Texts that many spans share count for each: it is rather too much. */
export function sizeOfSpan({ attributes, events, statusMessage }: Span): number {
  let bytes = spanBytes + statusMessage.length + sizeOf(attributes);
  for (const event of events) bytes += 120 + sizeOf(event.attributes);
  return bytes;
}

/** The span itself, of `sizeBytes`, or one with its texts cut and its lists shortened where it is larger than a kept one may be. */
export function cutSpan(span: Span, sizeBytes: number): Span {
  if (sizeBytes <= spanBytes + maxTextBytes) return span;
  return {
    ...span,
    name: cutText(span.name),
    statusMessage: cutText(span.statusMessage),
    attributes: cutMap(span.attributes),
    events: span.events.slice(0, maxValues / 4).map((event) => ({ ...event, attributes: cutMap(event.attributes) })),
  };
}

function sizeOf(value: AttributeValue): number {
  if (typeof value === 'string') return value.length < 16 ? stringBytes : stringBytes + value.length;
  if (typeof value !== 'object' || value === null) return 8;
  if (value instanceof Uint8Array) return 100 + value.length;
  let bytes = 32;
  if (Array.isArray(value)) for (const item of value) bytes += sizeOf(item);
  else for (const key in value) bytes += attributeBytes + sizeOf(value[key] ?? null);
  return bytes;
}

function cutMap(map: AttributeMap): AttributeMap {
  return Object.fromEntries(
    Object.entries(map)
      .slice(0, maxValues)
      .map(([key, value]) => [cutText(key), cutValue(value)]),
  );
}

function cutValue(value: AttributeValue): AttributeValue {
  if (typeof value === 'string') return cutText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return value.length > maxTextChars ? value.slice(0, maxTextChars) : value;
  // Below the first level only what is small: nobody reads more of it in a waterfall.
  const text = JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner));
  return text.length <= maxTextChars ? value : cutText(text);
}

/** A copy: a slice of a string keeps all of it in memory. */
function cutText(text: string): string {
  return text.length <= maxTextChars ? text : `${Buffer.from(text.slice(0, maxTextChars)).toString()}…`;
}
