import { z } from 'zod';
import { checked } from './readings.ts';

/** A span as the application's own OpenTelemetry has it. */
export interface ReadSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly name: string;
  /** `http.route`, where the span has it already. */
  readonly route: string | null;
}

/** One answer of `spanExpression`. */
export interface SpanReading {
  /** The target's CLOCK_MONOTONIC, as the times of CPU profiles. */
  readonly monotonicUs: number;
  /** The target's wall clock, whole milliseconds, rounded down. */
  readonly wallMs: number;
  /** `none`: JavaScript ran outside of any span. `idle`: nothing ran. `unknown`: it could not be told. */
  readonly what: ReadSpan | 'none' | 'idle' | 'unknown' | 'no-api';
  /** What the reading took inside the target. */
  readonly costUs: number;
}

const text = z.string().max(200);

const spanReadingSchema = z.tuple([
  z.number().nonnegative(),
  z.number().nonnegative(),
  z.number(),
  z
    .union([
      z.enum(['none', 'idle', 'unknown', 'no-api']),
      // Ids as OpenTelemetry has them; anything else is no span that could be looked up.
      z.tuple([z.string().regex(/^(?!0{32})[0-9a-f]{32}$/), z.string().regex(/^(?!0{16})[0-9a-f]{16}$/), text, text]),
    ])
    .catch('unknown'),
  z.number().nonnegative(),
]);

export function decodeSpanReading(value: unknown): SpanReading {
  const [seconds, nanoseconds, wallMs, what, costUs] = checked('span', spanReadingSchema, value);
  const monotonicUs = seconds * 1e6 + nanoseconds / 1e3;
  if (typeof what === 'string') return { monotonicUs, wallMs, what, costUs };
  const [traceId, spanId, name, route] = what;
  return { monotonicUs, wallMs, what: { traceId, spanId, name, route: route === '' ? null : route }, costUs };
}
