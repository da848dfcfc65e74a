import { stackExpression } from '../../protocol/inspector/expressions.ts';
import { decodeStack, type StackReading } from '../../protocol/inspector/readings.ts';
import type { Session } from '../attach/session.ts';
import type { StallRecord } from './stall-record.ts';
import { within } from './within.ts';

const answerTimeoutMs = 24 * 3_600_000;

/** Stacks of one thread, one question at a time: what native code holds back is answered when it returns, and asked for no second time. */
export class StackAsker {
  readonly #session: Session;
  readonly #signal: AbortSignal;
  #answer: Promise<StackReading> | undefined;

  constructor({ session, signal }: { session: Session; signal: AbortSignal }) {
    this.#session = session;
    this.#signal = signal;
  }

  get isWaiting(): boolean {
    return this.#answer !== undefined;
  }

  /** One stack, or one wait for one that was asked for earlier. */
  async sample(record: StallRecord, waitMs: number): Promise<void> {
    this.#signal.throwIfAborted();
    if (this.#answer === undefined) {
      record.ask(performance.now());
      const options = { timeoutMs: answerTimeoutMs, signal: this.#signal };
      this.#answer = this.#session.evaluate(stackExpression, options).then(decodeStack);
    }
    const reading = await within(this.#answer, waitMs, this.#signal);
    if (reading === undefined) return;
    this.#answer = undefined;
    const isParked = record.thread !== 'main' && isParkedIn(reading);
    record.answer(isParked ? { ...reading, frames: [] } : reading, performance.now());
  }
}

/** A worker of a pool waits for its next task in `Atomics.wait`: that is idle, and no block. V8 shows its builtin as the running function. */
function isParkedIn({ frames }: StackReading): boolean {
  const [running] = frames ?? [];
  return running !== undefined && running.url === '' && running.functionName === 'wait';
}
