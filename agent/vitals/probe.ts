import { probeExpression, probeFunctions } from '../../protocol/inspector/expressions.ts';
import { decodeGc, decodeProbe, decodeTick } from '../../protocol/inspector/vitals-readings.ts';
import type { GcReading, ProbeReading, TickReading } from '../../protocol/inspector/vitals-readings.ts';
import type { Session } from '../attach/session.ts';
import type { Heart } from './heartbeat.ts';

/**
 * Longer than anything blocks: an answer that nobody waited for would leave its question open, and a second probe would cost twice. Who asks
 * gives up by himself (`Asker`).
 */
export const answerTimeoutMs = 24 * 3_600_000;

export interface GcKind {
  readonly count: number;
  readonly pauseMs: number;
}

/**
 * Our object in the target's main thread, held only through the inspector: when the session ends, however it does, the target's next collection
 * takes it. Measured on 18-26: 44-91 µs of the target per heartbeat.
 */
export class Probe implements Heart {
  readonly #session: Session;
  readonly #objectId: string;
  #gc = new Map<string, GcKind>();
  #gcPauseMs: number | null = null;

  static async open(session: Session, signal: AbortSignal): Promise<Probe> {
    const options = { timeoutMs: answerTimeoutMs, signal };
    return new Probe(session, await session.evaluateToObject(probeExpression, options));
  }

  private constructor(session: Session, objectId: string) {
    this.#session = session;
    this.#objectId = objectId;
  }

  /** Answered by any thread that runs JavaScript or waits: `turns` grows when the event loop turned since the heartbeat before. */
  async tick(): Promise<TickReading> {
    return decodeTick(await this.#call('tick'));
  }

  async read(): Promise<ProbeReading> {
    const reading = decodeProbe(await this.#call('read'));
    this.#count(reading.gc);
    return reading;
  }

  /** What the target spent collecting garbage since the probe was made, as far as was read; null when it is not observed. */
  async gcPauseMs(): Promise<number | null> {
    this.#count(decodeGc(await this.#call('gc')));
    return this.#gcPauseMs;
  }

  /** By kind, since this was called before. */
  takeGc(): ReadonlyMap<string, GcKind> {
    const taken = this.#gc;
    this.#gc = new Map();
    return taken;
  }

  /** Ends it at once, instead of at the target's next collection. */
  async stop({ timeoutMs }: { timeoutMs: number }): Promise<void> {
    await this.#session.callOn(this.#objectId, probeFunctions.stop, { timeoutMs });
  }

  #call(name: keyof typeof probeFunctions): Promise<unknown> {
    return this.#session.callOn(this.#objectId, probeFunctions[name], { timeoutMs: answerTimeoutMs });
  }

  #count(gc: GcReading | null): void {
    if (gc === null) {
      this.#gcPauseMs = null;
      return;
    }
    this.#gcPauseMs ??= 0;
    for (const [kind, count, pauseUs] of gc) {
      const before = this.#gc.get(kind) ?? { count: 0, pauseMs: 0 };
      this.#gc.set(kind, { count: before.count + count, pauseMs: before.pauseMs + pauseUs / 1000 });
      this.#gcPauseMs += pauseUs / 1000;
    }
  }
}
