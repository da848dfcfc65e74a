import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiProblem } from '../api.ts';

/** Requests come all the time; nobody reads a list that changes faster. */
const pauseMs = 3_000;

export interface Fresh<Value> {
  readonly value: Value | null;
  readonly problem: ApiProblem | null;
}

interface Reading {
  readonly stop: AbortController;
  lastAtMs: number;
  isUnderWay: boolean;
  /** Something changed since the last answer was asked for. */
  isStale: boolean;
}

/**
 * What `read` answers: read at once when `key` changes, and again when `tick` does, one at a time and at most every three seconds. The last answer stays while
 * the next one comes, unless it is for another key.
 */
export function useFresh<Value>(options: {
  key: string;
  tick: unknown;
  read: (signal: AbortSignal) => Promise<Value>;
}): Fresh<Value> {
  const { key, tick, read } = options;
  const [fresh, setFresh] = useState<Fresh<Value> & { readonly key: string }>({ key, value: null, problem: null });
  const current = useRef<Reading | null>(null);

  const schedule = (reading: Reading): void => {
    reading.isStale = true;
    if (reading.isUnderWay) return;
    reading.isUnderWay = true;
    setTimeout(() => void readOnce(reading), Math.max(0, reading.lastAtMs + pauseMs - performance.now()));
  };
  const readOnce = async (reading: Reading): Promise<void> => {
    const { signal } = reading.stop;
    if (signal.aborted) return;
    reading.isStale = false;
    reading.lastAtMs = performance.now();
    try {
      setFresh({ key, value: await read(signal), problem: null });
    } catch (error) {
      if (signal.aborted) return;
      const problem =
        error instanceof ApiProblem ? error : new ApiProblem({ status: 0, code: 'page-fault', detail: String(error) });
      setFresh((before) => ({ key, value: before.key === key ? before.value : null, problem }));
    }
    reading.isUnderWay = false;
    if (reading.isStale && !signal.aborted) schedule(reading);
  };

  useEffect(() => {
    const reading = { stop: new AbortController(), lastAtMs: -Infinity, isUnderWay: false, isStale: false };
    current.current = reading;
    return () => reading.stop.abort();
  }, [key]);
  useEffect(() => {
    if (current.current !== null) schedule(current.current);
  }, [key, tick]);
  return fresh.key === key ? fresh : { value: null, problem: null };
}
