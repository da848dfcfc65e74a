import { setTimeout as delay } from 'node:timers/promises';
import { SidescopeError } from '../../protocol/error.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import type { TargetIdentity } from '../../protocol/rest/target.ts';
import type { Vitals } from '../../protocol/rest/vitals.ts';
import type { Attachment } from '../attach/attachment.ts';
import type { ImposedPauses } from './imposed-pauses.ts';
import { Probe } from './probe.ts';
import { StallWatch, type Saturation } from './stall-watch.ts';
import { VitalsReader } from './vitals-reader.ts';

/** A target that cannot have a probe now may have one later: its application may still be patching things. */
const probeRetryMs = 60_000;
const maxProbeAttempts = 3;
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
  onStall(stall: Stall): void;
}

/** Vitals and stall watch of one attachment: from its beginning until the target exits or is left. */
export class TargetVitals implements AsyncDisposable {
  readonly #options: TargetVitalsOptions;
  readonly #stopped = new AbortController();
  readonly #reader: VitalsReader;
  readonly #exit: Disposable;
  readonly #running: Promise<void>;
  #probe: Probe | undefined;
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
    for (let attempt = 1; attempt <= maxProbeAttempts && !this.#isOver; attempt++) {
      try {
        this.#probe = await Probe.open(attachment.main, this.#signal);
        break;
      } catch (error) {
        if (this.#isOver || !(error instanceof SidescopeError)) throw error;
        log.warn({ target: targetId, code: error.code }, `no event-loop delay, GC and stall watch: ${error.message}`);
        await delay(probeRetryMs, undefined, { signal: this.#signal, ref: false });
      }
    }
    if (this.#probe === undefined || this.#options.stallThresholdMs === 0) return;
    const reason = await this.#watch(this.#probe).run();
    if (reason !== undefined) log.warn({ target: targetId }, `stalls are not watched for: ${reason}`);
  }

  #watch(probe: Probe): StallWatch {
    const { targetId, identity, attachment, pauses, stallThresholdMs, stallIntervalMs } = this.#options;
    return new StallWatch({
      session: attachment.main,
      probe,
      about: { targetId, instanceId: identity.instanceId },
      thresholdMs: stallThresholdMs,
      intervalMs: stallIntervalMs,
      saturation: this.#options.saturation,
      surroundings: {
        imposed: () => ({ now: pauses.isPausing(targetId), lastMs: pauses.lastMs(targetId) }),
        cpuOperationId: () => pauses.cpuOperationId(targetId),
        isSampling: () => pauses.isSampling(targetId),
        processState: () => this.#reader.processState(),
        throttledMs: () => this.#reader.throttledMs(),
      },
      onStall: (stall) => this.#options.onStall(stall),
      signal: this.#signal,
    });
  }

  async #readAlways(): Promise<void> {
    const { vitalsIntervalMs } = this.#options;
    if (vitalsIntervalMs === 0) return;
    let beforeMs: number | undefined;
    while (!this.#isOver) {
      const vitals = await this.#reader.read(this.#probe);
      if (this.#isOver) return;
      this.#latest = vitals;
      const nowMs = performance.now();
      this.#options.onVitals(vitals, nowMs - (beforeMs ?? nowMs - vitalsIntervalMs));
      beforeMs = nowMs;
      await delay(vitalsIntervalMs, undefined, { signal: this.#signal, ref: false });
    }
  }
}
