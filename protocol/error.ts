import type { ProblemCode } from './rest/problem.ts';

/**
 * The one error class. Callers match on `code`; `message` holds the facts (what was tried, on what, the limit, the
 * value seen) and nothing secret; `details` travels in the problem+json body as it is.
 */
export class SidescopeError extends Error {
  readonly code: ProblemCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: ProblemCode,
    message: string,
    options: { cause?: unknown; details?: Record<string, unknown> } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SidescopeError';
    this.code = code;
    this.details = options.details ?? {};
  }
}

export function isSidescopeError(error: unknown, code?: ProblemCode): error is SidescopeError {
  return error instanceof SidescopeError && (code === undefined || error.code === code);
}
