import type { Api } from './api.ts';
import { Inbox, Silence } from './inbox.ts';
import { EventStreamParser } from './model/event-stream.ts';

/** Heartbeats come every 15 s: two missed ones and a half mean a dead connection, also where TCP has not noticed. */
const silenceLimitMs = 40_000;

interface Source {
  readonly api: Api;
  /** What tabs must have in common to share: two tokens may see different things. */
  readonly token: string;
  readonly signal: AbortSignal;
}

type Note =
  | { readonly type: 'join'; readonly from: string }
  | { readonly type: 'welcome'; readonly to: string; readonly message: string }
  | { readonly type: 'message'; readonly message: string }
  | { readonly type: 'beat' };

/**
 * The agent's events for this tab, as JSON texts that begin with a `hello`. Of several tabs with one token only one has a connection:
 * the holder of a lock, which tells the others. When it is closed, or its connection is cut, the next one in the queue for the
 * lock connects. Fails like the connection itself, and by Silence when nothing is heard for 40 s.
 */
export async function* sharedEvents({ api, token, signal }: Source): AsyncGenerator<string> {
  const name = await nameOf(token);
  if (name === null) {
    yield* ownEvents({ api, signal, onChunk: () => undefined });
    return;
  }
  const me = crypto.randomUUID();
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const channel = new BroadcastChannel(name);
  const tell = (note: Note): void => channel.postMessage(note);
  const inbox = new Inbox();
  let hello: string | null = null;
  let isLeading = false;
  channel.onmessage = ({ data }: MessageEvent<Note>) => {
    if (isLeading) {
      if (data.type === 'join' && hello !== null) tell({ type: 'welcome', to: data.from, message: hello });
    } else if (data.type === 'message') inbox.push(data.message);
    else if (data.type === 'beat') inbox.touch();
    else if (data.type === 'welcome' && data.to === me) inbox.push(data.message);
  };
  const lead = async (): Promise<void> => {
    isLeading = true;
    const onChunk = (): void => {
      tell({ type: 'beat' });
      inbox.touch();
    };
    for await (const message of ownEvents({ api, signal: either, onChunk })) {
      hello ??= message;
      tell({ type: 'message', message });
      inbox.push(message);
    }
  };
  navigator.locks.request(name, { signal: either }, lead).then(
    () => inbox.end(),
    (error: unknown) => inbox.end(error instanceof Error ? error : new Error(String(error))),
  );
  tell({ type: 'join', from: me });
  try {
    yield* inbox.read(silenceLimitMs);
  } finally {
    stop.abort();
    channel.close();
  }
}

/** A connection of this tab's own. */
export async function* ownEvents(options: {
  api: Api;
  signal: AbortSignal;
  onChunk: () => void;
}): AsyncGenerator<string> {
  const cut = new AbortController();
  try {
    const body = await options.api.events(AbortSignal.any([options.signal, cut.signal]));
    const parser = new EventStreamParser();
    const decoder = new TextDecoder();
    const reader = body.getReader();
    for (;;) {
      const watchdog = setTimeout(() => cut.abort(new Silence()), silenceLimitMs);
      const { done, value } = await reader.read().finally(() => clearTimeout(watchdog));
      if (done) return;
      options.onChunk();
      for (const message of parser.push(decoder.decode(value, { stream: true }))) yield message.data;
    }
  } finally {
    cut.abort();
  }
}

/** A hash of the token: the name is no secret. Null where the browser has no locks (plain http to another host). */
async function nameOf(token: string): Promise<string | null> {
  if (!isSecureContext || !('locks' in navigator) || !('BroadcastChannel' in globalThis)) return null;
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token)));
  return `sidescope-${Array.from(digest.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}
