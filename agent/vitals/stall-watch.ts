import { setTimeout as delay } from 'node:timers/promises';
import type { Stall } from '../../protocol/rest/stalls.ts';
import type { Session } from '../attach/session.ts';
import { markWait, waitsBetween, type TargetSchedules, type WaitMark } from './cpu-wait.ts';
import { Heartbeat, promptMs, utilization, type Heart } from './heartbeat.ts';
import { StackAsker } from './stack-asker.ts';
import { StallRecord, type RecordedFrames } from './stall-record.ts';

export interface Tempo {
  readonly sampleEveryMs: number;
  /** So many at that pace, then once a second, up to `maxSamples`: a stall of an hour costs no more than one of two minutes. */
  readonly quickSamples: number;
  readonly maxSamples: number;
  /** After a record nothing is asked for so long. */
  readonly restMs: number;
}

/** 20 Hz for 5 s costs the target 0.7 % at most. */
const mainTempo: Tempo = { sampleEveryMs: 50, quickSamples: 100, maxSamples: 200, restMs: 0 };
const slowEveryMs = 1_000;
const imposedPauseMs = 50;
const announceEveryMs = 2_000;
/** So many answers out of a waiting event loop that does not turn for us: then setImmediate is not Node's. */
const brokenAfter = 5;
const saturatedRatio = 0.98;
const relaxedRatio = 0.9;

export interface Saturation {
  readonly afterMs: number;
  readonly sampleMs: number;
  /** With idle time again for this long, it is over. */
  readonly relaxedMs: number;
}

export const defaultSaturation: Saturation = { afterMs: 30_000, sampleMs: 10_000, relaxedMs: 5_000 };

/** What else is known of the target at the moment. */
export interface StallSurroundings {
  /** A pause of ours is under way; `lastMs` is when the last one was over, of `performance.now()`. */
  imposed(): { readonly now: boolean; readonly lastMs: number };
  /** A CPU profile or heap sampling of the main thread is running, and its end may pause the target. */
  cpuOperationId(): string | null;
  isSampling(): boolean;
  processState(): Promise<string | undefined>;
  throttledMs(): Promise<number | null>;
  schedules(): TargetSchedules;
  /** What the thread's CPU time says, while its idle time is not to be believed; else 1. */
  busyAtMost?(): number;
}

export interface StallWatchOptions {
  readonly session: Session;
  readonly probe: Heart;
  readonly about: Pick<Stall, 'targetId' | 'instanceId' | 'thread'>;
  readonly thresholdMs: number;
  readonly intervalMs: number;
  readonly saturation?: Saturation | undefined;
  readonly tempo?: Tempo | undefined;
  readonly surroundings: StallSurroundings;
  /** The whole record, whenever there is more of it. */
  onStall(stall: Stall, frames: RecordedFrames): void;
  /** Aborted when the target exits or is left: nothing is sent from then on. */
  readonly signal: AbortSignal;
}

/**
 * Notices when the event loop of a thread does not turn (`blocked`), or turns without ever having idle time (`saturated`), and where it is meanwhile. All
 * questions are answered at once by JavaScript that spins, and by native code when it returns; so none is left open when the target exits.
 */
export class StallWatch {
  readonly #options: StallWatchOptions;
  readonly #saturation: Saturation;
  readonly #tempo: Tempo;
  readonly #heartbeat: Heartbeat;
  /** Of the last heartbeat that found a new turn, and of the time since when there is no idle time. */
  #turnMark: WaitMark | undefined;
  #busyMark: WaitMark | undefined;
  #busySinceMs: number | undefined;
  #relaxedSinceMs: number | undefined;
  #saturated: StallRecord | undefined;

  constructor(options: StallWatchOptions) {
    this.#options = options;
    this.#saturation = options.saturation ?? defaultSaturation;
    this.#tempo = options.tempo ?? mainTempo;
    const { probe: heart, intervalMs, signal } = options;
    this.#heartbeat = new Heartbeat({ heart, intervalMs, signal });
  }

  /** As `Heartbeat` has it. */
  get silence(): Heartbeat['silence'] {
    return this.#heartbeat.silence;
  }

  /** As `Heartbeat` has it. */
  turnMs(): Promise<number | undefined> {
    return this.#heartbeat.turnMs();
  }

  /** Until `signal`. Resolves early, with the reason, when this target cannot be watched. */
  async run(): Promise<string | undefined> {
    const { intervalMs, thresholdMs, signal } = this.#options;
    try {
      while (!signal.aborted) {
        const turned = await this.#heartbeat.beat(Math.max(1, thresholdMs - intervalMs / 2));
        const suspectMs = this.#heartbeat.suspectSinceMs();
        const leftMs = suspectMs === undefined ? Infinity : suspectMs + thresholdMs - performance.now();
        if (turned !== true && suspectMs !== undefined && leftMs <= 0) {
          const reason = await this.#onBlocked(this.#heartbeat.startMs() ?? suspectMs);
          if (reason !== undefined && this.#tempo.restMs === 0) return reason;
          await this.#rest();
          continue;
        }
        if (turned === true) {
          this.#turnMark = this.#mark();
          await this.#followSaturation();
        }
        const pauseMs = turned === true ? intervalMs : Math.max(1, Math.min(intervalMs, leftMs));
        await delay(pauseMs, undefined, { signal, ref: false });
      }
    } catch (error) {
      // The end of the target and of its session reject what is under way; only what is left after that is a fault.
      if (!signal.aborted && !this.#options.session.ended.aborted) throw error;
    } finally {
      if (this.#saturated !== undefined) this.#tell(this.#saturated, 'cut');
    }
    return undefined;
  }

  async #rest(): Promise<void> {
    const { restMs } = this.#tempo;
    if (restMs === 0) return;
    await delay(restMs, undefined, { signal: this.#options.signal, ref: false });
    this.#heartbeat.restart();
  }

  async #onBlocked(suspectedMs: number): Promise<string | undefined> {
    const { surroundings } = this.#options;
    const startMs = await this.#beginOfBlock(suspectedMs);
    if (startMs === undefined) return undefined;
    if (this.#saturated !== undefined) this.#endSaturated();
    this.#busySinceMs = undefined;
    const turnMark = this.#turnMark;
    const { about, thresholdMs } = this.#options;
    const record = new StallRecord({ ...about, kind: 'blocked' }, { startMs, thresholdMs });
    record.cpuOperationId = surroundings.cpuOperationId();
    let endMs: number | undefined;
    try {
      const evidence = await this.#startEvidence(record);
      endMs = await this.#sampleUntilTurned(record, turnMark);
      this.#noteWaits(record, turnMark);
      // The next block may begin before the next heartbeat, and what this one waited for is not its own.
      if (endMs !== undefined) this.#turnMark = this.#mark();
      if (endMs === undefined) return 'its setImmediate does not run although its event loop is idle';
      if (await this.#wasOurs(record, startMs)) return undefined;
      await evidence();
      this.#tell(record, 'ended', endMs);
    } catch (error) {
      if (this.#isCertain(record)) this.#tell(record, endMs === undefined ? 'cut' : 'ended', endMs);
      throw error;
    }
    return undefined;
  }

  /** What is left of a block when the time is taken off that we imposed: undefined when it ends without having lasted for the threshold by itself. */
  async #beginOfBlock(suspectedMs: number): Promise<number | undefined> {
    const { surroundings, thresholdMs, signal } = this.#options;
    for (;;) {
      const { now, lastMs } = surroundings.imposed();
      const startMs = Math.max(suspectedMs, lastMs);
      if (!now && performance.now() - startMs >= thresholdMs) return startMs;
      this.#busySinceMs = undefined;
      if ((await this.#heartbeat.beat(imposedPauseMs * 4)) === true) return undefined;
      await delay(imposedPauseMs, undefined, { signal, ref: false });
    }
  }

  /** A silent thread may be at the end of a profile of ours, and an idle one may have another setImmediate than Node's. */
  #isCertain({ running, idle }: StallRecord): boolean {
    return running > 0 || (idle === 0 && !this.#options.surroundings.isSampling());
  }

  /** The end of a capture that holds the thread is only known when it is over, a moment after the thread is free again. */
  async #wasOurs(record: StallRecord, startMs: number): Promise<boolean> {
    const { surroundings, signal } = this.#options;
    if (this.#isCertain(record)) return false;
    if (surroundings.isSampling()) await delay(1_500, undefined, { signal, ref: false });
    const { now, lastMs } = surroundings.imposed();
    return now || lastMs > startMs;
  }

  async #startEvidence(record: StallRecord): Promise<() => Promise<void>> {
    const { probe, surroundings } = this.#options;
    const askedMs = performance.now();
    let gcBeforeMs: number | null = null;
    // Answered late it would have the block's own collections in it. The end of the session rejects it, which the watch sees by itself.
    void probe.gcPauseMs().then(
      (pauseMs) => (gcBeforeMs = performance.now() - askedMs < promptMs ? pauseMs : null),
      () => undefined,
    );
    const throttledBeforeMs = await surroundings.throttledMs();
    return async () => {
      const gcMs = await probe.gcPauseMs();
      record.gcMs = gcMs === null || gcBeforeMs === null || gcMs < gcBeforeMs ? null : round(gcMs - gcBeforeMs);
      const throttledMs = await surroundings.throttledMs();
      record.throttledMs =
        throttledMs === null || throttledBeforeMs === null ? null : round(throttledMs - throttledBeforeMs);
    };
  }

  /** The time of the end; undefined when the loop is idle, and does not run our immediate all the same. */
  async #sampleUntilTurned(record: StallRecord, turnMark: WaitMark | undefined): Promise<number | undefined> {
    const { signal, surroundings } = this.#options;
    let toldMs = -Infinity;
    const stacks = new StackAsker(this.#options);
    for (;;) {
      const isOurs = surroundings.imposed().now;
      if (record.asked < this.#tempo.maxSamples && !isOurs)
        await stacks.sample(record, toldMs < 0 ? promptMs : slowEveryMs);
      if (record.idle >= brokenAfter && record.running === 0) return undefined;
      // With its first stack if that comes soon, and without it else.
      if (performance.now() - toldMs >= announceEveryMs && this.#isCertain(record)) {
        toldMs = performance.now();
        this.#noteWaits(record, turnMark);
        this.#tell(record, 'ongoing');
      }
      const turned = await this.#heartbeat.beat(slowEveryMs);
      const nowMs = performance.now();
      if (turned === true) {
        // Native work is over when both are answered, and this one tells where.
        if (stacks.isWaiting) await stacks.sample(record, promptMs);
        return nowMs;
      }
      if (turned === undefined && (await surroundings.processState()) === 'T') record.stopped();
      const isQuick = record.asked < this.#tempo.quickSamples && !isOurs;
      const pauseMs = isQuick ? this.#tempo.sampleEveryMs : slowEveryMs;
      await delay(pauseMs, undefined, { signal, ref: false });
    }
  }

  async #followSaturation(): Promise<void> {
    const { turn } = this.#heartbeat;
    if (turn === undefined) return;
    const nowMs = turn.last.sentMs;
    const ratio = Math.min(utilization(turn), this.#options.surroundings.busyAtMost?.() ?? 1);
    if (this.#options.surroundings.imposed().now || ratio < saturatedRatio) this.#busySinceMs = undefined;
    else if (this.#busySinceMs === undefined) {
      this.#busySinceMs = turn.before.sentMs;
      if (this.#saturated === undefined) this.#busyMark = this.#turnMark;
    }
    if (this.#saturated !== undefined) {
      if (ratio >= relaxedRatio) this.#relaxedSinceMs = undefined;
      else this.#relaxedSinceMs ??= nowMs;
      if (this.#relaxedSinceMs !== undefined && nowMs - this.#relaxedSinceMs >= this.#saturation.relaxedMs)
        this.#endSaturated();
      return;
    }
    if (this.#busySinceMs === undefined || nowMs - this.#busySinceMs < this.#saturation.afterMs) return;
    const { about, thresholdMs } = this.#options;
    const record = new StallRecord({ ...about, kind: 'saturated' }, { startMs: this.#busySinceMs, thresholdMs });
    record.cpuOperationId = this.#options.surroundings.cpuOperationId();
    this.#saturated = record;
    this.#relaxedSinceMs = undefined;
    await this.#sampleSaturated(record);
    this.#noteWaits(record, this.#busyMark);
    this.#tell(record, 'ongoing');
  }

  /** Between heartbeats; a block that begins meanwhile ends it. */
  async #sampleSaturated(record: StallRecord): Promise<void> {
    const { signal, thresholdMs, intervalMs } = this.#options;
    const endMs = performance.now() + this.#saturation.sampleMs;
    const stacks = new StackAsker(this.#options);
    let beatMs = performance.now();
    while (performance.now() < endMs && record.asked < this.#tempo.maxSamples) {
      await stacks.sample(record, slowEveryMs);
      if (performance.now() - beatMs >= intervalMs) {
        beatMs = performance.now();
        await this.#heartbeat.beat(thresholdMs);
        const suspectMs = this.#heartbeat.suspectSinceMs();
        if (suspectMs !== undefined && performance.now() - suspectMs >= thresholdMs) return;
      }
      await delay(this.#tempo.sampleEveryMs, undefined, { signal, ref: false });
    }
  }

  #endSaturated(): void {
    if (this.#saturated === undefined) return;
    this.#noteWaits(this.#saturated, this.#busyMark);
    this.#tell(this.#saturated, 'ended', this.#relaxedSinceMs ?? performance.now());
    this.#saturated = undefined;
    this.#relaxedSinceMs = undefined;
  }

  #mark(): WaitMark {
    return markWait(this.#options.surroundings.schedules());
  }

  #noteWaits(record: StallRecord, since: WaitMark | undefined): void {
    if (since !== undefined) record.noteWaits(waitsBetween(since, this.#mark()));
  }

  #tell(record: StallRecord, state: Stall['state'], endMs?: number): void {
    const nowMs = performance.now();
    const stall = record.view(state, { nowMs, endMs: state === 'cut' ? nowMs : endMs });
    this.#options.onStall(stall, record.frames());
  }
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
