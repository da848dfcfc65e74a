/** The statuses that OTLP lets a sender try again after; every other failure is final. */
export const retryableStatuses: readonly number[] = [429, 502, 503, 504];

export interface RetryPauses {
  readonly firstMs: number;
  readonly longestMs: number;
}

/** Doubles with each failure in a row, spread over half to one and a half of it so that senders do not come back together. */
export function pauseAfter(failures: number, { firstMs, longestMs }: RetryPauses, random: () => number): number {
  return Math.min(longestMs, firstMs * 2 ** (failures - 1)) * (0.5 + random());
}

/** Not longer than this, whatever an OTLP upstream asks for. */
const retryAfterMaxMs = 120_000;

/** A `Retry-After` header (RFC 9110 10.2.3) in milliseconds from now: seconds, or an HTTP date. Undefined when it is neither. */
export function retryAfterMs(
  header: string | null | undefined,
  nowMs: number,
  longestMs = retryAfterMaxMs,
): number | undefined {
  const text = header?.trim() ?? '';
  if (text === '') return undefined;
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), longestMs);
}
