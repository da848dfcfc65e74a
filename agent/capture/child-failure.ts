import { isSidescopeError } from '../../protocol/error.ts';
import type { ProblemCode } from '../../protocol/rest/problem.ts';

/** What a process that reads a stored snapshot says of its own end. */
export interface ChildFailure {
  readonly code: ProblemCode;
  readonly message: string;
}

/** Memory that the system refuses is an error of zlib or of a system call; V8's own is a `RangeError`, or the end of the process. */
const memoryCodes: readonly unknown[] = ['Z_MEM_ERROR', 'ENOMEM', 'ERR_MEMORY_ALLOCATION_FAILED'];

/** Its own code, `analysis-limit` for want of memory, else `damaged-profile`. */
export function childFailureOf(error: unknown): ChildFailure {
  const message = error instanceof Error ? error.message : String(error);
  if (isSidescopeError(error)) return { code: error.code, message };
  const isMemory = error instanceof RangeError || memoryCodes.includes((error as { code?: unknown } | null)?.code);
  return { code: isMemory ? 'analysis-limit' : 'damaged-profile', message };
}
