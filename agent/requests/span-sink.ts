import type { Span } from '../../protocol/otlp/model.ts';

/** Where decoded spans go: the trace store. Called on the agent's loop, at most a few hundred spans at a time; must not throw. */
export interface SpanSink {
  /** The spans and what they hold belong to the sink from now on; nothing in them is a view of the received body. */
  add(spans: readonly Span[], batch: SpanBatch): void;
}

/** One slice of a received request. Slices of one request come in order, with the same `receivedAtMs`. */
export interface SpanBatch {
  /** The agent's wall clock when the request was acknowledged, in milliseconds since the epoch. */
  readonly receivedAtMs: number;
  /** Of the decompressed body that these spans were, about: what they would cost kept as wire bytes. */
  readonly bytes: number;
}
