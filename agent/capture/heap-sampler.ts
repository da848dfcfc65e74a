import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import { clockExpression } from '../../protocol/inspector/expressions.ts';
import type { HeapSamplingParams } from '../../protocol/inspector/methods.ts';
import { decodeClock, type ClockReading } from '../../protocol/inspector/readings.ts';
import type { SamplingMode } from '../../protocol/rest/profile.ts';
import type { Session } from '../attach/session.ts';

const commandTimeoutMs = 10_000;
/** A heap snapshot of the same thread may run before it, and pause for minutes. */
const answerTimeoutMs = 10 * 60_000;

export interface SamplerAnswer {
  /** The whole message; the profile is in its result. */
  readonly answer: Uint8Array;
  /** On the target's clock, read right before and after; null when that did not work. */
  readonly pauseMs: number | null;
}

/**
 * Owns V8's heap sampler of one thread from its start until it is stopped, whatever happens in between. There is one per isolate: who starts it has made sure
 * that nobody else uses it.
 */
export class HeapSampler implements AsyncDisposable {
  readonly #session: Session;
  #isStopped = false;

  static async start(session: Session, options: { mode: SamplingMode; intervalBytes: number }): Promise<HeapSampler> {
    const params: HeapSamplingParams = {
      samplingInterval: options.intervalBytes,
      ...(options.mode === 'churn' && {
        includeObjectsCollectedByMajorGC: true,
        includeObjectsCollectedByMinorGC: true,
      }),
    };
    const sampler = new HeapSampler(session);
    try {
      await session.send('HeapProfiler.startSampling', params, { timeoutMs: commandTimeoutMs });
      return sampler;
    } catch (error) {
      // Timed out: the command waits in the target's queue, and this one behind it.
      await sampler[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(session: Session) {
    this.#session = session;
  }

  /** The profile so far; sampling goes on. Costs a full collection, as `stop` does. Rejects with `capture-interrupted` when the sampler is not there any more. */
  read(signal: AbortSignal): Promise<SamplerAnswer> {
    return this.#ask('HeapProfiler.getSamplingProfile', signal);
  }

  stop(signal: AbortSignal): Promise<SamplerAnswer> {
    this.#isStopped = true;
    return this.#ask('HeapProfiler.stopSampling', signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isStopped || this.#session.ended.aborted) return;
    this.#isStopped = true;
    try {
      await this.#session.sendForBytes('HeapProfiler.stopSampling', {}, { timeoutMs: commandTimeoutMs });
    } catch (error) {
      // Gone or refused: no sampler runs. Timed out: the command waits in the target's queue.
      if (!(error instanceof SidescopeError)) throw error;
    }
  }

  async #ask(
    method: 'HeapProfiler.getSamplingProfile' | 'HeapProfiler.stopSampling',
    signal: AbortSignal,
  ): Promise<SamplerAnswer> {
    const before = readClock(this.#session, answerTimeoutMs);
    const asked = this.#session.sendForBytes(method, {}, { timeoutMs: answerTimeoutMs, signal });
    const after = readClock(this.#session, answerTimeoutMs);
    try {
      const answer = await asked;
      const [start, end] = await Promise.all([before, after]);
      const pauseMs = start === null || end === null ? null : (end.monotonicUs - start.monotonicUs) / 1000;
      return { answer, pauseMs: pauseMs === null ? null : Math.round(pauseMs * 10) / 10 };
    } catch (error) {
      if (!isSidescopeError(error, 'inspector-refused')) throw error;
      this.#isStopped = true;
      throw new SidescopeError(
        'capture-interrupted',
        'somebody else ended the heap sampler, and what it held is lost',
        { cause: error },
      );
    }
  }
}

/** Nothing but the join with wall time and the measured pause depends on it; never rejects. */
export async function readClock(session: Session, timeoutMs: number): Promise<ClockReading | null> {
  try {
    return decodeClock(await session.evaluate(clockExpression, { timeoutMs }));
  } catch (error) {
    if (error instanceof SidescopeError) return null;
    throw error;
  }
}
