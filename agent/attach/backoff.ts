/** How long to wait before the next attempt. A target that restarts is back within a second; one that is away costs one loopback connect per 5 s. */
const firstDelayMs = 250;
const longestDelayMs = 5_000;
const growth = 1.6;
/** Several agents, or several targets of one, must not knock in step. */
const jitter = 0.25;

/** `attempt` counts from 1; `random` gives [0, 1). */
export function backoffMs(attempt: number, random: () => number): number {
  const delayMs = Math.min(longestDelayMs, firstDelayMs * growth ** Math.min(attempt - 1, 30));
  return delayMs * (1 - jitter + 2 * jitter * random());
}
