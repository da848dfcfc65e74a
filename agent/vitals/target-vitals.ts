import { setTimeout as delay } from 'node:timers/promises';
import { SidescopeError } from '../../protocol/error.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import type { TargetIdentity } from '../../protocol/rest/target.ts';
import type { Vitals } from '../../protocol/rest/vitals.ts';
import type { Attachment } from '../attach/attachment.ts';
import type { TurnReading } from '../capture/stacks.ts';
import type { ImposedPauses } from './imposed-pauses.ts';
import { Probe } from './probe.ts';
import type { RecordedFrames } from './stall-record.ts';
import { StallWatch, type Saturation, type StallSurroundings } from './stall-watch.ts';
import { VitalsReader } from './vitals-reader.ts';
import { maxWatchedWorkers, WorkerWatches } from './worker-watches.ts';

/**
 * A target that cannot have a probe now may have one later: on a machine under load V8 ended it after its 200 ms, or the application is still patching things. Each
 * attempt at one that hangs is a stall of that length.
 */
const probeRetriesMs = [1_000, 10_000, 60_000];
const leaveTimeoutMs = 500;

export interface VitalsLog {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

export interface TargetVitalsOptions {
  readonly targetId: string;
  readonly identity: TargetIdentity;
  readonly attachment: Attachment;
  /** 0: none are read. */
  readonly vitalsIntervalMs: number;
  /** 0: none are watched for. */
  readonly stallThresholdMs: number;
  readonly stallIntervalMs: number;
  readonly saturation?: Saturation | undefined;
  readonly pauses: ImposedPauses;
  readonly log: VitalsLog;
  onVitals(vitals: Vitals, elapsedMs: number): void;
  onStall(stall: Stall, frames: RecordedFrames): void;
}

/** Vitals and stall watch of one attachment: from its beginning until the target exits or is left. */
export class TargetVitals implements AsyncDisposable {
  readonly #options: TargetVitalsOptions;
  readonly #stopped = new AbortController();
  readonly #reader: VitalsReader;
  readonly #exit: Disposable;
  readonly #running: Promise<void>;
  #probe: Probe | undefined;
  #watch: StallWatch | undefined;
  #workers: WorkerWatches | undefined;
  #probeProblem: string | undefined;
  #watchProblem: string | undefined;
  #latest: Vitals | undefined;

  constructor(options: TargetVitalsOptions) {
    this.#options = options;
    const { attachment } = options;
    // Each command would hold the target's exit longer.
    this.#exit = attachment.onExit(async () => this.#stop('the target exits'));
    this.#reader = new VitalsReader({ ...options, signal: this.#signal });
    const stopWithSession = (): void => this.#stop('the target is gone');
    attachment.ended.addEventListener('abort', stopWithSession, { once: true, signal: this.#signal });
    this.#running = this.#run();
  }

  get latest(): Vitals | undefined {
    return this.#latest;
  }

  get identity(): TargetIdentity {
    return this.#options.identity;
  }

  /** Why there is no event-loop delay and GC; undefined when there is, or may be soon. */
  get probeProblem(): string | undefined {
    return this.#probeProblem;
  }

  /** Why stalls cannot be watched for in this target. */
  get watchProblem(): string | undefined {
    return this.#watchProblem ?? this.#probeProblem;
  }

  /** How long the event loop of a thread has been in its turn. */
  async turnOf(threadId: string): Promise<TurnReading> {
    const watch = threadId === 'main' ? this.#watch : this.#workers?.of(threadId);
    const unwatched =
      threadId === 'main'
        ? (this.watchProblem ?? 'the heartbeat has only begun')
        : `the worker is not watched: new, or not among the first ${maxWatchedWorkers}`;
    try {
      const turnMs = await watch?.turnMs();
      return turnMs === undefined ? { unknown: unwatched } : { turnMs };
    } catch (error) {
      if (error instanceof SidescopeError) return { unknown: error.message };
      throw error;
    }
  }

  /** One more reading of memory alone. Rejects with `inspector-timeout`, `inspector-bad-answer`, `target-gone`. */
  readMemory(): ReturnType<VitalsReader['readMemory']> {
    return this.#reader.readMemory(this.#latest);
  }

  /** Leaves nothing behind in the target: at once where it answers, else at its next collection. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { attachment } = this.#options;
    const probe = this.#probe;
    this.#stop('the agent leaves the target');
    await this.#running;
    if (probe === undefined || attachment.isExiting || attachment.ended.aborted) return;
    // Closing the connection, which comes next, frees the probe as well.
    await probe.stop({ timeoutMs: leaveTimeoutMs }).catch(() => undefined);
  }

  get #signal(): AbortSignal {
    return this.#stopped.signal;
  }

  #stop(why: string): void {
    this.#exit[Symbol.dispose]();
    this.#stopped.abort(new SidescopeError('target-gone', why));
  }

  async #run(): Promise<void> {
    const tasks = [this.#keepProbe(), this.#readAlways()];
    const results = await Promise.allSettled(tasks);
    for (const result of results) {
      if (result.status === 'fulfilled' || this.#isOver) continue;
      this.#options.log.error({ err: result.reason as unknown, target: this.#options.targetId }, 'vitals stopped');
    }
  }

  get #isOver(): boolean {
    return this.#signal.aborted || this.#options.attachment.ended.aborted;
  }

  /** Makes the probe, and watches for stalls with it. */
  async #keepProbe(): Promise<void> {
    const { attachment, targetId, log } = this.#options;
    for (let attempt = 0; !this.#isOver; attempt++) {
      try {
        this.#probe = await Probe.open(attachment.main, this.#signal);
        this.#probeProblem = undefined;
        break;
      } catch (error) {
        if (this.#isOver || !(error instanceof SidescopeError)) throw error;
        this.#probeProblem = error.message;
        log.warn({ target: targetId, code: error.code }, `no event-loop delay, GC and stall watch: ${error.message}`);
        const retryMs = probeRetriesMs[attempt];
        if (retryMs === undefined) return;
        await delay(retryMs, undefined, { signal: this.#signal, ref: false });
      }
    }
    if (this.#probe === undefined || this.#options.stallThresholdMs === 0) return;
    await this.#watchStalls(this.#probe);
  }

  async #watchStalls(probe: Probe): Promise<void> {
    const { targetId, identity, attachment, stallThresholdMs, stallIntervalMs, saturation, log } = this.#options;
    const surroundings = this.#surroundings();
    const common = {
      thresholdMs: stallThresholdMs,
      intervalMs: stallIntervalMs,
      onStall: (stall: Stall, frames: RecordedFrames) => this.#options.onStall(stall, frames),
      signal: this.#signal,
    };
    const about = { targetId, instanceId: identity.instanceId };
    const main = new StallWatch({
      ...common,
      session: attachment.main,
      probe,
      about: { ...about, thread: 'main' },
      saturation,
      surroundings,
    });
    this.#watch = main;
    this.#workers = new WorkerWatches({
      ...common,
      attachment,
      about,
      surroundings: {
        ...surroundings,
        imposed: () => {
          const [ours, silence] = [surroundings.imposed(), main.silence];
          return { now: ours.now || silence.now, lastMs: Math.max(ours.lastMs, silence.lastMs) };
        },
        // Profiles of single workers are not followed.
        busyAtMost: () => 1,
        cpuOperationId: () => null,
        throttledMs: () => Promise.resolve(null),
        schedules: () => ({ main: undefined, inspector: undefined }),
      },
      onFault: (error, thread) =>
        log.error({ err: error, target: targetId, thread }, 'a worker is not watched any more'),
    });
    const workers = this.#workers.run().catch(() => {
      // Its only rejection is our own stop.
    });
    const reason = await main.run();
    if (reason !== undefined) {
      this.#watchProblem = reason;
      this.#watch = undefined;
      log.warn({ target: targetId }, `stalls are not watched for: ${reason}`);
    }
    await workers;
  }

  #surroundings(): StallSurroundings {
    const { targetId, pauses } = this.#options;
    return {
      imposed: () => ({ now: pauses.isPausing(targetId), lastMs: pauses.lastMs(targetId) }),
      cpuOperationId: () => pauses.cpuOperationId(targetId),
      isSampling: () => pauses.isSampling(targetId),
      processState: () => this.#reader.processState(),
      throttledMs: () => this.#reader.throttledMs(),
      schedules: () => this.#reader.schedules(),
      busyAtMost: () => (pauses.isCpuSampled(targetId) ? (this.#latest?.cpu.mainCores ?? 1) : 1),
    };
  }

  async #readAlways(): Promise<void> {
    const { vitalsIntervalMs } = this.#options;
    if (vitalsIntervalMs === 0) return;
    let beforeMs: number | undefined;
    let wasSampled = false;
    while (!this.#isOver) {
      const read = await this.#reader.read(this.#probe);
      if (this.#isOver) return;
      const isSampled = this.#options.pauses.isCpuSampled(this.#options.targetId);
      // Between the two readings it may have been sampled for a part of the time.
      const vitals = isSampled || wasSampled ? withoutLostIdleTime(read) : read;
      wasSampled = isSampled;
      this.#latest = vitals;
      const nowMs = performance.now();
      this.#options.onVitals(vitals, nowMs - (beforeMs ?? nowMs - vitalsIntervalMs));
      beforeMs = nowMs;
      await delay(vitalsIntervalMs, undefined, { signal: this.#signal, ref: false });
    }
  }
}

/** The main thread cannot have been busier than it used the CPU, but for what it waited for synchronously; see `ImposedPauses.isCpuSampled`. */
function withoutLostIdleTime(vitals: Vitals): Vitals {
  const { loop, cpu } = vitals;
  const utilization =
    loop.utilization === null || cpu.mainCores === null ? null : Math.min(loop.utilization, cpu.mainCores);
  return { ...vitals, loop: { ...loop, utilization } };
}
