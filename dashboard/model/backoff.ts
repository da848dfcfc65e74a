const firstDelayMs = 500;
const longestDelayMs = 15_000;

/**
 * How long to wait before attempt 1, 2, 3... of a reconnection: doubling from 0.5 s to 15 s, between half and the whole of it by
 * `random` (0..1), so that the tabs of a restarted agent do not come back in one moment.
 */
export function reconnectDelayMs(attempt: number, random: number): number {
  const ceiling = Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(attempt - 1, 16));
  return Math.round(ceiling / 2 + (ceiling / 2) * random);
}
