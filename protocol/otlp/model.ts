/** One span as received, all that the store and the views need; immutable. */
export interface Span {
  /** 32 lower-case hex digits. */
  readonly traceId: string;
  /** 16 lower-case hex digits. */
  readonly spanId: string;
  /** Empty for a root. */
  readonly parentSpanId: string;
  /** `SpanFlags`, 0 where the sender has none: 0x100 says that 0x200 (parent is remote) is meaningful. */
  readonly flags: number;
  readonly traceState: string;
  readonly name: string;
  /** 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  readonly kind: number;
  /** Milliseconds since the epoch with a fraction, good to about 0.25 µs. The JS SDK starts spans on whole milliseconds. */
  readonly startMs: number;
  /** From the exact nanoseconds of start and end; 0 where the end is before the start. */
  readonly durationMs: number;
  /** 0 unset, 1 ok, 2 error. */
  readonly statusCode: number;
  readonly statusMessage: string;
  readonly scopeName: string;
  readonly scopeVersion: string;
  readonly attributes: Attributes;
  readonly events: readonly SpanEvent[];
  readonly linkCount: number;
  /** Shared by all spans of one ResourceSpans. */
  readonly resource: Resource;
}

export interface SpanEvent {
  readonly name: string;
  readonly timeMs: number;
  readonly attributes: Attributes;
}

export interface Resource {
  readonly attributes: Attributes;
}

/**
 * Of a repeated key the last value counts. Values behind the bounds in `limits.ts` are left out, long strings are cut there.
 * Integers beyond 2^53 are bigint; bytes are Uint8Array copies, never views of the body.
 */
export type AttributeValue = string | number | bigint | boolean | null | Uint8Array | AttributeValue[] | AttributeMap;
export interface AttributeMap {
  readonly [key: string]: AttributeValue;
}
export type Attributes = AttributeMap;
