import { SidescopeError } from '../../protocol/error.ts';
import type { SpanReading } from '../../protocol/inspector/span-reading.ts';
import type { AttachedThread, Attachment } from '../attach/attachment.ts';
import type { CaptureJob } from './capture-job.ts';
import { encodeReadings } from './join-bytes.ts';
import { SpanLog } from './span-log.ts';
import { readSpans } from './span-reader.ts';

/** A CPU capture of one thread that runs now, for whom its profile concerns while it is taken. */
export interface ProfiledThread {
  readonly profileId: string;
  readonly operationId: string;
  readonly targetId: string;
  readonly pid: number;
  readonly startedAtMs: number;
}

/** Who is told of captures and what they read; `ended` once. */
export interface CaptureWatch {
  began(thread: ProfiledThread): { reading(reading: SpanReading, isKept: boolean): void; ended(): void };
}

export interface SpanReadingOptions {
  /** 0: the active span is not read. */
  readonly rateHz: number;
  readonly watch?: CaptureWatch | undefined;
}

/** What is read beside one capture of one thread: what span is active in it. */
export class SpanCapture implements Disposable {
  readonly #job: CaptureJob;
  readonly #of: { attachment: Attachment; thread: AttachedThread; profileId: string; options: SpanReadingOptions };
  readonly #stop = new AbortController();
  readonly #log = new SpanLog();
  #watched: ReturnType<CaptureWatch['began']> | undefined;
  #reading: Promise<string | undefined> = Promise.resolve(undefined);

  constructor(
    job: CaptureJob,
    of: { attachment: Attachment; thread: AttachedThread; profileId: string; options: SpanReadingOptions },
  ) {
    this.#job = job;
    this.#of = of;
  }

  /** When the thread is sampled. */
  start(): void {
    const { attachment, thread, profileId, options } = this.#of;
    const { record, watcher } = this.#job;
    this.#watched = options.watch?.began({
      profileId,
      operationId: record.id,
      targetId: watcher.id,
      pid: watcher.attachedIdentity.pid,
      startedAtMs: Date.now(),
    });
    const onReading = (reading: SpanReading): void => {
      const isKept = this.#log.add(reading);
      this.#watched?.reading(reading, isKept);
    };
    this.#reading =
      options.rateHz === 0
        ? Promise.resolve('it is off (--span-reading-rate)')
        : readSpans({
            attachment,
            session: thread.session,
            rateHz: options.rateHz,
            onReading,
            signal: this.#stop.signal,
          });
    // It never rejects for what the target does; what is left is a fault of ours, and `finish` tells it.
    this.#reading.catch(() => undefined);
  }

  /** Puts aside what was read, for the profile. */
  async finish(warnings: string[]): Promise<void> {
    this[Symbol.dispose]();
    const readings = this.#log.finish(await this.#reading);
    try {
      this.#job.store.saveJoin(this.#of.profileId, 'readings', encodeReadings(readings));
    } catch (error) {
      if (!(error instanceof SidescopeError)) throw error;
      warnings.push(`the readings of active spans could not be kept: ${error.message}`);
    }
  }

  /** Nothing is asked any more, and an answer that is under way is not waited for. */
  [Symbol.dispose](): void {
    this.#stop.abort();
    this.#watched?.ended();
    this.#watched = undefined;
  }
}
