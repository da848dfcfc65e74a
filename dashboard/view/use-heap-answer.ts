import { useEffect, useState } from 'preact/hooks';
import { ApiProblem } from '../api.ts';
import type { HeapClient } from '../heap/heap-client.ts';

/** What the worker says about one thing of the snapshot. Asked again when `key` names another; an answer that comes too late is dropped. */
export function useHeapAnswer<Answer>(
  client: HeapClient,
  key: string | number,
  ask: () => Promise<Answer>,
): { readonly detail: Answer | null; readonly problem: ApiProblem | null } {
  const [detail, setDetail] = useState<Answer | null>(null);
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  useEffect(() => {
    let gone = false;
    setDetail(null);
    setProblem(null);
    ask().then(
      (found) => {
        if (!gone) setDetail(() => found);
      },
      (error: unknown) => {
        if (!gone && error instanceof ApiProblem) setProblem(error);
      },
    );
    return () => {
      gone = true;
    };
  }, [client, key]);
  return { detail, problem };
}
