import { setTimeout as delay } from 'node:timers/promises';
import type { Attachment } from '../attach/attachment.ts';
import type { CaptureJob } from './capture-job.ts';

export type CaptureEnd = 'duration' | 'stopped' | 'cancelled' | 'target-exit' | 'agent-stopping';

/** Why and when a sampling capture ends: the first of the duration, a person, the target's exit, the agent's stop. */
export class CaptureEnding {
  readonly #early: AbortSignal;
  readonly #exit = new AbortController();

  /** The reason of `early` is the CaptureEnd. */
  constructor(early: AbortSignal) {
    this.#early = early;
  }

  now(end: CaptureEnd): void {
    this.#exit.abort(end);
  }

  /** Rejects with the reason of `gone`. */
  async wait(ms: number, gone: AbortSignal): Promise<CaptureEnd> {
    const signal = AbortSignal.any([this.#exit.signal, this.#early, gone]);
    try {
      await delay(Math.max(0, ms), undefined, { signal });
      return 'duration';
    } catch {
      // The only rejection is the signal's.
      gone.throwIfAborted();
      return signal.reason as CaptureEnd;
    }
  }
}

/**
 * What a sampling capture needs when its thread may exit under it: the exit ends the capture, and is held up until the profile is there, or the capture failed
 * (when this is disposed).
 */
export class ExitRescue implements Disposable {
  readonly end: CaptureEnding;
  readonly #received = Promise.withResolvers<undefined>();
  readonly #listening: Disposable;

  /** The reason of `endEarly` is the CaptureEnd. */
  constructor(attachment: Pick<Attachment, 'onExit'>, endEarly: AbortSignal) {
    this.end = new CaptureEnding(endEarly);
    this.#listening = attachment.onExit(() => {
      this.end.now('target-exit');
      return this.#received.promise;
    });
  }

  /** The exit may go on. */
  received(): void {
    this.#received.resolve(undefined);
  }

  [Symbol.dispose](): void {
    this.received();
    this.#listening[Symbol.dispose]();
  }
}

/** False at once unless the target is exiting; then true as soon as it was left: nothing of ours may hold it, saving included. */
export async function hasLeftAtExit({ isExiting, ended }: Pick<Attachment, 'isExiting' | 'ended'>): Promise<boolean> {
  if (!isExiting) return ended.aborted;
  const { promise, resolve } = Promise.withResolvers<undefined>();
  ended.addEventListener('abort', () => resolve(undefined), { once: true });
  if (!ended.aborted) await promise;
  return true;
}

/** Why a capture is not all that was asked for; null when it is. */
export function earlyReason(
  end: CaptureEnd,
  { tookMs, durationMs }: { tookMs: number; durationMs: number },
): string | null {
  const after = `after ${(tookMs / 1000).toFixed(1)} s of ${(durationMs / 1000).toFixed(1)} s`;
  switch (end) {
    case 'duration':
    case 'stopped':
      return null;
    case 'cancelled':
      return `cancelled ${after}`;
    case 'target-exit':
      return `the target exited ${after}`;
    case 'agent-stopping':
      return `the agent was stopped ${after}`;
  }
}

/** Shows how far the time is, once a second while the operation samples. */
export function showSampling(job: CaptureJob, durationMs: number): Disposable {
  const startMs = performance.now();
  const timer = setInterval(() => {
    if (job.record.view.progress.phase !== 'sampling') return;
    const fraction = Math.min(1, (performance.now() - startMs) / durationMs);
    job.record.progress({ phase: 'sampling', fraction, bytes: 0 });
  }, 1_000);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
