import type { Catch } from '../../protocol/rest/rules.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import type { Vitals } from '../../protocol/rest/vitals.ts';
import type { TraceSummary } from '../requests/trace.ts';

/** Of an event that has an end: so long that is waited for. */
export const longestEventMs = 60_000;

/** It came. `afterMs`: until all of it is in the recorder's windows. */
export interface Caught {
  readonly why: string;
  readonly afterMs: number;
}

const defaultAbove = { stall: null, saturation: null, delay: 200, cpu: 90, latency: 1_000 } as const;

/** Milliseconds; of `cpu`, which is asked for in hundredths of a core, cores. Null for what has no bound. */
export function boundOf(event: Catch['event'], above: number | undefined): number | null {
  const bound = defaultAbove[event] === null ? null : (above ?? defaultAbove[event]);
  return bound !== null && event === 'cpu' ? bound / 100 : bound;
}

/** With its end the window has all of it; one that lasts is kept as far as it got. One that was over before `sinceMs` is told again when more is known of it. */
export function caughtByStall(
  { event }: Pick<Catch, 'event'>,
  { thread, kind, summary, state, endedAt, durationMs }: Stall,
  sinceMs: number,
): Caught | undefined {
  if (thread !== 'main' || event !== (kind === 'blocked' ? 'stall' : 'saturation')) return undefined;
  if (endedAt !== null && Date.parse(endedAt) < sinceMs) return undefined;
  if (state === 'ongoing' && durationMs < longestEventMs && kind === 'blocked') return undefined;
  return { why: summary, afterMs: kind === 'blocked' ? 1_000 : 10_000 };
}

export function caughtByDelay({ event, above }: Pick<Catch, 'event' | 'above'>, { loop }: Vitals): Caught | undefined {
  const { delayMaxMs } = loop;
  if (event !== 'delay' || delayMaxMs === null || delayMaxMs < (above ?? Infinity)) return undefined;
  return { why: `the event loop was late by ${Math.round(delayMaxMs)} ms`, afterMs: 2_000 };
}

/** One reading over the bound may be a collection of garbage: `over` is how many in a row were before this one. */
export function caughtByCpu(
  { event, above }: Pick<Catch, 'event' | 'above'>,
  { cpu }: Vitals,
  over: number,
): { over: number; caught: Caught | undefined } {
  const cores = (cpu.userCores ?? 0) + (cpu.systemCores ?? 0);
  if (event !== 'cpu' || cores < (above ?? Infinity)) return { over: 0, caught: undefined };
  const caught = over >= 1 ? { why: `it used ${cores.toFixed(2)} cores`, afterMs: 10_000 } : undefined;
  return { over: over + 1, caught };
}

/** Spans come some seconds after their request: the window has it all. Half of one that began before `sinceMs` is in no window. */
export function caughtByRequest(
  { event, above }: Pick<Catch, 'event' | 'above'>,
  { name, startMs, durationMs }: TraceSummary,
  sinceMs: number,
): Caught | undefined {
  if (event !== 'latency' || durationMs < (above ?? Infinity) || startMs < sinceMs) return undefined;
  return { why: `${name} took ${Math.round(durationMs)} ms`, afterMs: 0 };
}
