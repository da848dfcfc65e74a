import { SidescopeError } from '../../protocol/error.ts';
import { retryAfterMs } from '../requests/retry.ts';

/** Why a sink did not take a notice. The message names host and status, never a path, a query or a key. */
export class DeliveryError extends SidescopeError {
  /** Asking again would get the same answer. */
  readonly isFinal: boolean;
  /** What the receiver asked for. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: { isFinal: boolean; retryAfterMs?: number | undefined; cause?: unknown }) {
    super('alert-not-delivered', message, { cause: options.cause });
    this.isFinal = options.isFinal;
    this.retryAfterMs = options.retryAfterMs;
  }
}

const longestRetryAfterMs = 15 * 60_000;

/** Throws unless the status is one of success. Too many requests and faults of the receiver are worth another try, other refusals are not. */
export function checkStatus(receiver: string, answer: { status: number; retryAfter: string | null }): void {
  const { status, retryAfter } = answer;
  if (status >= 200 && status < 300) return;
  const isFinal = status < 500 && status !== 429 && status !== 408;
  const askedMs = retryAfterMs(retryAfter, Date.now(), longestRetryAfterMs);
  throw new DeliveryError(`${receiver} answered ${status}`, { isFinal, retryAfterMs: askedMs });
}
