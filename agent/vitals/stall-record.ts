import type { StackFrame, StackReading } from '../../protocol/inspector/readings.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import { newId } from '../store/id.ts';
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
  gcMs: number | null = null;
  throttledMs: number | null = null;
  cpuOperationId: string | null = null;

  /** `startMs` is of `performance.now()`. */
  constructor(about: Pick<Stall, 'targetId' | 'instanceId' | 'thread' | 'kind'>, { startMs }: { startMs: number }) {
    this.#about = about;
    this.startMs = startMs;
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

  stopped(): void {
    this.#isStopped = true;
  }

  /** `endMs` undefined: it goes on. */
  view(state: Stall['state'], { nowMs, endMs }: { nowMs: number; endMs?: number | undefined }): Stall {
    const durationMs = Math.round((endMs ?? nowMs) - this.startMs);
    const openMs = nowMs - (this.#openSinceMs ?? nowMs);
    const verdict = this.#verdict(durationMs, openMs);
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
      summary: summaryOf({ ...this.#about, durationMs, verdict, dominant }),
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
      cpuOperationId: this.cpuOperationId,
      cpuProfileAgrees: null,
    };
  }

  /** The frames of the view with all that V8 said of them, for source maps. */
  frames(): RecordedFrames {
    return { tree: this.#stacks.frames(), dominant: this.#stacks.dominant() };
  }

  #verdict(durationMs: number, openMs: number): Stall['verdict'] {
    if (this.#isStopped) return 'stopped';
    const silentMs = this.#silentMs + (openMs > nativeAnswerMs ? openMs : 0);
    if (silentMs > durationMs / 3) return 'native';
    return this.#running > 0 ? 'javascript' : 'unknown';
  }

  #wallTime(ms: number): string {
    return new Date(Math.round(this.#wallOffsetMs + ms)).toISOString();
  }
}
