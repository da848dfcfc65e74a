import type { StackFrame, StackReading } from '../../protocol/inspector/readings.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import { newId } from '../store/id.ts';
import type { Waits } from './cpu-wait.ts';
import { StallStacks, toStallFrame } from './stall-stacks.ts';
import { summaryOf } from './stall-words.ts';

/** An interrupted program answers in 1-30 ms; what is over this was spent where no interrupt reaches. */
const nativeAnswerMs = 200;

export interface RecordedFrames {
  readonly tree: readonly StackFrame[];
  readonly dominant: StackFrame | null;
}

/** One stall while it is watched. */
export class StallRecord {
  readonly id = newId();
  readonly startMs: number;
  readonly #thresholdMs: number;
  readonly #about: Pick<Stall, 'targetId' | 'instanceId' | 'thread' | 'kind'>;
  readonly #noticedAt: string;
  readonly #wallOffsetMs: number;
  readonly #stacks = new StallStacks();
  #asked = 0;
  #running = 0;
  #idle = 0;
  #longestAnswerMs = 0;
  #silentMs = 0;
  #openSinceMs: number | undefined;
  #isStopped = false;
  #waits: Waits = { targetMs: null, passingMs: null };
  gcMs: number | null = null;
  throttledMs: number | null = null;
  cpuOperationId: string | null = null;

  /** `startMs` is of `performance.now()`; from `thresholdMs` on a block is one. */
  constructor(
    about: Pick<Stall, 'targetId' | 'instanceId' | 'thread' | 'kind'>,
    { startMs, thresholdMs }: { startMs: number; thresholdMs: number },
  ) {
    this.#about = about;
    this.startMs = startMs;
    this.#thresholdMs = thresholdMs;
    this.#wallOffsetMs = Date.now() - performance.now();
    this.#noticedAt = new Date().toISOString();
  }

  get thread(): string {
    return this.#about.thread;
  }

  get asked(): number {
    return this.#asked;
  }

  get running(): number {
    return this.#running;
  }

  get idle(): number {
    return this.#idle;
  }

  /** A question goes out, at a time of `performance.now()`. */
  ask(nowMs: number): void {
    this.#asked += 1;
    this.#openSinceMs = nowMs;
  }

  answer(reading: StackReading, nowMs: number): void {
    const waitedMs = nowMs - (this.#openSinceMs ?? nowMs);
    this.#openSinceMs = undefined;
    this.#longestAnswerMs = Math.max(this.#longestAnswerMs, waitedMs);
    if (waitedMs > nativeAnswerMs) this.#silentMs += waitedMs;
    if (reading.frames === null || reading.frames.length === 0) {
      this.#idle += 1;
      return;
    }
    this.#running += 1;
    this.#stacks.add(reading);
  }

  /** So far. What is not known any more, of a target that is gone, stays as it was. */
  noteWaits(waits: Waits): void {
    const { targetMs, passingMs } = this.#waits;
    this.#waits = { targetMs: waits.targetMs ?? targetMs, passingMs: waits.passingMs ?? passingMs };
  }

  stopped(): void {
    this.#isStopped = true;
  }

  /** `endMs` undefined: it goes on. */
  view(state: Stall['state'], { nowMs, endMs }: { nowMs: number; endMs?: number | undefined }): Stall {
    const durationMs = Math.round((endMs ?? nowMs) - this.startMs);
    const openMs = nowMs - (this.#openSinceMs ?? nowMs);
    const waitedMs = this.#waitedMs(durationMs);
    const verdict = this.#verdict({ durationMs, openMs, waitedMs });
    const found = this.#stacks.dominant();
    const dominant = found && { ...toStallFrame(found), share: found.share, from: 'stacks' as const };
    return {
      id: this.id,
      ...this.#about,
      state,
      startedAt: this.#wallTime(this.startMs),
      noticedAt: this.#noticedAt,
      endedAt: endMs === undefined ? null : this.#wallTime(endMs),
      durationMs,
      verdict,
      summary: summaryOf({ ...this.#about, durationMs, verdict, dominant, waitedMs }),
      dominant,
      samples: {
        asked: this.#asked,
        running: this.#running,
        idle: this.#idle,
        longestAnswerMs: Math.round(Math.max(this.#longestAnswerMs, openMs)),
      },
      tree: this.#stacks.tree(),
      span: this.#stacks.span(),
      gcMs: this.gcMs,
      throttledMs: this.throttledMs,
      waitedMs,
      cpuOperationId: this.cpuOperationId,
      cpuProfileAgrees: null,
    };
  }

  /** The frames of the view with all that V8 said of them, for source maps. */
  frames(): RecordedFrames {
    return { tree: this.#stacks.frames(), dominant: this.#stacks.dominant() };
  }

  /** Who saw a stack was there to see it. */
  #waitedMs(durationMs: number): number | null {
    if (this.#about.thread !== 'main') return null;
    const { targetMs, passingMs } = this.#waits;
    const waitedMs = this.#running > 0 || passingMs === null ? targetMs : Math.max(targetMs ?? 0, passingMs);
    // They are of the time since the last turn, and the block began a moment later.
    return waitedMs === null ? null : Math.round(Math.min(durationMs, waitedMs));
  }

  #verdict(parts: { durationMs: number; openMs: number; waitedMs: number | null }): Stall['verdict'] {
    const { durationMs, openMs, waitedMs } = parts;
    if (this.#isStopped) return 'stopped';
    // What is left of a block may be one by itself; a loop that was at work for less than half of the time had idle time to spare.
    const isLateAnyway = this.#about.kind === 'blocked' && durationMs - (waitedMs ?? 0) >= this.#thresholdMs;
    if (waitedMs !== null && waitedMs >= durationMs / 2 && !isLateAnyway) return 'starved';
    const silentMs = this.#silentMs + (openMs > nativeAnswerMs ? openMs : 0);
    if (silentMs > durationMs / 3) return 'native';
    return this.#running > 0 ? 'javascript' : 'unknown';
  }

  #wallTime(ms: number): string {
    return new Date(Math.round(this.#wallOffsetMs + ms)).toISOString();
  }
}
