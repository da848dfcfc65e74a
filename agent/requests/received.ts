import type { OtlpEncoding } from '../../protocol/otlp/encoding.ts';

export type OtlpSignal = 'traces' | 'metrics' | 'logs';

/** A request as it came, its body complete. */
export interface Received {
  readonly signal: OtlpSignal;
  readonly encoding: OtlpEncoding;
  /** The bytes that were sent. */
  readonly body: Uint8Array;
  readonly contentEncoding: 'gzip' | undefined;
  /** Those that an upstream may need: see `forwardedHeaders`. */
  readonly headers: Readonly<Record<string, string>>;
  readonly receivedAtMs: number;
}

/** A trace request that was checked. */
export interface ReceivedTraces extends Received {
  readonly signal: 'traces';
  /** Decompressed. */
  readonly plain: Uint8Array;
  readonly spanCount: number;
}
