import type { Channel, ChannelAnswer, Session } from './session.ts';

/** A worker's messages travel as text inside `NodeWorker` messages of the main session. */
export class WorkerChannel implements Channel {
  readonly #main: Session;
  readonly #sessionId: string;
  readonly #pending = new Map<number, ChannelAnswer>();
  #nextId = 1;

  constructor(main: Session, sessionId: string) {
    this.#main = main;
    this.#sessionId = sessionId;
  }

  get outstanding(): number {
    return this.#pending.size;
  }

  request(method: string, params: object, answer: ChannelAnswer): number {
    const id = this.#nextId++;
    this.#pending.set(id, answer);
    const message = JSON.stringify({ id, method, params });
    // The carrier's own answer says only that the message was passed on. A worker that died is announced by
    // `detachedFromWorker`, which ends the session; a carrier that fails earlier rejects the call here.
    this.#main
      .send('NodeWorker.sendMessageToWorker', { sessionId: this.#sessionId, message }, { timeoutMs: 60_000 })
      .catch((error: unknown) => this.#answer(id, { lost: error instanceof Error ? error : new Error(String(error)) }));
    return id;
  }

  settle(id: number, message: { error?: unknown; result?: unknown }): void {
    this.#answer(id, message.error === undefined ? { result: message.result } : { error: message.error });
  }

  #answer(id: number, answer: Parameters<ChannelAnswer>[0]): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    pending?.(answer);
  }
}
