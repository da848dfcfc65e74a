import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { readWindowTimes } from '../../protocol/cpu-profile/window-times.ts';
import { SidescopeError } from '../../protocol/error.ts';
import type { Target } from '../../protocol/rest/target.ts';
import type { AttachedThread, Attachment } from '../attach/attachment.ts';
import type { CaptureLog } from './capture-job.ts';
import type { WindowDraft } from './recorder-windows.ts';
import { WindowRecording, type RecordedWindow } from './window-recording.ts';

const gzipped = promisify(gzip);
/** A cold start each: the first is at once, then so long after a failure. */
const retriesMs = [60_000, 600_000];
const maxGaps = 50;

export interface RecorderTempo {
  readonly intervalUs: number;
  readonly windowMs: number;
}

export type RecorderState = 'starting' | 'recording' | 'suspended' | 'paused' | 'failed' | 'stopped';

/** Time that is in no window. `toMs` is null while it lasts. */
export interface RecorderGap {
  readonly fromMs: number;
  readonly toMs: number | null;
  readonly reason: string;
}

export interface TargetRecorderOptions {
  readonly target: Target;
  readonly attachment: Attachment;
  /** Default: main. */
  readonly thread?: AttachedThread | undefined;
  readonly tempo: RecorderTempo;
  /** Undefined for where it pauses the target shortly. */
  readonly deoptimize?: boolean | undefined;
  readonly log: CaptureLog;
  /** In order. Must not throw. */
  onWindow(window: WindowDraft): void;
  /** A cold start pauses the target. */
  onPausing(isPausing: boolean): void;
  onState(state: RecorderState): void;
}

/** Records one thread of one attachment in windows, for the flight recorder or for a long profile: unless it is suspended for a capture, paused, or cannot. */
export class TargetRecorder implements AsyncDisposable {
  readonly #options: TargetRecorderOptions;
  readonly #thread: AttachedThread;
  readonly #collectors = new Set<(window: WindowDraft) => void>();
  readonly #gaps: RecorderGap[] = [];
  #recording: WindowRecording | undefined;
  #state: RecorderState = 'starting';
  #reason: string | null = null;
  /** What the windows of its last start lack. */
  #warnings: readonly string[] = [];
  #sinceMs = Date.now();
  #timer: NodeJS.Timeout | undefined;
  /** Starts, stops and rotations, one after the other. */
  #turns: Promise<unknown> = Promise.resolve();
  /** Windows on their way to the table. */
  #writing: Promise<unknown> = Promise.resolve();
  #suspensions = 0;
  #failures = 0;

  constructor(options: TargetRecorderOptions) {
    this.#options = options;
    this.#thread = options.thread ?? options.attachment.thread('main');
    void this.#inTurn(() => this.#begin());
  }

  get state(): RecorderState {
    return this.#state === 'recording' && this.#recording?.isOver !== false ? 'stopped' : this.#state;
  }

  get reason(): string | null {
    return this.#reason;
  }

  get sinceMs(): number {
    return this.#sinceMs;
  }

  get intervalUs(): number {
    return this.#options.tempo.intervalUs;
  }

  get gaps(): readonly RecorderGap[] {
    return this.#gaps;
  }

  /** What is recorded up to now becomes a window, and is in the table when this resolves. Does nothing unless it records. */
  async flush(): Promise<void> {
    await this.#inTurn(() => this.#rotate());
    await this.#writing;
  }

  /**
   * For a profile at the recorder's rate: begins a window now (0.3-3 ms of the target), and hands out every window from then on until it is ended. Rejects with
   * `capture-interrupted` when nothing is recorded.
   */
  async take(collect: (window: WindowDraft) => void): Promise<{ end(): Promise<void> }> {
    await this.#inTurn(async () => {
      await this.#rotate();
      if (this.state !== 'recording')
        throw new SidescopeError('capture-interrupted', `the flight recorder is ${this.state}: ${this.#reason ?? ''}`);
      // Windows on their way know their collectors already: they are not part of it.
      this.#collectors.add(collect);
    });
    return {
      end: async () => {
        try {
          await this.flush();
        } finally {
          this.#collectors.delete(collect);
        }
      },
    };
  }

  /** Frees V8's profiler for another rate. Disposing begins again, which costs a cold start; nobody needs to wait for that. */
  async suspend(reason: string): Promise<Disposable> {
    this.#suspensions += 1;
    await this.#inTurn(() => this.#end('suspended', reason));
    let isDisposed = false;
    return {
      [Symbol.dispose]: () => {
        if (isDisposed) return;
        isDisposed = true;
        this.#suspensions -= 1;
        void this.#inTurn(() => this.#begin());
      },
    };
  }

  /** Until `resume`; the window so far is kept. */
  async pause(reason: string): Promise<void> {
    if (this.#state !== 'recording' || this.#collectors.size > 0) return;
    await this.#inTurn(() => this.#end('paused', reason));
  }

  resume(): void {
    if (this.#state !== 'paused') return;
    this.#state = 'starting';
    void this.#inTurn(() => this.#begin());
  }

  /** Keeps the last window and leaves the target as it was. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    await this.#inTurn(() => this.#end('stopped', 'the recorder was stopped'));
    await this.#writing;
  }

  async #begin(): Promise<void> {
    const { attachment, tempo, target, log } = this.#options;
    clearTimeout(this.#timer);
    if (this.#suspensions > 0 || this.#state === 'stopped' || this.#state === 'paused' || this.#recording !== undefined)
      return;
    if (attachment.ended.aborted || attachment.isExiting) return;
    this.#options.onPausing(true);
    try {
      this.#recording = await WindowRecording.start({
        attachment,
        session: this.#thread.session,
        intervalUs: tempo.intervalUs,
        deoptimize: this.#options.deoptimize,
        onWindow: (window) => this.#onWindow(window),
      });
      this.#warnings = this.#recording.warnings;
      for (const warning of this.#warnings) log.info({ target: target.id }, `the flight recorder: ${warning}`);
      this.#closeGap();
      this.#change('recording', null);
      this.#timer = setInterval(() => void this.#inTurn(() => this.#rotate()), tempo.windowMs).unref();
    } catch (error) {
      if (!(error instanceof SidescopeError)) throw error;
      if (attachment.ended.aborted || attachment.isExiting) return;
      log.warn({ target: target.id, code: error.code }, `the flight recorder cannot record: ${error.message}`);
      this.#fail(error);
    } finally {
      this.#options.onPausing(false);
    }
  }

  async #rotate(): Promise<void> {
    try {
      await this.#recording?.rotate();
    } catch (error) {
      if (!(error instanceof SidescopeError)) throw error;
      const { attachment, log, target } = this.#options;
      if (attachment.ended.aborted || attachment.isExiting) return;
      log.warn({ target: target.id, code: error.code }, `the flight recorder lost a window: ${error.message}`);
      await this.#end('failed', error.message);
      this.#fail(error);
    }
  }

  async #end(state: RecorderState, reason: string): Promise<void> {
    clearTimeout(this.#timer);
    const recording = this.#recording;
    this.#recording = undefined;
    if (this.#state !== 'stopped') this.#change(state, reason);
    if (recording === undefined) return;
    if (state !== 'stopped') this.#openGap(reason);
    await recording[Symbol.asyncDispose]();
  }

  #fail(error: SidescopeError): void {
    this.#openGap(error.message);
    this.#change('failed', error.message);
    const retryMs = retriesMs[this.#failures++];
    // What the program is made of will be the same then.
    if (retryMs === undefined || error.code === 'inspector-bad-answer') return;
    this.#timer = setTimeout(() => void this.#inTurn(() => this.#begin()), retryMs).unref();
  }

  #onWindow({ profile, endedAtMs, clock, pauseMs }: RecordedWindow): void {
    const { target, tempo } = this.#options;
    const { identity } = target;
    if (identity === null) return;
    const collectors = [...this.#collectors];
    const warnings = this.#warnings;
    this.#writing = this.#writing.then(async () => {
      try {
        const { startUs, endUs } = readWindowTimes(profile);
        const window: WindowDraft = {
          targetId: target.id,
          instanceId: identity.instanceId,
          startedAtMs: Math.round(endedAtMs - (endUs - startUs) / 1000),
          endedAtMs,
          startUs,
          endUs,
          intervalUs: tempo.intervalUs,
          plainBytes: profile.length,
          facts: {
            pauseMs,
            clock,
            identity,
            targetName: target.name,
            thread: this.#thread.thread,
            warnings,
          },
          // Level 1 takes 4 ms for 300 kB, in a thread of its own.
          gzip: await gzipped(profile, { level: constants.Z_BEST_SPEED }),
        };
        for (const collect of collectors) collect(window);
        this.#options.onWindow(window);
      } catch (error) {
        if (!(error instanceof SidescopeError)) throw error;
        this.#options.log.warn({ target: target.id, code: error.code }, `a window was lost: ${error.message}`);
      }
    });
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#turns.then(work);
    // The caller has `turn`; the next in line only waits for it.
    this.#turns = turn.catch(() => undefined);
    return turn;
  }

  #openGap(reason: string): void {
    if (this.#gaps.at(-1)?.toMs === null) return;
    this.#gaps.push({ fromMs: Date.now(), toMs: null, reason });
    if (this.#gaps.length > maxGaps) this.#gaps.shift();
  }

  #closeGap(): void {
    const last = this.#gaps.at(-1);
    if (last?.toMs === null) this.#gaps[this.#gaps.length - 1] = { ...last, toMs: Date.now() };
  }

  #change(state: RecorderState, reason: string | null): void {
    this.#state = state;
    this.#reason = reason;
    this.#sinceMs = Date.now();
    this.#options.onState(state);
  }
}
