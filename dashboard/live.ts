import type { SidescopeEvent } from '../protocol/rest/event.ts';
import type { ProfileKind } from '../protocol/rest/profile.ts';
import type { Api } from './api.ts';
import { ApiProblem } from './api.ts';
import { ownEvents, sharedEvents } from './event-source.ts';
import { Silence } from './inbox.ts';
import { reconnectDelayMs } from './model/backoff.ts';
import type { Lists, ProfileList } from './model/page-state.ts';
import { maxStalls } from './model/page-state.ts';
import type { PageStore } from './model/store.ts';

/** What is on and off changes without an event, and so does the agent's memory. */
const infoEveryMs = 30_000;
/** While the lists are read. More means that they take too long: the connection starts anew. */
const maxPending = 5000;

/**
 * Keeps the store as the agent has it until `signal` aborts or the agent refuses the credential (`signed-out` then): reads the event stream,
 * reads the lists once it has begun, applies the events that came meanwhile on top; again after every cut and every `resync`.
 */
export async function followAgent(options: {
  api: Api;
  store: PageStore;
  token: string;
  signal: AbortSignal;
}): Promise<void> {
  const { api, store, token, signal } = options;
  let attempt = 0;
  // A tab that tells the others nothing, frozen by the browser perhaps, must not keep them waiting for it.
  let isAlone = false;
  const open = (either: AbortSignal): AsyncGenerator<string> =>
    isAlone
      ? ownEvents({ api, signal: either, onChunk: () => undefined })
      : sharedEvents({ api, token, signal: either });
  while (!signal.aborted) {
    try {
      await followOnce({ api, store, signal, open, onLive: () => (attempt = 0) });
      throw new ApiProblem({ status: 0, code: 'unreachable', detail: 'the agent closed the connection' });
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiProblem && error.status === 401) return;
      if (error instanceof ApiProblem && error.code === 'forbidden-scope') {
        store.apply({ type: 'connection', connection: { state: 'signed-out', reason: `${error.message}.` } });
        return;
      }
      isAlone = error instanceof Silence;
      attempt += 1;
      const delayMs = reconnectDelayMs(attempt, Math.random());
      const reason = error instanceof Error ? error.message : String(error);
      const retryAtMs = Date.now() + delayMs;
      store.apply({ type: 'connection', connection: { state: 'reconnecting', attempt, retryAtMs, reason } });
      await sleep(delayMs, signal);
    }
  }
}

/** The first page of a list, as the store keeps it. */
export async function readProfiles(api: Api, kind: ProfileKind | null, signal?: AbortSignal): Promise<ProfileList> {
  const page = await api.profiles({ kind: kind ?? undefined, limit: 50 }, signal);
  return { kind, items: page.profiles, nextCursor: page.nextCursor, total: page.total };
}

async function followOnce(options: {
  api: Api;
  store: PageStore;
  signal: AbortSignal;
  open: (signal: AbortSignal) => AsyncGenerator<string>;
  onLive: () => void;
}): Promise<void> {
  const { api, store, signal, open, onLive } = options;
  const cut = new AbortController();
  const either = AbortSignal.any([signal, cut.signal]);
  const messages = open(either);
  let pending: SidescopeEvent[] | null = null;
  let again = false;
  let failure: unknown;

  const readLists = (): void => {
    // Events were dropped while the lists came: these may be older than what was dropped.
    if (pending !== null) {
      again = true;
      return;
    }
    again = false;
    const queue: SidescopeEvent[] = (pending = []);
    readAll({ api, kind: store.state.profiles.kind, signal: either }).then(
      (lists) => {
        pending = null;
        // The filter may have changed while the lists came.
        const profiles = lists.profiles.kind === store.state.profiles.kind ? lists.profiles : store.state.profiles;
        store.apply({ type: 'lists', lists: { ...lists, profiles }, readAtMs: Date.now() });
        for (const event of queue) store.apply({ type: 'event', event });
        store.apply({ type: 'connection', connection: { state: 'live' } });
        onLive();
        if (again) readLists();
      },
      (error: unknown) => {
        failure = error;
        cut.abort();
      },
    );
  };

  const refresh = setInterval(() => {
    if (document.hidden || pending !== null) return;
    api.info(either).then(
      (info) => store.apply({ type: 'info', info, readAtMs: Date.now() }),
      () => {
        // The stream notices what is wrong with the connection, and asks again.
      },
    );
  }, infoEveryMs);
  try {
    for await (const message of messages) {
      const event = JSON.parse(message) as SidescopeEvent;
      if (event.type === 'hello' || event.type === 'resync') readLists();
      else if (pending !== null) hold(pending, event);
      else store.apply({ type: 'event', event });
    }
  } catch (error) {
    throw failure ?? cutReason(error);
  } finally {
    clearInterval(refresh);
    cut.abort();
  }
}

/** The browser's own words for it differ, and say no more. */
function cutReason(error: unknown): unknown {
  return error instanceof TypeError ? new Error('the connection was cut', { cause: error }) : error;
}

function hold(pending: SidescopeEvent[], event: SidescopeEvent): void {
  if (pending.length >= maxPending) throw new Error(`${maxPending} events came before the lists`);
  pending.push(event);
}

async function readAll(options: { api: Api; kind: ProfileKind | null; signal: AbortSignal }): Promise<Lists> {
  const { api, kind, signal } = options;
  const [info, targets, stalls, { alerts }, { deaths }, { regressions }, operations] = await Promise.all([
    api.info(signal),
    api.targets(signal),
    api.stalls({ limit: maxStalls }, signal),
    orNothing(api.alerts({ limit: 50, evidence: false }, signal), { alerts: [], nextCursor: null }),
    orNothing(api.deaths({ limit: 5 }, signal), { deaths: [], nextCursor: null }),
    orNothing(api.regressions({ limit: 10 }, signal), { regressions: [], nextCursor: null }),
    api.operations(signal),
  ]);
  // Without storage there are no profiles to list, and the route answers with a problem.
  const profiles =
    info.storage === null ? { kind, items: [], nextCursor: null, total: 0 } : await readProfiles(api, kind, signal);
  return { info, targets, stalls, alerts, deaths, regressions, operations, profiles };
}

/** Without these lists the page lacks a few marks; the view that shows them reads them itself and says why it cannot. */
function orNothing<T>(reading: Promise<T>, nothing: T): Promise<T> {
  return reading.catch((error: unknown) => {
    if (error instanceof ApiProblem && error.status >= 403) return nothing;
    throw error;
  });
}

function sleep(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, delayMs);
    signal.addEventListener('abort', done, { once: true });
  });
}
