import workerUrl from './worker.ts?worker&url';
import { WorkerClient } from '../worker-client.ts';
import type { Questions } from './messages.ts';

/** The page's side of the thread that reads a profile. */
export class FlameClient extends WorkerClient<Questions> {
  constructor() {
    super(workerUrl);
  }
}
