import { SidescopeError } from '../../protocol/error.ts';
import { warmProfilerExpression, warmProfilerFunctions } from '../../protocol/inspector/expressions.ts';
import { sliceResultValue } from '../../protocol/inspector/message-bytes.ts';
import type { ClockReading } from '../../protocol/inspector/readings.ts';
import type { Attachment } from '../attach/attachment.ts';
import type { Session } from '../attach/session.ts';
import { readClock } from './heap-sampler.ts';
import { readUsage } from './read-usage.ts';
import { startProfiler } from './start-profiler.ts';

const commandTimeoutMs = 10_000;
/** The target may be inside a native call; then the answer comes at that call's end. */
const stopTimeoutMs = 60_000;

export interface RecordedWindow {
  /** The .cpuprofile as V8 wrote it; the bytes are the receiver's. */
  readonly profile: Uint8Array;
  /** By the agent's clock. */
  readonly endedAtMs: number;
  readonly clock: ClockReading | null;
  /** What its end stalled the target, by the target's clock; null in the exit. */
  readonly pauseMs: number | null;
}

export interface WindowRecordingOptions {
  readonly attachment: Attachment;
  readonly session: Session;
  readonly intervalUs: number;
  /** Undefined for where it pauses the target shortly. */
  readonly deoptimize?: boolean | undefined;
  /** Called in order, before the promise of the rotation resolves. Must not throw. */
  onWindow(window: RecordedWindow): void;
}

/**
 * A CPU profile of one thread that goes on for as long as is wanted, in windows. V8's profiler is created once; between two windows a third one, of the command-line
 * API, keeps it: so a rotation stalls the target 0.5-3 ms instead of 37-1,048. What happens in it between stop and start, some 0.3 ms, is in no window.
 *
 *     window 1 |-------------|   |----------------|   |------
 *     warm                  |-----|              |-----|
 *
 * The windows are those of `Profiler.start`, because these alone are answered in every exit of the target (18-26); the command-line API can be called in
 * `process.exit`, and not when a program has run out of work ("illegal access"). Closing the connection ends all of it (18-26).
 */
export class WindowRecording implements AsyncDisposable {
  /** What its windows lack. */
  readonly warnings: readonly string[];
  readonly #options: WindowRecordingOptions;
  readonly #warmId: string;
  #exit: Disposable | undefined;
  #clock: ClockReading | null = null;
  #turns: Promise<unknown> = Promise.resolve();
  #isOver = false;

  /** Costs the target a cold start. Rejects with `inspector-refused`, `inspector-bad-answer` (globals in the way), `inspector-timeout`, `target-gone`. */
  static async start(options: WindowRecordingOptions): Promise<WindowRecording> {
    const { session, intervalUs } = options;
    const usage = await readUsage(session);
    await session.send('Profiler.enable', {}, { timeoutMs: commandTimeoutMs });
    try {
      await session.send('Profiler.setSamplingInterval', { interval: intervalUs }, { timeoutMs: commandTimeoutMs });
      const warmId = await session.evaluateToObject(warmProfilerExpression, { timeoutMs: commandTimeoutMs });
      const warnings = await startProfiler(session, { asked: options.deoptimize, usage });
      const recording = new WindowRecording(options, { warmId, warnings });
      recording.#clock = await readClock(session, commandTimeoutMs);
      return recording;
    } catch (error) {
      await disable(options);
      throw error;
    }
  }

  private constructor(
    options: WindowRecordingOptions,
    { warmId, warnings }: { warmId: string; warnings: readonly string[] },
  ) {
    this.#options = options;
    this.#warmId = warmId;
    this.warnings = warnings;
    this.#exit = options.attachment.onExit(() => this.#rescue());
  }

  get isOver(): boolean {
    return this.#isOver || this.#options.session.ended.aborted;
  }

  /** Ends the window and begins the next. Rejects with `capture-abandoned` after the end, `inspector-timeout`, `target-gone`. */
  rotate(): Promise<void> {
    return this.#inTurn(async () => {
      const { session } = this.#options;
      // All at once: what passes between the first and the last on the target's clock is what it stalled.
      const before = readClock(session, stopTimeoutMs);
      const steps = Promise.all([
        session.callOn(this.#warmId, warmProfilerFunctions.hold, longWait),
        this.#stop(),
        session.send('Profiler.start', {}, longWait),
        session.callOn(this.#warmId, warmProfilerFunctions.release, longWait),
      ]);
      const after = readClock(session, stopTimeoutMs);
      const [, profile] = await steps;
      this.#deliver(profile, pauseBetween(await before, await after));
      this.#clock = (await after) ?? this.#clock;
    });
  }

  /** Ends it, and delivers the last window. What fails meanwhile costs only that; never rejects for the target's end. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isOver) return this.#turns.then(() => undefined);
    const turn = this.#inTurn(async () => {
      this.#isOver = true;
      this.#exit?.[Symbol.dispose]();
      const { attachment } = this.#options;
      if (this.#options.session.ended.aborted || attachment.isExiting) return;
      const before = readClock(this.#options.session, stopTimeoutMs);
      const stopped = this.#stop();
      const after = readClock(this.#options.session, stopTimeoutMs);
      this.#deliver(await stopped, pauseBetween(await before, await after));
    });
    // Gone, or silent: there is no last window. Closing the connection, or the command that waits in the target's queue, ends it there.
    await turn.catch(() => undefined);
    await disable(this.#options);
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#turns.then(() => {
      if (this.isOver) throw new SidescopeError('capture-abandoned', 'the recording has ended');
      return work();
    });
    // The caller has `turn`; the next in line only waits for it.
    this.#turns = turn.catch(() => undefined);
    return turn;
  }

  /** Beside a rotation that may be under way: the target answers in order. */
  async #rescue(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    try {
      this.#deliver(await this.#stop(), null);
    } catch (error) {
      // There was no time for it: the window is lost with the process.
      if (!(error instanceof SidescopeError)) throw error;
    }
  }

  async #stop(): Promise<Uint8Array> {
    const answer = await this.#options.session.sendForBytes('Profiler.stop', {}, { timeoutMs: stopTimeoutMs });
    return sliceResultValue(answer, 'profile').slice();
  }

  #deliver(profile: Uint8Array, pauseMs: number | null): void {
    this.#options.onWindow({ profile, endedAtMs: Date.now(), clock: this.#clock, pauseMs });
  }
}

const longWait = { timeoutMs: stopTimeoutMs };

function pauseBetween(before: ClockReading | null, after: ClockReading | null): number | null {
  return before === null || after === null ? null : Math.round((after.monotonicUs - before.monotonicUs) / 10) / 100;
}

async function disable({ session, attachment }: WindowRecordingOptions): Promise<void> {
  if (session.ended.aborted || attachment.isExiting) return;
  try {
    // Also ends what still runs, when it failed half-way.
    await session.send('Profiler.disable', {}, { timeoutMs: commandTimeoutMs });
  } catch (error) {
    // Gone: nothing to disable. Timed out: the command waits in the target's queue.
    if (!(error instanceof SidescopeError)) throw error;
  }
}
