import { useEffect, useMemo, useState } from 'preact/hooks';
import { isEndedState } from '../../protocol/rest/operation.ts';
import { Api } from '../api.ts';
import { followAgent } from '../live.ts';
import { headline } from '../model/words.ts';
import { PageStore } from '../model/store.ts';
import type { TokenKeeper } from '../token.ts';
import { AgentSection } from './agent-section.tsx';
import { Banner } from './banner.tsx';
import { Checklist } from './checklist.tsx';
import { Footer, Header } from './frame.tsx';
import { Login } from './login.tsx';
import { PageContext, usePageState } from './page-context.ts';
import { ProfilesSection } from './profiles-section.tsx';
import { RequestsSection } from './requests-section.tsx';
import { StartSection } from './start-section.tsx';
import { TargetsSection } from './targets-section.tsx';

/** One page: what is attached, what can be started, what runs, what was kept. The view stays mounted while signed out. */
export function App({ tokens }: { tokens: TokenKeeper }) {
  /** Counts the credentials used: each new one, or none, starts the connection anew. */
  const [session, setSession] = useState(0);
  const page = useMemo(() => {
    const store = new PageStore();
    const signOut = (): void => {
      tokens.clear();
      setSession((count) => count + 1);
    };
    const api = new Api({
      token: () => tokens.token,
      onUnauthorized: (problem) => {
        const reason = tokens.token === null ? null : `The agent refused the token: ${problem.message}`;
        tokens.clear();
        store.apply({ type: 'connection', connection: { state: 'signed-out', reason } });
      },
    });
    return { api, store, signOut };
  }, [tokens]);
  const state = usePageState(page.store);
  const [targetId, setTargetId] = useState<string | null>(null);

  useEffect(() => {
    const connection = tokens.token === null ? signedOutByChoice : connecting;
    page.store.apply({ type: 'connection', connection });
    if (tokens.token === null) return;
    const stop = new AbortController();
    void followAgent({ api: page.api, store: page.store, signal: stop.signal });
    return () => stop.abort();
  }, [page, session, tokens]);

  useEffect(() => {
    const onHashChange = (): void => {
      if (tokens.takeFromAddress()) setSession((count) => count + 1);
    };
    addEventListener('hashchange', onHashChange);
    return () => removeEventListener('hashchange', onHashChange);
  }, [tokens]);

  const signIn = (token: string): void => {
    tokens.set(token);
    setSession((count) => count + 1);
  };
  const target = state.targets.find((other) => other.id === targetId) ?? firstUseful(state.targets);
  // Once shown it stays, also when it detaches: no form may change its target under the hand.
  const shownId = target?.id ?? null;
  useEffect(() => setTargetId(shownId), [shownId]);
  const activeCount = state.operations.filter((operation) => !isEndedState(operation.state)).length;
  const summary = headline(state, activeCount);
  const signedOut = state.connection.state === 'signed-out' ? state.connection : null;

  return (
    <PageContext.Provider value={page}>
      <Header state={state} />
      <Banner connection={state.connection} />
      {signedOut && <Login reason={signedOut.reason} overView={state.loaded} onToken={signIn} />}
      {state.loaded ? (
        <main inert={signedOut !== null}>
          <p class={`headline ${summary.tone}`} aria-live="polite">
            {summary.text}
          </p>
          <TargetsSection state={state} selectedId={shownId} onSelect={setTargetId} />
          <StartSection state={state} target={target} onTarget={setTargetId} />
          <RequestsSection state={state} />
          <ProfilesSection state={state} />
          <Checklist state={state} />
          <AgentSection state={state} />
        </main>
      ) : (
        signedOut === null && (
          <main>
            <p class="headline idle">Reading from the agent…</p>
          </main>
        )
      )}
      <Footer />
    </PageContext.Provider>
  );
}

const connecting = { state: 'connecting' } as const;
const signedOutByChoice = { state: 'signed-out', reason: null } as const;

function firstUseful<T extends { readonly state: { readonly state: string } }>(targets: readonly T[]): T | undefined {
  return targets.find((target) => target.state.state === 'attached') ?? targets[0];
}
