import workerUrl from './worker.ts?worker&url';
import { WorkerClient } from '../worker-client.ts';
import { cancelMessage } from './messages.ts';
import type { Progress, Questions, Told } from './messages.ts';

/** The page's side of the thread that analyses a snapshot. */
export class HeapClient extends WorkerClient<Questions, Told> {
  readonly #listeners: Set<(progress: Progress) => void>;

  constructor(onProgress: (progress: Progress) => void) {
    const listeners = new Set([onProgress]);
    super(workerUrl, ({ progress }) => {
      for (const listener of listeners) listener(progress);
    });
    this.#listeners = listeners;
  }

  /** Until the function returned is called. */
  onProgress(listener: (progress: Progress) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends what is being read; a snapshot that is open stays. */
  cancel(): void {
    this.tell(cancelMessage);
  }
}
