/** Undefined when there is no answer in time. Rejects with the answer, or with the signal's reason. */
export async function within<T>(answer: Promise<T>, waitMs: number, signal: AbortSignal): Promise<T | undefined> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), waitMs);
  const onAbort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([answer, promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    // Rejected after it was given up, it has nobody else.
    answer.catch(() => undefined);
  }
}
