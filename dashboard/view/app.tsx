import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Target } from '../../protocol/rest/target.ts';
import { Api } from '../api.ts';
import { followAgent } from '../live.ts';
import { findView } from '../model/address.ts';
import { PageStore } from '../model/store.ts';
import type { TokenKeeper } from '../token.ts';
import { views } from '../views.ts';
import { Banner } from './banner.tsx';
import { ChoiceBar } from './choice-bar.tsx';
import { Footer, Header } from './frame.tsx';
import { LazyView, preloadView } from './lazy-view.tsx';
import { Login } from './login.tsx';
import { hrefTo, useAddress } from './navigation.ts';
import { PageContext, usePageState } from './page-context.ts';
import { ViewTitle } from './view-title.tsx';

/** The shell: credential, connection, navigation, and the view that the address names. It stays mounted while signed out. */
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
  const address = useAddress();
  const found = findView(views, address.path);
  const shown = found?.view;
  const title = shown?.title;
  // While the lists are read; one click later it is there already.
  useEffect(() => {
    if (shown !== undefined) preloadView(shown);
  }, [shown]);
  useEffect(() => {
    document.title = title === undefined ? 'Sidescope' : `${title} · Sidescope`;
  }, [title]);

  useEffect(() => {
    const connection = tokens.token === null ? signedOutByChoice : connecting;
    page.store.apply({ type: 'connection', connection });
    if (tokens.token === null) return;
    const stop = new AbortController();
    void followAgent({ api: page.api, store: page.store, token: tokens.token, signal: stop.signal });
    return () => stop.abort();
  }, [page, session, tokens]);

  useEffect(() => {
    const onHashChange = (): void => {
      if (!tokens.takeFromAddress()) return;
      setSession((count) => count + 1);
      // The address is another one now: who read it with the token in it reads again.
      dispatchEvent(new HashChangeEvent('hashchange'));
    };
    addEventListener('hashchange', onHashChange);
    return () => removeEventListener('hashchange', onHashChange);
  }, [tokens]);

  const signIn = (token: string): void => {
    tokens.set(token);
    setSession((count) => count + 1);
  };
  const target = useTarget(state.targets, address.query['target']);
  const thread = address.query['thread'] ?? 'main';
  const signedOut = state.connection.state === 'signed-out' ? state.connection : null;

  return (
    <PageContext.Provider value={page}>
      <Header state={state} shown={shown} />
      <Banner connection={state.connection} />
      {signedOut && <Login reason={signedOut.reason} overView={state.loaded} onToken={signIn} />}
      {state.loaded ? (
        <main inert={signedOut !== null}>
          {found === undefined ? (
            <NoView path={address.path} />
          ) : (
            <>
              <ViewTitle entry={found.view}>
                <ChoiceBar state={state} entry={found.view} target={target} thread={thread} />
              </ViewTitle>
              <LazyView entry={found.view} view={{ state, target, thread, address, params: found.params }} />
            </>
          )}
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

function NoView({ path }: { path: string }) {
  return (
    <p class="empty">
      This page has no view <code>{path.slice(0, 200)}</code>. <a href={hrefTo('/')}>To the overview</a>
    </p>
  );
}

const connecting = { state: 'connecting' } as const;
const signedOutByChoice = { state: 'signed-out', reason: null } as const;

/**
 * The target that the address names; else the first attached one. Once shown it stays, also when it detaches: no form may change its
 * target under the hand.
 */
function useTarget(targets: readonly Target[], named: string | undefined): Target | undefined {
  const shownId = useRef<string | null>(null);
  const target =
    targets.find(({ id }) => id === named) ??
    targets.find(({ id }) => id === shownId.current) ??
    targets.find(({ state }) => state.state === 'attached') ??
    targets[0];
  shownId.current = target?.id ?? null;
  return target;
}
