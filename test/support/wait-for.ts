import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';

export interface WaitOptions {
  /** 20 s unless told. */
  readonly deadlineMs?: number | undefined;
  /** What was waited for, as the end of "waited for ...". A function is called at the deadline. */
  readonly message: string | (() => string);
  readonly signal?: AbortSignal | undefined;
}

/**
 * Polls `condition` until it gives a truthy value and returns that value. A throw counts as "not yet".
 * Rejects after the deadline with the message and the last value or error seen.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  { deadlineMs = 20_000, message, signal }: WaitOptions,
): Promise<Truthy<T>> {
  const startMs = performance.now();
  let pauseMs = 2;
  for (;;) {
    signal?.throwIfAborted();
    const seen = await attempt(condition);
    if ('value' in seen && seen.value) return seen.value as Truthy<T>;
    if (performance.now() - startMs > deadlineMs) {
      const last =
        'value' in seen ? `last value: ${inspect(seen.value, { depth: 4 })}` : `last error: ${inspect(seen.error)}`;
      throw new Error(`waited ${deadlineMs} ms for ${typeof message === 'string' ? message : message()}; ${last}`);
    }
    await delay(pauseMs);
    pauseMs = Math.min(pauseMs * 1.5, 50);
  }
}

type Truthy<T> = Exclude<T, false | null | undefined | 0 | ''>;

async function attempt<T>(condition: () => T | Promise<T>): Promise<{ value: T } | { error: unknown }> {
  try {
    return { value: await condition() };
  } catch (error) {
    // Not yet: the last one is told when the deadline passes.
    return { error };
  }
}
