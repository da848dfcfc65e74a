/**
 * Above any span of a real SDK (their default is 128 attributes and 128 events); what is behind is left out of the decoded span, never
 * of the forwarded bytes. One count for attributes, list elements and events together, for each span, resource and scope.
 */
export const valuesPerSpanMax = 4_096;

/** A longer string is cut, a longer byte value left empty: a stack trace has about 4 kB, a statement rarely more than 10. */
export const stringBytesMax = 64 * 1024;

/** Protobuf's own bound on messages within messages. */
export const depthMax = 100;

/** A longer span is rejected unread: one step of decoding must not block the loop. The same for a resource or a scope. */
export const spanBytesMax = 4 * 1024 * 1024;

/** How far a reader goes in one step: about 1,100 spans of 229 bytes, 1-2 ms. */
export const stepBytes = 256 * 1024;

/**
 * Fields beside valid spans at the three upper levels. A real request has one resource and a few scopes; the bound keeps a body of millions of
 * empty envelopes from blocking the loop.
 */
export const envelopeFieldsMax = 200_000;
