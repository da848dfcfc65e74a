import type { Parcel, ParcelKind } from './parcel.ts';

export interface SendAttempt {
  readonly signal: AbortSignal;
  /** What an earlier attempt left with `setNote`. */
  readonly note: string | null;
  readonly setNote: (note: string | null) => void;
}

/** Where parcels go; one at a time each. */
export interface Destination extends Disposable {
  /** Without anything secret. */
  readonly where: string;
  /** What it can take at all. */
  readonly takes: readonly ParcelKind[];
  /** A call to the system that cannot be ended has not returned: the process cannot end by itself. */
  readonly hangs?: boolean;
  /** Resolves with the bytes sent. Rejects with a `SendError`, with what the artifact's bytes failed with, or with `signal.reason`. */
  send(parcel: Parcel, attempt: SendAttempt): Promise<number>;
}
