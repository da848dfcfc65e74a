/** A span that was on a thread when it was interrupted. */
export interface SeenSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly name: string;
  readonly route: string | null;
}

/** The readings of one thread during one capture, as columns in order of time. */
export interface SpanReadings {
  /** The target's CLOCK_MONOTONIC, as `CpuProfile.startTimeUs`. */
  readonly timesUs: readonly number[];
  /** Per reading: index in `spans`, or one of `readingOf`. */
  readonly spanIndexes: readonly number[];
  readonly spans: readonly SeenSpan[];
  /** Wall clock minus the profile's, in milliseconds; null where no reading told it. */
  readonly wallOffsetMs: number | null;
  /** Readings beyond the bounds: not kept. */
  readonly dropped: number;
  /** Why there are none, or no more; null where all was read. */
  readonly problem: string | null;
}

/** What a reading says that found no span. `noneRan`: JavaScript ran outside of any; `unknown`: idle, or it could not be told. */
export const readingOf = { noneRan: -1, unknown: -2 } as const;

/** A request that the process served while the profile was taken, as its spans tell it. */
export interface RequestWindow {
  readonly traceId: string;
  /** Of its entry into the process. */
  readonly spanId: string;
  readonly name: string;
  readonly route: string | null;
  /** Wall clock, in milliseconds since the epoch; good to 1 ms. */
  readonly startMs: number;
  readonly endMs: number;
  readonly failed: boolean;
  readonly statusCode: number | null;
  /** While it was waiting for a database or another service and for nothing else: not on the CPU. */
  readonly waitsMs: readonly (readonly [number, number])[];
  /** Those of its spans that readings saw. */
  readonly seenSpanIds: readonly string[];
}

/** What a profile is joined with. */
export interface JoinInput {
  readonly readings: SpanReadings | null;
  readonly requests: readonly RequestWindow[];
  /** Wall clock minus the profile's, in milliseconds. */
  readonly wallOffsetMs: number | null;
  /** Requests are served on the main thread: of a worker only the readings tell. */
  readonly isMainThread: boolean;
}
