import { setTimeout as delay } from 'node:timers/promises';
import { isSidescopeError } from '../../protocol/error.ts';
import type { Log } from '../telemetry/log.ts';
import type { AlertNotice, AlertSink, SinkStats } from './alert-sink.ts';
import { DeliveryError } from './delivery-error.ts';

const maxNotices = 200;
const maxBytes = 4 * 2 ** 20;
const attemptTimeoutMs = 10_000;
/** Doubled with each attempt in a row, up to the longest; a quarter more or less, so that many agents do not knock in step. */
const firstPauseMs = 1_000;
const longestPauseMs = 60_000;
const jitter = 0.25;
/** While the agent stops there is no time for long pauses. */
const closingPauseMs = 250;

export interface Receiver {
  /** For logs and metrics. */
  readonly name: string;
  isInterestedIn(notice: AlertNotice): boolean;
  /** Rejects with a `DeliveryError`; anything else is a fault of ours and is not tried again. */
  deliver(notice: AlertNotice, signal: AbortSignal): Promise<void>;
  close?(): Promise<void>;
}

export interface DeliveryOptions {
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>;
  readonly random?: () => number;
  /** Shorter ones for tests. */
  readonly attemptTimeoutMs?: number;
  readonly firstPauseMs?: number;
  readonly maxNotices?: number;
}

/**
 * Notices of one receiver, one after the other and in order. The first one is tried until it is taken or refused for good; what comes meanwhile
 * waits. What there is room for is kept as long as the agent runs; what there is none for is dropped and counted.
 */
export class DeliveryQueue implements AlertSink {
  readonly #receiver: Receiver;
  readonly #options: DeliveryOptions;
  readonly #waiting: { readonly notice: AlertNotice; readonly bytes: number }[] = [];
  readonly #stop = new AbortController();
  #pause = new AbortController();
  #running: Promise<void> | undefined;
  #bytes = 0;
  #delivered = 0;
  #failed = 0;
  #dropped = 0;
  #isClosing = false;
  #isFull = false;
  #lastProblem: string | undefined;

  constructor(receiver: Receiver, options: DeliveryOptions) {
    this.#receiver = receiver;
    this.#options = options;
  }

  /** Why the last attempt failed; undefined when it did not. */
  get problem(): string | undefined {
    return this.#lastProblem;
  }

  push(notice: AlertNotice): void {
    if (!this.#receiver.isInterestedIn(notice)) return;
    const bytes = sizeOf(notice);
    const hasRoom = this.#waiting.length < (this.#options.maxNotices ?? maxNotices) && this.#bytes + bytes <= maxBytes;
    if (!hasRoom || this.#isClosing) {
      this.#drop(notice, 'the queue is full');
      return;
    }
    this.#isFull = false;
    this.#waiting.push({ notice, bytes });
    this.#bytes += bytes;
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
  }

  stats(): SinkStats {
    return {
      name: this.#receiver.name,
      queued: this.#waiting.length,
      delivered: this.#delivered,
      failed: this.#failed,
      dropped: this.#dropped,
    };
  }

  async close(signal: AbortSignal): Promise<void> {
    this.#isClosing = true;
    this.#pause.abort();
    const stop = (): void => this.#stop.abort(new Error('the agent stops'));
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    await this.#running;
    signal.removeEventListener('abort', stop);
    if (this.#waiting.length > 0) {
      const left = this.#waiting.length;
      this.#dropped += left;
      this.#waiting.length = 0;
      this.#bytes = 0;
      this.#options.log.error({ sink: this.#receiver.name, left }, `${left} changes of alerts were not delivered`);
    }
    await this.#receiver.close?.();
  }

  async #run(): Promise<void> {
    let attempt = 0;
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (this.#stop.signal.aborted) return;
      const failure = await this.#try(first.notice);
      if (failure === undefined || failure.isFinal) {
        attempt = 0;
        this.#waiting.shift();
        this.#bytes -= first.bytes;
        if (failure !== undefined) this.#drop(first.notice, failure.message);
        continue;
      }
      attempt += 1;
      await this.#waitBeforeNext(attempt, failure.retryAfterMs);
    }
  }

  async #try(
    notice: AlertNotice,
  ): Promise<{ isFinal: boolean; message: string; retryAfterMs: number | undefined } | undefined> {
    const signal = AbortSignal.any([
      AbortSignal.timeout(this.#options.attemptTimeoutMs ?? attemptTimeoutMs),
      this.#stop.signal,
    ]);
    const { name } = this.#receiver;
    try {
      await this.#receiver.deliver(notice, signal);
    } catch (error) {
      this.#failed += 1;
      const message = isSidescopeError(error) ? error.message : `${name} failed: ${String(error)}`;
      if (this.#lastProblem === undefined)
        this.#options.log.warn({ sink: name }, `an alert could not be delivered: ${message}`);
      this.#lastProblem = message;
      if (error instanceof DeliveryError) return { isFinal: error.isFinal, message, retryAfterMs: error.retryAfterMs };
      return { isFinal: true, message, retryAfterMs: undefined };
    }
    this.#delivered += 1;
    if (this.#lastProblem !== undefined) this.#options.log.info({ sink: name }, 'alerts are delivered again');
    this.#lastProblem = undefined;
    return undefined;
  }

  async #waitBeforeNext(attempt: number, retryAfterMs = 0): Promise<void> {
    const { random = Math.random } = this.#options;
    const first = this.#options.firstPauseMs ?? firstPauseMs;
    const doubledMs = Math.min(first * 2 ** Math.min(attempt - 1, 20), longestPauseMs);
    const pauseMs = Math.max(doubledMs * (1 - jitter + 2 * jitter * random()), retryAfterMs);
    const signal = this.#isClosing ? this.#stop.signal : AbortSignal.any([this.#pause.signal, this.#stop.signal]);
    // Cut short when the agent stops: the loop looks why.
    await delay(this.#isClosing ? closingPauseMs : pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
  }

  #drop({ change, alert }: AlertNotice, why: string): void {
    this.#dropped += 1;
    // A full queue is told once, until there is room again.
    if (this.#isFull && why === 'the queue is full') return;
    this.#isFull = why === 'the queue is full';
    this.#options.log.error(
      { sink: this.#receiver.name, alert: alert.id, change },
      `a change of an alert is not delivered: ${why}`,
    );
  }
}

/** About what it takes in memory. */
function sizeOf({ alert }: AlertNotice): number {
  return alert.evidence.reduce((sum, { text }) => sum + text.length, 4_096 + (alert.text?.length ?? 0));
}
