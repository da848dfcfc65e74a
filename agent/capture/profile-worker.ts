import { Worker } from 'node:worker_threads';
import { SidescopeError } from '../../protocol/error.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import type { PositionsQuery, SourceMapContext } from '../source-maps/find-positions.ts';
import { containerMemoryBytes } from './container-memory.ts';
import type { ConvertedFormat, WorkerAnswer, WorkerRequest, WorkerResults } from './profile-worker-thread.ts';

export interface ProfileWorkerOptions {
  /** The thread ends after this long without work. Default 10 s. */
  readonly idleMs?: number | undefined;
  /** For one request, waiting for its turn not counted. Default 60 s; a 40 MB profile takes 1-2 s. */
  readonly timeoutMs?: number | undefined;
  /** Of V8's heap in the thread. Default 512 MB, or half of the container's limit; a 40 MB profile takes about 200. */
  readonly memoryLimitMb?: number | undefined;
  /** Requests that may wait. Default 32. */
  readonly queueMax?: number | undefined;
}

export interface FactsOptions {
  readonly sourceMaps?: SourceMapContext | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads and converts CPU and heap sampling profiles in one thread of its own, so that the agent's loop stays free. The thread is started on
 * demand; requests take turns. Each rejects with a SidescopeError: `unreadable-profile`, `storage-failed` (the file),
 * `analysis-limit` (memory, time, size), `too-many-analyses` (queue full), `shutting-down` (disposed); or with
 * `signal.reason`. What fails, times out or is aborted costs at most the thread, never the agent or the next request.
 */
export class ProfileWorker implements AsyncDisposable {
  readonly #options: Required<{ [Key in keyof ProfileWorkerOptions]: number }>;
  readonly #waiting: Job[] = [];
  readonly #endings = new Set<Promise<unknown>>();
  #running: Job | undefined;
  #thread: Worker | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isDisposed = false;

  constructor(options: ProfileWorkerOptions = {}) {
    this.#options = {
      idleMs: options.idleMs ?? 10_000,
      timeoutMs: options.timeoutMs ?? 60_000,
      memoryLimitMb: options.memoryLimitMb ?? Math.min(512, Math.floor(containerMemoryBytes() / 2 ** 21)),
      queueMax: options.queueMax ?? 32,
    };
  }

  /**
   * The `cpu` object of a profile, and what is wrong with it. `path` is a plain .cpuprofile that nobody writes now. With `sourceMaps` the
   * target's files are read for original functions.
   */
  facts(path: string, { sourceMaps, signal }: FactsOptions = {}): Promise<WorkerResults['facts']> {
    return this.#ask<'facts'>({ type: 'facts', path, sourceMaps }, signal);
  }

  /** The `sampling` object of a profile, as far as the file says it. `path` is a plain .heapprofile that nobody writes now. */
  heapSamplingFacts(
    path: string,
    { sourceMaps, signal }: FactsOptions = {},
  ): Promise<WorkerResults['heapSamplingFacts']> {
    return this.#ask<'heapSamplingFacts'>({ type: 'heapSamplingFacts', path, sourceMaps }, signal);
  }

  /** Original places, from the source maps on the target's disk. */
  positions(
    query: PositionsQuery,
    { sourceMaps, signal }: { sourceMaps: SourceMapContext; signal?: AbortSignal | undefined },
  ): Promise<WorkerResults['positions']> {
    return this.#ask<'positions'>({ type: 'positions', query, sourceMaps }, signal);
  }

  /** The whole artifact in another format; pprof is gzipped, as its tools expect. The caller owns the bytes. */
  convert(
    path: string,
    format: ConvertedFormat,
    options: {
      clock?: Profile['clock'] | undefined;
      intervalUs?: number | undefined;
      /** As `facts` gave them: functions and lines are the original ones then. */
      positions?: Uint8Array | undefined;
      signal?: AbortSignal | undefined;
    } = {},
  ): Promise<WorkerResults['convert']> {
    const { clock = null, intervalUs, positions, signal } = options;
    return this.#ask<'convert'>({ type: 'convert', path, format, clock, intervalUs, positions }, signal);
  }

  /** Whether the thread is there; it holds some 20 MB. */
  get isRunning(): boolean {
    return this.#thread !== undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    const stopping = () => new SidescopeError('shutting-down', 'the agent stops reading profiles');
    for (const job of this.#waiting.splice(0)) job.fail(stopping());
    this.#running?.fail(stopping());
    this.#endThread();
    await Promise.all(this.#endings);
  }

  async #ask<Type extends keyof WorkerResults>(
    request: Extract<WorkerRequest, { type: Type }>,
    signal: AbortSignal | undefined,
  ): Promise<WorkerResults[Type]> {
    signal?.throwIfAborted();
    if (this.#isDisposed) throw new SidescopeError('shutting-down', 'the agent stops reading profiles');
    if (this.#waiting.length >= this.#options.queueMax) {
      throw new SidescopeError(
        'too-many-analyses',
        `${this.#waiting.length} requests wait already, the most there may be`,
      );
    }
    const { promise, resolve, reject } = Promise.withResolvers<WorkerResults[keyof WorkerResults]>();
    const job: Job = { request, succeed: resolve, fail: reject };
    const abandon = () => this.#abandon(job, signal?.reason);
    signal?.addEventListener('abort', abandon, { once: true });
    this.#waiting.push(job);
    this.#startNext();
    try {
      return (await promise) as WorkerResults[Type];
    } finally {
      signal?.removeEventListener('abort', abandon);
    }
  }

  #startNext(): void {
    if (this.#running !== undefined) return;
    clearTimeout(this.#timer);
    this.#running = this.#waiting.shift();
    if (this.#running === undefined) {
      this.#thread?.unref();
      this.#timer = setTimeout(() => this.#endThread(), this.#options.idleMs).unref();
      return;
    }
    const job = this.#running;
    const { timeoutMs } = this.#options;
    this.#timer = setTimeout(() => {
      const what = `${job.request.type} of the profile took over ${timeoutMs} ms`;
      this.#abandon(job, new SidescopeError('analysis-limit', what));
    }, timeoutMs);
    try {
      this.#thread ??= this.#startThread();
      this.#thread.ref();
      this.#thread.postMessage(job.request);
    } catch (error) {
      this.#abandon(job, explainLoss(error, this.#options.memoryLimitMb));
    }
  }

  #startThread(): Worker {
    const thread = new Worker(threadUrl(), {
      name: 'sidescope-profiles',
      resourceLimits: { maxOldGenerationSizeMb: this.#options.memoryLimitMb },
      // Nothing of the agent's: flags that a thread does not take make it fail, and it needs no secrets.
      execArgv: [],
      env: {},
    });
    thread.on('message', (answer: WorkerAnswer) => {
      if (thread !== this.#thread) return;
      const job = this.#running;
      this.#running = undefined;
      if (answer.ok) job?.succeed(answer.result);
      else job?.fail(new SidescopeError(answer.code, answer.message));
      this.#startNext();
    });
    thread.on('error', (error) => this.#loseThread(thread, error));
    thread.on('exit', (code) => this.#loseThread(thread, new Error(`exit code ${code}`)));
    return thread;
  }

  #loseThread(thread: Worker, cause: unknown): void {
    if (thread !== this.#thread) return;
    const job = this.#running;
    this.#endThread();
    this.#running = undefined;
    job?.fail(explainLoss(cause, this.#options.memoryLimitMb));
    this.#startNext();
  }

  /** A running request can only be ended together with its thread; the next one gets a new thread. */
  #abandon(job: Job, reason: unknown): void {
    job.fail(reason);
    if (job === this.#running) {
      this.#endThread();
      this.#running = undefined;
      this.#startNext();
      return;
    }
    const index = this.#waiting.indexOf(job);
    if (index !== -1) this.#waiting.splice(index, 1);
  }

  #endThread(): void {
    clearTimeout(this.#timer);
    const ending = this.#thread?.terminate();
    this.#thread = undefined;
    if (ending === undefined) return;
    this.#endings.add(ending);
    void ending.finally(() => this.#endings.delete(ending));
  }
}

interface Job {
  readonly request: WorkerRequest;
  readonly succeed: (result: WorkerResults[keyof WorkerResults]) => void;
  readonly fail: (reason: unknown) => void;
}

/** Beside this file, in the sources and in the bundle alike. */
function threadUrl(): URL {
  return new URL(`./profile-worker-thread.${import.meta.url.endsWith('.ts') ? 'ts' : 'mjs'}`, import.meta.url);
}

function explainLoss(cause: unknown, memoryLimitMb: number): SidescopeError {
  if (cause instanceof Error && 'code' in cause && cause.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return new SidescopeError('analysis-limit', `reading the profile needs over ${memoryLimitMb} MB of heap`, {
      cause,
    });
  }
  const why = cause instanceof Error ? cause.message : String(cause);
  return new SidescopeError('internal', `the thread that reads profiles ended: ${why}`, { cause });
}
