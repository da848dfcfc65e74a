import { createContext } from 'preact';
import { useContext, useEffect, useState } from 'preact/hooks';
import { asProblem } from '../api.ts';
import type { Api, ApiProblem } from '../api.ts';
import type { PageState } from '../model/page-state.ts';
import type { PageStore } from '../model/store.ts';

export interface Page {
  readonly api: Api;
  readonly store: PageStore;
  /** Forgets the token and asks for another one above the view. */
  readonly signOut: () => void;
}

export const PageContext = createContext<Page | null>(null);

export function usePage(): Page {
  const page = useContext(PageContext);
  if (page === null) throw new Error('usePage() outside of the page');
  return page;
}

export function usePageState(store: PageStore): PageState {
  const [state, setState] = useState(store.state);
  useEffect(() => {
    setState(store.state);
    return store.subscribe(() => setState(store.state));
  }, [store]);
  return state;
}

/** The agent's time now, read anew every `everyMs` for as long as the component is there. */
export function useNow(offsetMs: number, everyMs: number): number {
  const [nowMs, setNowMs] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return nowMs + offsetMs;
}

export interface Action {
  readonly busy: boolean;
  readonly problem: ApiProblem | null;
  /** Runs one request at a time; its failure becomes `problem` until the next run. */
  readonly run: (work: () => Promise<void>) => void;
  readonly clear: () => void;
}

export function useAction(): Action {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const run = (work: () => Promise<void>): void => {
    if (busy) return;
    setBusy(true);
    setProblem(null);
    work()
      .catch((error: unknown) => setProblem(asProblem(error)))
      .finally(() => setBusy(false));
  };
  return { busy, problem, run, clear: () => setProblem(null) };
}
