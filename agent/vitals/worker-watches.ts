import { setTimeout as delay } from 'node:timers/promises';
import { SidescopeError } from '../../protocol/error.ts';
import type { AttachedThread, Attachment } from '../attach/attachment.ts';
import { StallWatch, type StallSurroundings, type StallWatchOptions, type Tempo } from './stall-watch.ts';
import { WorkerProbe } from './worker-probe.ts';

/** Each question to a worker passes through the main thread, so there are fewer of them: at most 16 heartbeats a second in all. */
export const maxWatchedWorkers = 16;
const leastMs = 1_000;
/** A worker is made for work that blocks: one record a minute is enough of each, and costs little. */
const workerTempo: Tempo = { sampleEveryMs: 250, quickSamples: 20, maxSamples: 40, restMs: 60_000 };
/** Those that end before they were seen twice are never asked anything. */
const lookEveryMs = 1_000;
const neverSaturated = { afterMs: Infinity, sampleMs: 0, relaxedMs: 0 };

export interface WorkerWatchesOptions {
  readonly attachment: Attachment;
  readonly about: Omit<StallWatchOptions['about'], 'thread'>;
  readonly thresholdMs: number;
  readonly intervalMs: number;
  /** Of the main thread. Its silence is theirs: what they answer passes through it. */
  readonly surroundings: StallSurroundings;
  readonly onStall: StallWatchOptions['onStall'];
  readonly onFault: (error: unknown, threadId: string) => void;
  readonly signal: AbortSignal;
}

/** The stall watch of a target's workers, for as long as each lives. */
export class WorkerWatches {
  readonly #options: WorkerWatchesOptions;
  /** Undefined until its probe is made, and for one that cannot be watched. */
  readonly #watches = new Map<AttachedThread, StallWatch | undefined>();

  constructor(options: WorkerWatchesOptions) {
    this.#options = options;
  }

  /** Rejects with the signal's reason. */
  async run(): Promise<never> {
    const { attachment, signal } = this.#options;
    let before = new Set<AttachedThread>();
    for (;;) {
      const workers = attachment.threads().slice(1);
      for (const worker of this.#watches.keys()) if (!workers.includes(worker)) this.#watches.delete(worker);
      for (const worker of workers) {
        if (this.#watches.size >= maxWatchedWorkers) break;
        if (before.has(worker) && !this.#watches.has(worker)) void this.#watch(worker);
      }
      before = new Set(workers);
      await delay(lookEveryMs, undefined, { signal, ref: false });
    }
  }

  of(threadId: string): StallWatch | undefined {
    return [...this.#watches].find(([{ thread }]) => thread.id === threadId)?.[1];
  }

  async #watch(worker: AttachedThread): Promise<void> {
    const { about, thresholdMs, intervalMs, surroundings, onStall, onFault } = this.#options;
    const { session, thread } = worker;
    const signal = AbortSignal.any([this.#options.signal, session.ended]);
    this.#watches.set(worker, undefined);
    try {
      const watch = new StallWatch({
        session,
        probe: await WorkerProbe.open(session, signal),
        about: { ...about, thread: thread.id },
        thresholdMs: Math.max(leastMs, thresholdMs),
        intervalMs: Math.max(leastMs, intervalMs),
        saturation: neverSaturated,
        tempo: workerTempo,
        surroundings,
        onStall,
        signal,
      });
      if (!this.#watches.has(worker)) return;
      this.#watches.set(worker, watch);
      await watch.run();
    } catch (error) {
      // Its end, or a worker that lets nobody look: it is not watched.
      if (!signal.aborted && !(error instanceof SidescopeError)) onFault(error, thread.id);
    }
  }
}
