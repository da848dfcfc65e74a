import { setTimeout as delay } from 'node:timers/promises';
import { stackExpression } from '../../protocol/inspector/expressions.ts';
import { decodeStack, type StackReading } from '../../protocol/inspector/readings.ts';
import type { TickReading } from '../../protocol/inspector/vitals-readings.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import type { Session } from '../attach/session.ts';
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
const answerTimeoutMs = 24 * 3_600_000;
/** An answer that comes later does not belong to the moment of its question. */
const promptMs = 200;
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
  /** What the thread's CPU time says, while its idle time is not to be believed; else 1. */
  busyAtMost?(): number;
}

/** What is asked of the thread: see `Probe`. */
export interface Heart {
  tick(): Promise<TickReading>;
  gcPauseMs(): Promise<number | null>;
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

interface Beat {
  readonly sentMs: number;
  readonly reading: TickReading;
}

/**
 * Asks the event loop of a thread whether it turns: each heartbeat leaves one immediate there and tells how many have run. All questions are
 * answered at once by JavaScript that spins, and by native code when it returns; so none is left open when the target exits.
 */
export class StallWatch {
  readonly #options: StallWatchOptions;
  readonly #saturation: Saturation;
  readonly #tempo: Tempo;
  #open: { readonly sentMs: number; readonly answer: Promise<TickReading> } | undefined;
  #last: Beat | undefined;
  /** The heartbeat whose immediate has not run, and the one before it. */
  #waiting: { readonly sinceMs: number; readonly before: Beat | undefined; readonly busyMs: number } | undefined;
  #hasTurned = true;
  #busySinceMs: number | undefined;
  #relaxedSinceMs: number | undefined;
  #saturated: StallRecord | undefined;
  #silentUntilMs = -Infinity;

  constructor(options: StallWatchOptions) {
    this.#options = options;
    this.#saturation = options.saturation ?? defaultSaturation;
    this.#tempo = options.tempo ?? mainTempo;
  }

  /** Whether nothing was answered for 200 ms, or when that was last over, of `performance.now()`: native work, or a pause of ours. */
  get silence(): { readonly now: boolean; readonly lastMs: number } {
    const now = this.#open !== undefined && performance.now() - this.#open.sentMs > promptMs;
    return { now, lastMs: this.#silentUntilMs };
  }

  /** How long the loop has been in this turn, to one interval; undefined before the first heartbeat. Costs at most one more. */
  async turnMs(): Promise<number | undefined> {
    const last = this.#last;
    const askedMs = performance.now();
    if (last === undefined) return undefined;
    const startMs = this.#startMs();
    if (startMs !== undefined) return askedMs - startMs;
    if (this.#open !== undefined) return askedMs - this.#open.sentMs;
    const { probe, signal } = this.#options;
    const reading = await within(probe.tick(), promptMs, signal);
    if (reading === undefined) return performance.now() - askedMs;
    const sinceMs = askedMs - last.sentMs;
    // Its immediate of the last heartbeat has not run: at work since then, and before that as long as it was.
    if (reading.turns === last.reading.turns) return sinceMs + (this.#waiting?.busyMs ?? 0);
    return Math.min(sinceMs, Math.max(0, reading.activeMs - last.reading.activeMs));
  }

  /** Until `signal`. Resolves early, with the reason, when this target cannot be watched. */
  async run(): Promise<string | undefined> {
    const { intervalMs, thresholdMs, signal } = this.#options;
    try {
      while (!signal.aborted) {
        const turned = await this.#beat(Math.max(1, thresholdMs - intervalMs / 2));
        const suspectMs = this.#suspectSinceMs();
        const leftMs = suspectMs === undefined ? Infinity : suspectMs + thresholdMs - performance.now();
        if (turned !== true && suspectMs !== undefined && leftMs <= 0) {
          const reason = await this.#onBlocked(this.#startMs() ?? suspectMs);
          if (reason !== undefined && this.#tempo.restMs === 0) return reason;
          await this.#rest();
          continue;
        }
        if (turned === true) await this.#followSaturation();
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
    this.#last = undefined;
    this.#waiting = undefined;
    this.#hasTurned = true;
  }

  /** True: the loop turned since the heartbeat before; false: it did not; undefined: no answer in time. */
  async #beat(waitMs: number): Promise<boolean | undefined> {
    const { probe, signal } = this.#options;
    signal.throwIfAborted();
    this.#open ??= { sentMs: performance.now(), answer: probe.tick() };
    const { sentMs, answer } = this.#open;
    const reading = await within(answer, waitMs, signal);
    if (reading === undefined) return undefined;
    this.#open = undefined;
    if (performance.now() - sentMs > promptMs) this.#silentUntilMs = performance.now();
    const before = this.#last;
    const beat = { sentMs, reading };
    this.#last = beat;
    const hasTurned = before === undefined || reading.turns > before.reading.turns;
    if (hasTurned) this.#waiting = { sinceMs: sentMs, before, busyMs: busyMs(before, beat) };
    this.#hasTurned = hasTurned;
    return hasTurned;
  }

  /** When the block began that an unanswered or unturned heartbeat suggests: late rather than early, by half an interval at most. */
  #suspectSinceMs(): number | undefined {
    const mostMs = this.#options.intervalMs / 2;
    if (this.#open !== undefined && this.#hasTurned) return this.#open.sentMs - mostMs;
    return this.#waiting && this.#waiting.sinceMs - Math.min(mostMs, this.#waiting.busyMs);
  }

  /** The best guess, for the record: a loop that had idle time was at work only in the block. */
  #startMs(): number | undefined {
    return this.#hasTurned || this.#waiting === undefined ? undefined : this.#waiting.sinceMs - this.#waiting.busyMs;
  }

  async #onBlocked(suspectedMs: number): Promise<string | undefined> {
    const { surroundings } = this.#options;
    const startMs = await this.#beginOfBlock(suspectedMs);
    if (startMs === undefined) return undefined;
    if (this.#saturated !== undefined) this.#endSaturated();
    this.#busySinceMs = undefined;
    const record = new StallRecord({ ...this.#options.about, kind: 'blocked' }, { startMs });
    record.cpuOperationId = surroundings.cpuOperationId();
    let endMs: number | undefined;
    try {
      const evidence = await this.#startEvidence(record);
      endMs = await this.#sampleUntilTurned(record);
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
      if ((await this.#beat(imposedPauseMs * 4)) === true) return undefined;
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
  async #sampleUntilTurned(record: StallRecord): Promise<number | undefined> {
    const { signal, surroundings } = this.#options;
    let toldMs = -Infinity;
    const stack: OpenStack = {};
    for (;;) {
      const isOurs = surroundings.imposed().now;
      if (record.asked < this.#tempo.maxSamples && !isOurs)
        await this.#sample(record, stack, toldMs < 0 ? promptMs : slowEveryMs);
      if (record.idle >= brokenAfter && record.running === 0) return undefined;
      // With its first stack if that comes soon, and without it else.
      if (performance.now() - toldMs >= announceEveryMs && this.#isCertain(record)) {
        toldMs = performance.now();
        this.#tell(record, 'ongoing');
      }
      const turned = await this.#beat(slowEveryMs);
      const nowMs = performance.now();
      if (turned === true) {
        // Native work is over when both are answered, and this one tells where.
        if (stack.answer !== undefined) await this.#sample(record, stack, promptMs);
        return nowMs;
      }
      if (turned === undefined && (await surroundings.processState()) === 'T') record.stopped();
      const isQuick = record.asked < this.#tempo.quickSamples && !isOurs;
      const pauseMs = isQuick ? this.#tempo.sampleEveryMs : slowEveryMs;
      await delay(pauseMs, undefined, { signal, ref: false });
    }
  }

  /** One stack, or one wait for one that was asked for earlier. */
  async #sample(record: StallRecord, stack: OpenStack, waitMs = slowEveryMs): Promise<void> {
    const { session, signal } = this.#options;
    signal.throwIfAborted();
    if (stack.answer === undefined) {
      record.ask(performance.now());
      stack.answer = session.evaluate(stackExpression, { timeoutMs: answerTimeoutMs, signal }).then(decodeStack);
    }
    const reading = await within(stack.answer, waitMs, signal);
    if (reading === undefined) return;
    stack.answer = undefined;
    const isParked = record.thread !== 'main' && isParkedIn(reading);
    record.answer(isParked ? { ...reading, frames: [] } : reading, performance.now());
  }

  async #followSaturation(): Promise<void> {
    const { before } = this.#waiting ?? {};
    const last = this.#last;
    if (before === undefined || last === undefined || last === before) return;
    const nowMs = last.sentMs;
    const ratio = Math.min(utilization(before, last), this.#options.surroundings.busyAtMost?.() ?? 1);
    if (this.#options.surroundings.imposed().now || ratio < saturatedRatio) this.#busySinceMs = undefined;
    else this.#busySinceMs ??= before.sentMs;
    if (this.#saturated !== undefined) {
      if (ratio >= relaxedRatio) this.#relaxedSinceMs = undefined;
      else this.#relaxedSinceMs ??= nowMs;
      if (this.#relaxedSinceMs !== undefined && nowMs - this.#relaxedSinceMs >= this.#saturation.relaxedMs)
        this.#endSaturated();
      return;
    }
    if (this.#busySinceMs === undefined || nowMs - this.#busySinceMs < this.#saturation.afterMs) return;
    const record = new StallRecord({ ...this.#options.about, kind: 'saturated' }, { startMs: this.#busySinceMs });
    record.cpuOperationId = this.#options.surroundings.cpuOperationId();
    this.#saturated = record;
    this.#relaxedSinceMs = undefined;
    await this.#sampleSaturated(record);
    this.#tell(record, 'ongoing');
  }

  /** Between heartbeats; a block that begins meanwhile ends it. */
  async #sampleSaturated(record: StallRecord): Promise<void> {
    const { signal, thresholdMs, intervalMs } = this.#options;
    const endMs = performance.now() + this.#saturation.sampleMs;
    const stack: OpenStack = {};
    let beatMs = performance.now();
    while (performance.now() < endMs && record.asked < this.#tempo.maxSamples) {
      await this.#sample(record, stack);
      if (performance.now() - beatMs >= intervalMs) {
        beatMs = performance.now();
        await this.#beat(thresholdMs);
        const suspectMs = this.#suspectSinceMs();
        if (suspectMs !== undefined && performance.now() - suspectMs >= thresholdMs) return;
      }
      await delay(this.#tempo.sampleEveryMs, undefined, { signal, ref: false });
    }
  }

  #endSaturated(): void {
    if (this.#saturated === undefined) return;
    this.#tell(this.#saturated, 'ended', this.#relaxedSinceMs ?? performance.now());
    this.#saturated = undefined;
    this.#relaxedSinceMs = undefined;
  }

  #tell(record: StallRecord, state: Stall['state'], endMs?: number): void {
    const nowMs = performance.now();
    const stall = record.view(state, { nowMs, endMs: state === 'cut' ? nowMs : endMs });
    this.#options.onStall(stall, record.frames());
  }
}

/** A worker of a pool waits for its next task in `Atomics.wait`: that is idle, and no block. V8 shows its builtin as the running function. */
function isParkedIn({ frames }: StackReading): boolean {
  const [running] = frames ?? [];
  return running !== undefined && running.url === '' && running.functionName === 'wait';
}

interface OpenStack {
  answer?: Promise<StackReading> | undefined;
}

/** Undefined when there is no answer in time. Rejects with the answer, or with the signal's reason. */
async function within<T>(answer: Promise<T>, waitMs: number, signal: AbortSignal): Promise<T | undefined> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), waitMs);
  const onAbort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([answer, promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    // Rejected after it was given up, it has nobody else.
    answer.catch(() => undefined);
  }
}

/** Time that the loop was at work between two heartbeats: a block at the second one is not older than that, unless nothing turned before. */
function busyMs(before: Beat | undefined, last: Beat): number {
  if (before === undefined) return 0;
  return Math.max(0, last.reading.activeMs - before.reading.activeMs);
}

function utilization(before: Beat, last: Beat): number {
  const idleMs = last.reading.idleMs - before.reading.idleMs;
  const activeMs = last.reading.activeMs - before.reading.activeMs;
  return idleMs + activeMs > 0 ? activeMs / (idleMs + activeMs) : 0;
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
