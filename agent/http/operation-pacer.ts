import { isEndedState } from '../../protocol/rest/operation.ts';
import type { Operation } from '../../protocol/rest/operation.ts';

const intervalMs = 250;

/**
 * Lets progress of one operation through at most four times a second, the latest of it at last; a new state at once.
 * Holds one entry per operation that runs.
 */
export class OperationPacer implements Disposable {
  readonly #send: (operation: Operation) => void;
  readonly #paced = new Map<string, Paced>();

  constructor(send: (operation: Operation) => void) {
    this.#send = send;
  }

  push(operation: Operation): void {
    const paced = this.#paced.get(operation.id);
    if (isEndedState(operation.state)) {
      clearTimeout(paced?.timer);
      this.#paced.delete(operation.id);
      this.#send(operation);
    } else if (paced === undefined || paced.state !== operation.state) {
      clearTimeout(paced?.timer);
      this.#sendAndWait(operation);
    } else {
      paced.latest = operation;
    }
  }

  [Symbol.dispose](): void {
    for (const { timer } of this.#paced.values()) clearTimeout(timer);
    this.#paced.clear();
  }

  #sendAndWait(operation: Operation): void {
    this.#send(operation);
    const timer = setTimeout(() => this.#waited(operation.id), intervalMs).unref();
    this.#paced.set(operation.id, { state: operation.state, latest: undefined, timer });
  }

  /** Nothing came meanwhile: the next one goes out at once again. */
  #waited(id: string): void {
    const latest = this.#paced.get(id)?.latest;
    if (latest === undefined) this.#paced.delete(id);
    else this.#sendAndWait(latest);
  }
}

interface Paced {
  readonly state: Operation['state'];
  latest: Operation | undefined;
  readonly timer: NodeJS.Timeout;
}
