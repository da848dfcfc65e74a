import { useEffect, useState } from 'preact/hooks';
import type { ViewEntry, ViewModule, ViewProps } from './view-props.ts';

const loaded = new Map<string, ViewModule>();

/** Begins to load a view before it can be shown. */
export function preloadView(entry: ViewEntry): void {
  entry.load().then(
    (module) => loaded.set(entry.path, module),
    () => {
      // Who shows it asks again, and says what failed.
    },
  );
}

/** A view from its own chunk: at once when it was shown before. One that a cut connection kept away comes with the next one. */
export function LazyView({ entry, view }: { entry: ViewEntry; view: ViewProps }) {
  const isLive = view.state.connection.state === 'live';
  const [attempt, setAttempt] = useState(0);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  useEffect(() => {
    // It may have come between the drawing and now, by `preloadView`, which draws nothing.
    if (loaded.has(entry.path)) return setOutcome({ path: entry.path, failure: null });
    let gone = false;
    setOutcome(null);
    entry.load().then(
      (module) => {
        loaded.set(entry.path, module);
        if (!gone) setOutcome({ path: entry.path, failure: null });
      },
      (error: unknown) => {
        if (!gone) setOutcome({ path: entry.path, failure: error instanceof Error ? error.message : String(error) });
      },
    );
    return () => {
      gone = true;
    };
  }, [entry, attempt, isLive]);
  const module = loaded.get(entry.path);
  if (module !== undefined) return <module.View {...view} />;
  if (outcome?.path === entry.path && outcome.failure !== null) {
    return (
      <div class="note bad" role="alert">
        <p>
          <strong>This view could not be loaded.</strong>{' '}
          {isLive ? outcome.failure : 'It was not there yet when the connection was cut, and comes with the next one.'}
        </p>
        <p class="act">
          <button type="button" onClick={() => setAttempt(attempt + 1)}>
            Try again
          </button>
          <button type="button" onClick={() => location.reload()}>
            Load the page anew
          </button>
        </p>
      </div>
    );
  }
  return (
    <p class="hint" role="status">
      Loading…
    </p>
  );
}

interface Outcome {
  readonly path: string;
  readonly failure: string | null;
}
