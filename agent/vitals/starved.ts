import type { ThreadSchedule } from './process-files.ts';

/**
 * From here on a thread is as slow as with two thirds of a CPU: what is measured by the clock, and memory that late collections leave lying, says as much of the machine as
 * of the program.
 */
export const starvedAtLeast = 1 / 3;
/** What wanted less says nothing: one turn of the scheduler more or less. */
const leastWantedMs = 1;

/** Of the time in which a thread wanted a CPU, the share that it waited for one. Null where that is not known, or it wanted none. */
export function starvedRatio(before: ThreadSchedule | undefined, now: ThreadSchedule | undefined): number | null {
  if (before === undefined || now === undefined) return null;
  const ranMs = now.ranMs - before.ranMs;
  const waitedMs = now.waitedMs - before.waitedMs;
  if (ranMs < 0 || waitedMs < 0 || ranMs + waitedMs < leastWantedMs) return null;
  return waitedMs / (ranMs + waitedMs);
}

export function isStarved(ratio: number | null | undefined): boolean {
  return typeof ratio === 'number' && ratio >= starvedAtLeast;
}
