import { useEffect, useState } from 'preact/hooks';
import { ApiProblem } from '../api.ts';
import type { FlameClient } from '../flame/flame-client.ts';
import type { FlameTree } from '../flame/flame-tree.ts';
import type { Matches } from '../flame/search.ts';
import { formatShare, plural } from '../format.ts';

const typingPauseMs = 150;
/** 100,000 functions take some 30 ms: what takes longer is an expression that tries without end. */
const limitMs = 5_000;

export interface Search {
  /** Per frame of the tree; null where nothing is searched, or not yet. */
  readonly matches: Uint8Array | null;
  readonly text: string;
  readonly problem: ApiProblem | null;
}

/** Searches in the worker, once the typing pauses. An expression that never ends costs the worker: `onStuck` starts another. */
export function useSearch(asked: {
  client: FlameClient;
  pattern: string;
  tree: FlameTree;
  inDiff: boolean;
  onStuck: (pattern: string) => void;
}): Search {
  const { client, pattern, tree, inDiff, onStuck } = asked;
  const [found, setFound] = useState<{ tree: FlameTree; matches: Matches } | null>(null);
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  useEffect(() => {
    setProblem(null);
    if (pattern === '') return setFound(null);
    let gone = false;
    let limit: ReturnType<typeof setTimeout> | undefined;
    const pause = setTimeout(() => {
      // What was asked before it (reading another profile takes seconds) is not the expression's fault.
      client.ask('turn', null).then(
        () => {
          if (!gone) limit = setTimeout(() => onStuck(pattern), limitMs);
        },
        () => undefined, // The search below fails for the same reason, and tells it.
      );
      client.ask('search', { pattern, inDiff }).then(
        (matches) => {
          clearTimeout(limit);
          if (!gone) setFound({ tree, matches });
        },
        (error: unknown) => {
          clearTimeout(limit);
          if (gone) return;
          setFound(null);
          setProblem(error instanceof ApiProblem ? error : null);
        },
      );
    }, typingPauseMs);
    return () => {
      gone = true;
      clearTimeout(pause);
      clearTimeout(limit);
    };
  }, [client, pattern, tree, inDiff]);
  const matches = found?.tree === tree && pattern !== '' ? found.matches : null;
  const text =
    matches === null
      ? ''
      : `${plural(matches.functions, 'function')} match, ${formatShare(matches.share)} of the whole`;
  return { matches: matches?.frames ?? null, text, problem };
}
