import { probeFunctions, workerProbeExpression } from '../../protocol/inspector/expressions.ts';
import { decodeTick } from '../../protocol/inspector/vitals-readings.ts';
import type { TickReading } from '../../protocol/inspector/vitals-readings.ts';
import type { Session } from '../attach/session.ts';
import { answerTimeoutMs } from './probe.ts';
import type { Heart } from './heartbeat.ts';

/** Our object in a worker, as `Probe` in the main thread, with the heartbeat alone. */
export class WorkerProbe implements Heart {
  readonly #session: Session;
  readonly #objectId: string;

  static async open(session: Session, signal: AbortSignal): Promise<WorkerProbe> {
    const options = { timeoutMs: answerTimeoutMs, signal };
    return new WorkerProbe(session, await session.evaluateToObject(workerProbeExpression, options));
  }

  private constructor(session: Session, objectId: string) {
    this.#session = session;
    this.#objectId = objectId;
  }

  async tick(): Promise<TickReading> {
    return decodeTick(await this.#session.callOn(this.#objectId, probeFunctions.tick, { timeoutMs: answerTimeoutMs }));
  }

  /** Garbage collection is observed in the main thread only. */
  async gcPauseMs(): Promise<null> {
    return null;
  }
}
