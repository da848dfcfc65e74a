import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { SidescopeError } from '../../protocol/error.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import type { ProfileSummary } from '../../protocol/rest/summary.ts';
import type { PositionsQuery, SourceMapContext } from '../source-maps/find-positions.ts';
import type { ComparedFile, DiffRequest } from './compare-profiles.ts';
import { containerMemoryBytes } from './container-memory.ts';
import type { JoinQuery, JoinQuestion } from './join-profile.ts';
import type { WindowSource } from './write-joined.ts';
import type { ConvertedFormat, WorkerAnswer, WorkerRequest, WorkerResults } from './profile-worker-child.ts';

export interface ProfileWorkerOptions {
  /** The process ends after this long without work. Default 10 s. */
  readonly idleMs?: number | undefined;
  /** For one request, waiting for its turn not counted. Default 60 s; a 40 MB profile takes 1-2 s. Joining windows has ten minutes at least. */
  readonly timeoutMs?: number | undefined;
  /** Of V8's heap in that process. Default 512 MB, or half of the container's limit; a 40 MB profile takes about 200. */
  readonly memoryLimitMb?: number | undefined;
  /** Requests that may wait. Default 32. */
  readonly queueMax?: number | undefined;
  /** Whether `facts` reads source text around hot lines. Default true. */
  readonly keepsSourceLines?: boolean | undefined;
}

export interface FactsOptions {
  readonly sourceMaps?: SourceMapContext | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface WindowQuery {
  readonly fromUs: number;
  readonly toUs: number;
  readonly positions: Uint8Array | undefined;
}

/**
 * Reads and converts CPU and heap sampling profiles in one process of its own, so that the agent's loop stays free. A process and not a thread: V8 out of
 * memory in a thread can end the whole process, and V8 13.6 can fail a check of its JIT pages when threads come and go (one SIGTRAP in
 * about 300 of them was seen on Node 24.21). It is started on demand; requests take turns. Each rejects with a SidescopeError: `unreadable-profile`, `storage-failed` (the file),
 * `analysis-limit` (memory, time, size), `too-many-analyses` (queue full), `shutting-down` (disposed); or with
 * `signal.reason`. What fails, times out or is aborted costs at most that process, never the agent or the next request.
 */
export class ProfileWorker implements AsyncDisposable {
  readonly #options: Required<{ [Key in Exclude<keyof ProfileWorkerOptions, 'keepsSourceLines'>]: number }>;
  readonly keepsSourceLines: boolean;
  readonly #waiting: Job[] = [];
  readonly #endings = new Set<Promise<unknown>>();
  #running: Job | undefined;
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isDisposed = false;

  constructor(options: ProfileWorkerOptions = {}) {
    this.keepsSourceLines = options.keepsSourceLines ?? true;
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
    return this.#ask<'facts'>({ type: 'facts', path, sourceMaps, withSourceLines: this.keepsSourceLines }, signal);
  }

  /** The `sampling` object of a profile, as far as the file says it. `path` is a plain .heapprofile that nobody writes now. */
  heapSamplingFacts(
    path: string,
    { sourceMaps, signal }: FactsOptions = {},
  ): Promise<WorkerResults['heapSamplingFacts']> {
    return this.#ask<'heapSamplingFacts'>({ type: 'heapSamplingFacts', path, sourceMaps }, signal);
  }

  /** What each function of the program allocated and still holds, most first, from a profile's bytes. */
  allocationSites(
    profile: Uint8Array,
    options: { sourceMaps: SourceMapContext | undefined; sitesMax: number; signal?: AbortSignal | undefined },
  ): Promise<WorkerResults['allocationSites']> {
    const { sourceMaps, sitesMax, signal } = options;
    return this.#ask<'allocationSites'>({ type: 'allocationSites', profile, sourceMaps, sitesMax }, signal);
  }

  /** The 200 functions with the most self time, original ones where `positions` (as `facts` gave them) know them. */
  hotFunctions(
    path: string,
    { positions, signal }: { positions?: Uint8Array | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<WorkerResults['hotFunctions']> {
    return this.#ask<'hotFunctions'>({ type: 'hotFunctions', path, positions }, signal);
  }

  /** A profile at a glance. `path` and `positions` as in `convert`. */
  summary(
    path: string,
    options: {
      kind: ProfileSummary['kind'];
      limit: number;
      positions?: Uint8Array | undefined;
      signal?: AbortSignal | undefined;
    },
  ): Promise<WorkerResults['summary']> {
    const { kind, limit, positions, signal } = options;
    return this.#ask<'summary'>({ type: 'summary', path, kind, limit, positions }, signal);
  }

  /** Windows of one thread, the earliest first, as one .cpuprofile at `path`. */
  join(
    path: string,
    windows: readonly WindowSource[],
    { signal }: { signal?: AbortSignal | undefined } = {},
  ): Promise<WorkerResults['join']> {
    return this.#ask<'join'>({ type: 'join', path, windows }, signal);
  }

  /** Original places, from the source maps on the target's disk. */
  positions(
    query: PositionsQuery,
    { sourceMaps, signal }: { sourceMaps: SourceMapContext; signal?: AbortSignal | undefined },
  ): Promise<WorkerResults['positions']> {
    return this.#ask<'positions'>({ type: 'positions', query, sourceMaps }, signal);
  }

  /** What a CPU profile has of a part of its time, on its own clock. `path` and `positions` as in `convert`. */
  window(
    path: string,
    { fromUs, toUs, positions, signal }: WindowQuery & { signal?: AbortSignal | undefined },
  ): Promise<WorkerResults['window']> {
    return this.#ask<'window'>({ type: 'window', path, fromUs, toUs, positions }, signal);
  }

  /** What grew and shrank between two profiles of one kind. */
  diff(
    { kind, before, after, limit }: Omit<DiffRequest, 'type'>,
    signal?: AbortSignal,
  ): Promise<WorkerResults['diff']> {
    return this.#ask<'diff'>({ type: 'diff', kind, before, after, limit }, signal);
  }

  /** The same of two programs, each as some trees that were made of its profiles; without their call trees. */
  diffMerged(
    { before, after, limit }: { before: readonly Uint8Array[]; after: readonly Uint8Array[]; limit: number },
    signal?: AbortSignal,
  ): Promise<WorkerResults['diffMerged']> {
    return this.#ask<'diffMerged'>({ type: 'diffMerged', before, after, limit }, signal);
  }

  /** A CPU profile by original function and file, without times. At most some 2 MB. */
  sampleTree({ path, positions }: ComparedFile, signal?: AbortSignal): Promise<WorkerResults['sampleTree']> {
    return this.#ask<'sampleTree'>({ type: 'sampleTree', path, positions }, signal);
  }

  /** Several of those, or of what this made, as one. */
  mergeTrees(trees: readonly Uint8Array[], signal?: AbortSignal): Promise<WorkerResults['mergeTrees']> {
    return this.#ask<'mergeTrees'>({ type: 'mergeTrees', trees }, signal);
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
      /** For pprof: samples get labels of their requests. */
      join?: JoinQuery | undefined;
      /** Labels also where the request is likely only. */
      withLikely?: boolean | undefined;
      signal?: AbortSignal | undefined;
    } = {},
  ): Promise<WorkerResults['convert']> {
    const { clock = null, intervalUs, positions, join, withLikely, signal } = options;
    const asked = { type: 'convert' as const, path, format, clock, intervalUs, positions, join, withLikely };
    return this.#ask<'convert'>(asked, signal);
  }

  /** A gzipped window of the flight recorder as pprof, gzipped, with original places where the target's source maps are. */
  windowPprof(
    gzip: Uint8Array,
    options: {
      clock: Profile['clock'];
      intervalUs: number;
      sourceMaps: SourceMapContext | undefined;
      join: JoinQuery | undefined;
      signal: AbortSignal;
    },
  ): Promise<WorkerResults['windowPprof']> {
    const { signal, ...rest } = options;
    return this.#ask<'windowPprof'>({ type: 'windowPprof', gzip, ...rest }, signal);
  }

  /** Whose work a CPU profile's samples were. `path` and `positions` as in `convert`. */
  joined(
    path: string,
    join: JoinQuery,
    options: { question: JoinQuestion; positions: Uint8Array | undefined; signal?: AbortSignal | undefined },
  ): Promise<WorkerResults['joined']> {
    const { question, positions, signal } = options;
    return this.#ask<'joined'>({ type: 'joined', path, join, question, positions }, signal);
  }

  /** Whether the process is there; it holds some 60 MB. */
  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    const stopping = () => new SidescopeError('shutting-down', 'the agent stops reading profiles');
    for (const job of this.#waiting.splice(0)) job.fail(stopping());
    this.#running?.fail(stopping());
    this.#endChild();
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
      this.#child?.unref();
      this.#child?.channel?.unref();
      this.#timer = setTimeout(() => this.#endChild(), this.#options.idleMs).unref();
      return;
    }
    const job = this.#running;
    const isJoin = job.request.type === 'join';
    const timeoutMs = isJoin ? Math.max(joinTimeoutMs, this.#options.timeoutMs) : this.#options.timeoutMs;
    this.#timer = setTimeout(() => {
      const what = `${job.request.type} of the profile took over ${timeoutMs} ms`;
      this.#abandon(job, new SidescopeError('analysis-limit', what));
    }, timeoutMs);
    try {
      const child = (this.#child ??= this.#startChild());
      child.ref();
      child.channel?.ref();
      child.send(job.request, (error) => {
        if (error !== null) this.#loseChild(child, error);
      });
    } catch (error) {
      this.#abandon(job, explainLoss(error, this.#options.memoryLimitMb));
    }
  }

  #startChild(): ChildProcess {
    const child = fork(childPath(), [], {
      // Nothing of the agent's: it needs no secrets, and its flags are its own.
      env: {},
      execArgv: [
        '--disable-sigusr1',
        `--max-old-space-size=${this.#options.memoryLimitMb}`,
        `--max-semi-space-size=${this.#options.memoryLimitMb <= smallHeapMb ? 4 : 16}`,
      ],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    child.on('message', (answer: WorkerAnswer) => {
      if (child !== this.#child) return;
      const job = this.#running;
      this.#running = undefined;
      if (answer.ok) job?.succeed(answer.result);
      else job?.fail(new SidescopeError(answer.code, answer.message));
      this.#startNext();
    });
    child.on('error', (error) => this.#loseChild(child, error));
    child.on('exit', (code, signal) => this.#loseChild(child, new Error(signal ?? `exit code ${code}`)));
    return child;
  }

  #loseChild(child: ChildProcess, cause: unknown): void {
    if (child !== this.#child) return;
    const job = this.#running;
    this.#endChild();
    this.#running = undefined;
    job?.fail(explainLoss(cause, this.#options.memoryLimitMb));
    this.#startNext();
  }

  /** A running request can only be ended together with its process; the next one gets a new one. */
  #abandon(job: Job, reason: unknown): void {
    job.fail(reason);
    if (job === this.#running) {
      this.#endChild();
      this.#running = undefined;
      this.#startNext();
      return;
    }
    const index = this.#waiting.indexOf(job);
    if (index !== -1) this.#waiting.splice(index, 1);
  }

  #endChild(): void {
    clearTimeout(this.#timer);
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    // Its end is waited for at disposal.
    child.ref();
    const ending = once(child, 'exit');
    child.kill('SIGKILL');
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
function childPath(): string {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'mjs';
  return fileURLToPath(new URL(`./profile-worker-child.${extension}`, import.meta.url));
}

/** Three hours of samples took 5 s on a quiet machine and 28 s at a load of 19; given up, all of them would be lost. */
const joinTimeoutMs = 600_000;

/** Of a container of 256 MiB: there V8's young generation is kept small, which halves the RSS of joining windows and takes a fifth more time. */
const smallHeapMb = 128;

/** V8 out of memory is SIGABRT or SIGTRAP, the container's limit SIGKILL: all of them say that the profile was too much. */
function explainLoss(cause: unknown, memoryLimitMb: number): SidescopeError {
  const why = cause instanceof Error ? cause.message : String(cause);
  if (/^SIG(?:ABRT|TRAP|KILL)$/.test(why)) {
    return new SidescopeError('analysis-limit', `reading the profile needs over ${memoryLimitMb} MB of heap (${why})`, {
      cause,
    });
  }
  return new SidescopeError('internal', `the process that reads profiles ended: ${why}`, { cause });
}
