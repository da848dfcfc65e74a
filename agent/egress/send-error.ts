import { SidescopeError } from '../../protocol/error.ts';

/** Why something was not sent; a label of metrics, so that there are few. */
export const failureReasons = [
  'unreachable',
  'timeout',
  'cut',
  'credentials',
  'throttled',
  'refused',
  'server-error',
  'disk',
  'unreadable',
  'redaction',
  'internal',
] as const;
export type FailureReason = (typeof failureReasons)[number];

export interface SendFailure {
  readonly reason: FailureReason;
  /** Whom the next attempt is about: the whole destination waits, or this profile alone steps back, or it is never tried again. */
  readonly next: 'destination-waits' | 'item-waits' | 'never';
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/** A destination did not take something. The message names host, status and the receiver's own code; never a query, a key or a path with secrets. */
export class SendError extends SidescopeError {
  readonly reason: FailureReason;
  readonly next: SendFailure['next'];
  /** What the receiver asked for. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, { reason, next, retryAfterMs, cause }: SendFailure) {
    super('egress-failed', message, { cause });
    this.reason = reason;
    this.next = next;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Whatever else went wrong, as a failure of this one item: what cannot be read now may be gone, or be readable later. */
export function asSendError(error: unknown): SendError {
  if (error instanceof SendError) return error;
  if (!(error instanceof SidescopeError))
    return new SendError(`it failed unexpectedly: ${error instanceof Error ? error.message : String(error)}`, {
      reason: 'internal',
      next: 'item-waits',
      cause: error,
    });
  const { message } = error;
  switch (error.code) {
    case 'unknown-profile':
    case 'damaged-profile':
    case 'unreadable-profile':
    case 'unsupported-format':
      return new SendError(message, { reason: 'unreadable', next: 'never', cause: error });
    case 'analysis-limit':
      return new SendError(message, { reason: 'redaction', next: 'item-waits', cause: error });
    default:
      return new SendError(message, { reason: 'internal', next: 'item-waits', cause: error });
  }
}
