import type { TickReading } from '../../protocol/inspector/vitals-readings.ts';
import { within } from './within.ts';

/** An answer that comes later does not belong to the moment of its question. */
export const promptMs = 200;

/** What is asked of the thread: see `Probe`. */
export interface Heart {
  tick(): Promise<TickReading>;
  gcPauseMs(): Promise<number | null>;
}

export interface Beat {
  readonly sentMs: number;
  readonly reading: TickReading;
}

export interface HeartbeatOptions {
  readonly heart: Pick<Heart, 'tick'>;
  readonly intervalMs: number;
  readonly signal: AbortSignal;
}

/**
 * Whether the event loop of a thread turns: each heartbeat leaves one immediate there and tells how many have run. All questions are answered at once by
 * JavaScript that spins, and by native code when it returns. Times are of `performance.now()`.
 */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #open: { readonly sentMs: number; readonly answer: Promise<TickReading> } | undefined;
  #last: Beat | undefined;
  /** The heartbeat whose immediate has not run, and the one before it. */
  #waiting: { readonly sinceMs: number; readonly before: Beat | undefined; readonly busyMs: number } | undefined;
  #hasTurned = true;
  #silentUntilMs = -Infinity;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** Whether nothing was answered for 200 ms, or when that was last over: native work, or a pause of ours. */
  get silence(): { readonly now: boolean; readonly lastMs: number } {
    const now = this.#open !== undefined && performance.now() - this.#open.sentMs > promptMs;
    return { now, lastMs: this.#silentUntilMs };
  }

  /** The last two that were answered, the later one in a new turn; undefined before there are two. */
  get turn(): { readonly before: Beat; readonly last: Beat } | undefined {
    const before = this.#waiting?.before;
    const last = this.#last;
    return before === undefined || last === undefined || last === before ? undefined : { before, last };
  }

  /** True: the loop turned since the heartbeat before; false: it did not; undefined: no answer in time. */
  async beat(waitMs: number): Promise<boolean | undefined> {
    const { heart, signal } = this.#options;
    signal.throwIfAborted();
    this.#open ??= { sentMs: performance.now(), answer: heart.tick() };
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
  suspectSinceMs(): number | undefined {
    const mostMs = this.#options.intervalMs / 2;
    if (this.#open !== undefined && this.#hasTurned) return this.#open.sentMs - mostMs;
    return this.#waiting && this.#waiting.sinceMs - Math.min(mostMs, this.#waiting.busyMs);
  }

  /** The best guess, for the record: a loop that had idle time was at work only in the block. */
  startMs(): number | undefined {
    return this.#hasTurned || this.#waiting === undefined ? undefined : this.#waiting.sinceMs - this.#waiting.busyMs;
  }

  /** How long the loop has been in this turn, to one interval; undefined before the first heartbeat. Costs at most one more. */
  async turnMs(): Promise<number | undefined> {
    const last = this.#last;
    const askedMs = performance.now();
    if (last === undefined) return undefined;
    const startMs = this.startMs();
    if (startMs !== undefined) return askedMs - startMs;
    if (this.#open !== undefined) return askedMs - this.#open.sentMs;
    const { heart, signal } = this.#options;
    const reading = await within(heart.tick(), promptMs, signal);
    if (reading === undefined) return performance.now() - askedMs;
    const sinceMs = askedMs - last.sentMs;
    // Its immediate of the last heartbeat has not run: at work since then, and before that as long as it was.
    if (reading.turns === last.reading.turns) return sinceMs + (this.#waiting?.busyMs ?? 0);
    return Math.min(sinceMs, Math.max(0, reading.activeMs - last.reading.activeMs));
  }

  /** After a time in which nothing was asked. */
  restart(): void {
    this.#last = undefined;
    this.#waiting = undefined;
    this.#hasTurned = true;
  }
}

/** Of the time between two heartbeats, the share in which the loop was at work. */
export function utilization({ before, last }: { before: Beat; last: Beat }): number {
  const idleMs = last.reading.idleMs - before.reading.idleMs;
  const activeMs = last.reading.activeMs - before.reading.activeMs;
  return idleMs + activeMs > 0 ? activeMs / (idleMs + activeMs) : 0;
}

/** Time that the loop was at work between two heartbeats: a block at the second one is not older than that, unless nothing turned before. */
function busyMs(before: Beat | undefined, last: Beat): number {
  if (before === undefined) return 0;
  return Math.max(0, last.reading.activeMs - before.reading.activeMs);
}
