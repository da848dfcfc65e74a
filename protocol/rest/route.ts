import type { z } from 'zod';
import type { ProblemCode } from './problem.ts';

/** `admin` may do everything; the others are exactly what they name and imply nothing. */
export const scopes = ['view', 'capture', 'heap', 'admin'] as const;
export type Scope = (typeof scopes)[number];

export interface RouteAnswer {
  readonly status: number;
  readonly description: string;
  readonly schema?: z.ZodType;
  /** `application/json` where there is a schema and nothing is said. */
  readonly mediaType?: string;
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Below `apiPath`; `:id` is one segment, a last `*` is the rest. */
  readonly path: string;
  readonly scope: Scope | 'public';
  /** Needed beside `scope` when the artifact is a heap one: it holds whatever the process had in memory. */
  readonly heapScope?: 'heap';
  readonly summary: string;
  /** Name in the audit log. A route without one is a read and leaves no line. */
  readonly action?: string;
  /** A `ticket` in the query may stand for the credential. */
  readonly ticket?: true;
  /** Answered when `:id` cannot be an id at all. */
  readonly unknownId?: ProblemCode;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  readonly answers: readonly RouteAnswer[];
  /** Beside those that every route may give: see `commonErrors`. */
  readonly errors: readonly ProblemCode[];
  /** Static files: served, but not part of the contract document. */
  readonly hidden?: true;
}
