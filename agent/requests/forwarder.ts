import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Log } from '../telemetry/log.ts';
import { ForwardQueue } from './forward-queue.ts';
import type { Forwarded, QueueBounds } from './forward-queue.ts';
import type { OtlpSignal } from './received.ts';
import { pauseAfter } from './retry.ts';
import type { RetryPauses } from './retry.ts';
import type { Outcome, Upstream } from './upstream.ts';

export interface ForwarderOptions {
  readonly upstream: Upstream;
  readonly bounds: QueueBounds;
  readonly log: Log;
  readonly pauses?: RetryPauses;
  /** Requests at once; one at a time after a failure. */
  readonly parallel?: number;
  /** A request that the upstream keeps refusing for this long is given up. */
  readonly ageMaxMs?: number;
  readonly random?: () => number;
}

export type DropReason = 'queue-full' | 'refused' | 'expired' | 'shutdown' | 'rejected';

export interface ForwardStats {
  readonly queuedRequests: number;
  readonly queuedBytes: number;
  readonly sentRequests: number;
  readonly sentSpans: number;
  readonly retries: number;
  /** `rejected`: spans that the upstream took out of a request it accepted. */
  readonly dropped: Readonly<Record<DropReason, { readonly requests: number; readonly spans: number }>>;
  /** Why the last attempt failed; undefined when it did not. */
  readonly problem: string | undefined;
}

const defaultPauses: RetryPauses = { firstMs: 1_000, longestMs: 30_000 };
/** Behind this many bytes bodies are compressed before they wait: to about a seventh, for 0.5 µs a span. */
const backlogBytes = 1024 * 1024;
/** Below it gzip gains nothing worth its header. */
const compressibleBytes = 1_024;

/** Sends requests on, in the background: what the upstream does costs its queue and nothing else. */
export class Forwarder {
  readonly #options: Required<ForwarderOptions>;
  readonly #queue: ForwardQueue;
  readonly #abort = new AbortController();
  readonly #dropped: Record<DropReason, { requests: number; spans: number }> = {
    'queue-full': { requests: 0, spans: 0 },
    refused: { requests: 0, spans: 0 },
    expired: { requests: 0, spans: 0 },
    shutdown: { requests: 0, spans: 0 },
    rejected: { requests: 0, spans: 0 },
  };
  #active = 0;
  #compressing = 0;
  #compressingBytes = 0;
  #failures = 0;
  #resumeAtMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #problem: string | undefined;
  #sentRequests = 0;
  #sentSpans = 0;
  #retries = 0;
  #onIdle: (() => void) | undefined;

  constructor(options: ForwarderOptions) {
    this.#options = { pauses: defaultPauses, parallel: 4, ageMaxMs: 15 * 60_000, random: Math.random, ...options };
    this.#queue = new ForwardQueue(options.bounds, (item) => this.#drop(item, 'queue-full'));
  }

  /** Takes it or drops another one; never waits. A signal without an upstream, or a request without content, is passed over. */
  add(item: Forwarded): void {
    if (this.#options.upstream.urlOf(item.signal) === undefined || item.body.length === 0) return;
    if (this.#abort.signal.aborted) {
      this.#drop(item, 'shutdown');
      return;
    }
    const isBackedUp = this.#queue.bytes + this.#compressingBytes > backlogBytes;
    // What is being compressed is held beside the queue's bound: a quarter of it at most.
    const hasRoom = this.#compressingBytes + item.body.length < this.#options.bounds.bytesMax / 4;
    const isPlain = item.contentEncoding === undefined && item.body.length > compressibleBytes;
    if (isBackedUp && isPlain && hasRoom) {
      void this.#addCompressed(item);
      return;
    }
    this.#queue.push(item);
    this.#pump();
  }

  takes(signal: OtlpSignal): boolean {
    return this.#options.upstream.urlOf(signal) !== undefined;
  }

  stats(): ForwardStats {
    return {
      queuedRequests: this.#queue.length + this.#active + this.#compressing,
      queuedBytes: this.#queue.bytes + this.#compressingBytes,
      sentRequests: this.#sentRequests,
      sentSpans: this.#sentSpans,
      retries: this.#retries,
      dropped: structuredClone(this.#dropped),
      problem: this.#problem,
    };
  }

  /** Sends what waits, retries included, until `graceMs` are over or the signal says so; what is left then is dropped, counted and logged. */
  async close({ graceMs, signal }: { graceMs: number; signal?: AbortSignal }): Promise<void> {
    this.#resumeAtMs = 0;
    this.#pump();
    if (!this.#isIdle()) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#onIdle = resolve;
      const deadline = setTimeout(resolve, graceMs);
      signal?.addEventListener('abort', () => resolve(), { once: true });
      if (signal?.aborted !== true) await promise;
      clearTimeout(deadline);
    }
    clearTimeout(this.#timer);
    this.#abort.abort(new Error('the agent is stopping'));
    for (let item = this.#queue.shift(); item !== undefined; item = this.#queue.shift()) this.#drop(item, 'shutdown');
    const { requests, spans } = this.#dropped.shutdown;
    if (requests + this.#active > 0)
      this.#options.log.warn(
        { requests: requests + this.#active, spans },
        'telemetry that the upstream did not take is lost',
      );
    this.#options.upstream[Symbol.dispose]();
  }

  #isIdle(): boolean {
    return this.#queue.length === 0 && this.#active === 0 && this.#compressing === 0;
  }

  async #addCompressed(item: Forwarded): Promise<void> {
    const { length } = item.body;
    this.#compressing++;
    this.#compressingBytes += length;
    try {
      const body = await compress(item.body);
      this.#queue.push({ ...item, body, contentEncoding: 'gzip' });
    } catch {
      // zlib without memory: it goes as it is.
      this.#queue.push(item);
    } finally {
      this.#compressing--;
      this.#compressingBytes -= length;
    }
    if (this.#abort.signal.aborted) {
      for (let late = this.#queue.shift(); late !== undefined; late = this.#queue.shift()) this.#drop(late, 'shutdown');
      return;
    }
    this.#pump();
  }

  #pump(): void {
    if (this.#abort.signal.aborted) return;
    const waitMs = this.#resumeAtMs - Date.now();
    if (waitMs > 0) {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#pump();
      }, waitMs);
      this.#timer.unref();
      return;
    }
    const parallel = this.#failures > 0 ? 1 : this.#options.parallel;
    while (this.#active < parallel) {
      const item = this.#queue.shift();
      if (item === undefined) break;
      this.#active++;
      void this.#send(item);
    }
    if (this.#isIdle()) this.#onIdle?.();
  }

  async #send(item: Forwarded): Promise<void> {
    const startedAtMs = Date.now();
    const outcome = await this.#options.upstream.post(item, this.#abort.signal);
    this.#active--;
    if (outcome.outcome === 'retry') this.#retry(item, { ...outcome, startedAtMs });
    else {
      this.#recovered();
      if (outcome.outcome === 'refused') {
        this.#problem = outcome.reason;
        this.#drop(item, 'refused');
      } else this.#sent(item, outcome);
    }
    this.#pump();
  }

  #sent(item: Forwarded, { partial }: Extract<Outcome, { outcome: 'sent' }>): void {
    this.#problem = undefined;
    this.#sentRequests++;
    const rejected = Math.min(partial?.rejectedCount ?? 0, item.spanCount);
    this.#sentSpans += item.spanCount - rejected;
    if (partial === undefined || partial.rejectedCount === 0) return;
    this.#dropped.rejected.requests++;
    this.#dropped.rejected.spans += rejected;
    this.#options.log.debug(
      { rejected: partial.rejectedCount, reason: partial.message.slice(0, 200) },
      'the upstream rejected spans',
    );
  }

  #retry(item: Forwarded, failure: { reason: string; afterMs: number | undefined; startedAtMs: number }): void {
    const { log, pauses, random, ageMaxMs } = this.#options;
    const nowMs = Date.now();
    if (this.#abort.signal.aborted) {
      this.#drop(item, 'shutdown');
      return;
    }
    if (nowMs - item.receivedAtMs > ageMaxMs) this.#drop(item, 'expired');
    else {
      this.#retries++;
      this.#queue.unshift(item);
    }
    this.#problem = failure.reason;
    // Requests that were under way together fail together: that is one failure.
    if (failure.startedAtMs < this.#resumeAtMs) return;
    if (this.#failures++ === 0) log.warn({ reason: failure.reason }, 'the OTLP upstream fails; requests wait');
    this.#resumeAtMs = nowMs + Math.max(1, failure.afterMs ?? pauseAfter(this.#failures, pauses, random));
  }

  #recovered(): void {
    if (this.#failures > 0) this.#options.log.info('the OTLP upstream answers again');
    this.#failures = 0;
    this.#resumeAtMs = 0;
  }

  #drop(item: Forwarded, reason: DropReason): void {
    this.#dropped[reason].requests++;
    this.#dropped[reason].spans += item.spanCount;
  }
}

const promisifiedGzip = promisify(gzip);

/** In zlib's own threads; level 1, as compressing costs more than all else that is done with a span. */
export function compress(body: Uint8Array): Promise<Buffer> {
  return promisifiedGzip(body, { level: 1, chunkSize: Math.min(Math.max(body.length >> 2, 4_096), 256 * 1024) });
}
