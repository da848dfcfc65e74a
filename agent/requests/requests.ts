import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Cuts } from '../../protocol/otlp/cuts.ts';
import type { DecodedJson } from '../../protocol/otlp/decode-json.ts';
import type { Feature } from '../../protocol/rest/info.ts';
import type { Log } from '../telemetry/log.ts';
import { compress, Forwarder } from './forwarder.ts';
import type { ForwardStats } from './forwarder.ts';
import { IngestQueue } from './ingest-queue.ts';
import type { Enrich } from './ingest-queue.ts';
import { heldBytesMax, MemoryBudget } from './memory-budget.ts';
import { ReceiveCounts } from './receive-counts.ts';
import type { ReceiveStats } from './receive-counts.ts';
import { Receiver } from './receiver.ts';
import type { Intake } from './receiver.ts';
import type { Received, ReceivedTraces } from './received.ts';
import type { SpanSink } from './span-sink.ts';
import { Upstream } from './upstream.ts';

export interface RequestsOptions {
  readonly sink: SpanSink;
  readonly log: Log;
  readonly version: string;
  readonly pathPrefix: string;
  readonly bodyBytesMax: number;
  /** The limit of the container; its own when it is not told. */
  readonly containerBytes?: number | undefined;
  /** Without a URL nothing is forwarded. */
  readonly forward: {
    readonly url: URL | undefined;
    readonly tracesUrl: URL | undefined;
    readonly headers: Readonly<Record<string, string>>;
    readonly queueBytesMax: number;
    /** Why nothing is forwarded though a URL is there. */
    readonly obstacle?: string | undefined;
  };
}

export interface RequestStats extends ReceiveStats {
  /** Bytes of requests that are being received, or wait to be decoded. */
  readonly heldBytes: number;
  readonly cuts: Readonly<Cuts>;
  readonly forward: ForwardStats | undefined;
}

const forwardTimeoutMs = 10_000;
const forwardConnections = 4;
/** Metrics and logs of a small service are a few hundred bytes: the bound by count is for them. */
const queueRequestsMax = 16_384;
const warningIntervalMs = 60_000;

/**
 * What comes by OTLP: received, handed to the sink, sent on. Spans go to the sink and the upstream independently of each other; only when something is to be
 * added to them (`enrich`) does a request wait for its decoding before it is sent.
 */
export class Requests {
  readonly #receiver: Receiver;
  readonly #ingest: IngestQueue;
  readonly #forwarder: Forwarder | undefined;
  readonly #budget: MemoryBudget;
  readonly #counts = new ReceiveCounts();
  readonly #upstream: Upstream;
  readonly #obstacle: string | undefined;
  #enrich: Enrich | undefined;
  #warnedAtMs = 0;
  #warnedDrops = 0;

  constructor({ sink, log, version, pathPrefix, bodyBytesMax, containerBytes, forward }: RequestsOptions) {
    this.#budget = new MemoryBudget(heldBytesMax({ bodyBytesMax, containerBytes }));
    this.#ingest = new IngestQueue({ sink, budget: this.#budget, log });
    const { url, tracesUrl, headers, queueBytesMax } = forward;
    this.#upstream = new Upstream({
      url,
      tracesUrl,
      headers,
      timeoutMs: forwardTimeoutMs,
      connections: forwardConnections,
    });
    const bounds = { bytesMax: queueBytesMax, requestsMax: queueRequestsMax };
    this.#obstacle = forward.obstacle;
    const isForwarding = (url ?? tracesUrl) !== undefined && forward.obstacle === undefined;
    this.#forwarder = isForwarding ? new Forwarder({ upstream: this.#upstream, bounds, log }) : undefined;
    this.#receiver = new Receiver({
      intake: this.#intake(),
      budget: this.#budget,
      pathPrefix,
      bodyBytesMax,
      agentName: `Sidescope/${version}`,
      onAnswered: (answer) => this.#counts.add(answer),
      onFault: (error) => log.error({ err: error }, 'an OTLP request failed'),
    });
  }

  /** Answers one request, whatever it is; for a listener. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    return this.#receiver.handle(request, response);
  }

  /**
   * What is added to spans on their way upstream, from the next request on; undefined: nothing, and requests go on as the bytes they came as. Names that the
   * application has set are never replaced. Ours begin with `sidescope.`; beside them there is `pyroscope.profile.id`.
   */
  setEnrich(enrich: Enrich | undefined): void {
    this.#enrich = enrich;
  }

  stats(): RequestStats {
    return {
      ...this.#counts.stats(),
      heldBytes: this.#budget.takenBytes,
      cuts: this.#ingest.cuts,
      forward: this.#forwarder?.stats(),
    };
  }

  forwardFeature(): Feature {
    const name = 'otlp-forward';
    if (this.#forwarder === undefined) {
      const reason = this.#obstacle ?? 'there is no --otlp-forward: metrics and logs that come are dropped';
      return {
        name,
        state: 'off',
        reason,
        remedy: 'Set --otlp-forward to an OTLP/HTTP endpoint, such as http://collector:4318.',
      };
    }
    const { problem } = this.#forwarder.stats();
    const to = (this.#upstream.urlOf('traces') ?? this.#upstream.urlOf('metrics'))?.origin ?? '';
    return { name, state: 'on', reason: problem === undefined ? to : `${to}: ${problem}`, remedy: null };
  }

  /** When all spans received so far are with the sink. */
  ingested(): Promise<void> {
    return this.#ingest.drained();
  }

  /** After the listener is closed. Sends what waits for at most `graceMs`. */
  async close(options: { graceMs: number; signal?: AbortSignal }): Promise<void> {
    await this.#ingest.drained();
    await this.#forwarder?.close(options);
  }

  #intake(): Intake {
    return {
      traces: (received, decoded) => this.#traces(received, decoded),
      other: (received) => this.#other(received),
      takeWarning: () => this.#takeWarning(),
    };
  }

  #traces(received: ReceivedTraces, decoded: DecodedJson | undefined): void {
    const isForwarded = this.#forwarder?.takes('traces') === true && received.spanCount > 0;
    const enrich = isForwarded ? this.#enrich : undefined;
    if (isForwarded && enrich === undefined) this.#forward(received, received.spanCount);
    const onIngested = enrich === undefined ? undefined : this.#forwardEnriched;
    this.#ingest.add({ received, decoded, enrich, onIngested });
  }

  #other(received: Received): void {
    if (this.#forwarder?.takes(received.signal) === true) this.#forward(received, 0);
    else this.#counts.unforwarded(received.signal);
  }

  #forwardEnriched = (received: ReceivedTraces, enriched: Uint8Array | undefined): void => {
    if (enriched === undefined) this.#forward(received, received.spanCount);
    else if (received.contentEncoding === undefined) this.#forward({ ...received, body: enriched }, received.spanCount);
    else void this.#forwardCompressed(received, enriched);
  };

  /** A sender that compresses does so because the network counts. */
  async #forwardCompressed(received: ReceivedTraces, enriched: Uint8Array): Promise<void> {
    try {
      this.#forward({ ...received, body: await compress(enriched) }, received.spanCount);
    } catch {
      // zlib without memory: larger, but whole.
      this.#forward({ ...received, body: enriched, contentEncoding: undefined }, received.spanCount);
    }
  }

  #forward({ signal, encoding, body, contentEncoding, headers, receivedAtMs }: Received, spanCount: number): void {
    // Field by field: the decompressed bytes must not wait with it.
    this.#forwarder?.add({ signal, encoding, body, contentEncoding, headers, receivedAtMs, spanCount });
  }

  #takeWarning(): string | undefined {
    const forward = this.#forwarder?.stats();
    const drops = forward?.dropped['queue-full'].spans ?? 0;
    const nowMs = Date.now();
    if (drops === this.#warnedDrops || nowMs - this.#warnedAtMs < warningIntervalMs) return undefined;
    const since = drops - this.#warnedDrops;
    this.#warnedDrops = drops;
    this.#warnedAtMs = nowMs;
    return `Sidescope's upstream does not keep up (${forward?.problem ?? 'slow'}): ${since} spans were dropped from its queue`;
  }
}
