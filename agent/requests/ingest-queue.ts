import { setImmediate as turn } from 'node:timers/promises';
import { noCuts, sumOfCuts } from '../../protocol/otlp/cuts.ts';
import type { Cuts } from '../../protocol/otlp/cuts.ts';
import type { DecodedJson } from '../../protocol/otlp/decode-json.ts';
import type { DecodedTraces, SpanSlice } from '../../protocol/otlp/decode.ts';
import { TraceDecoder } from '../../protocol/otlp/decode.ts';
import type { Span } from '../../protocol/otlp/model.ts';
import { spliceJsonAttributes } from '../../protocol/otlp/splice-json.ts';
import { spliceAttributes } from '../../protocol/otlp/splice.ts';
import type { AddedAttributes, Addition } from '../../protocol/otlp/splice.ts';
import type { Log } from '../telemetry/log.ts';
import { bufferText } from './buffer-text.ts';
import type { ByteBudget } from './read-body.ts';
import type { ReceivedTraces } from './received.ts';
import type { SpanSink } from './span-sink.ts';

/**
 * What is to be added to a span before it goes upstream; undefined for most. Called for each decoded span in the order of the body, on the agent's loop: it may
 * look something up, no more.
 */
export type Enrich = (span: Span) => AddedAttributes | undefined;

/** A batch that has passed the sink. `enriched` are the plain bytes with additions; undefined when there were none. */
export type OnIngested = (received: ReceivedTraces, enriched: Uint8Array | undefined) => void;

interface Waiting {
  readonly received: ReceivedTraces;
  readonly decoded: DecodedJson | undefined;
  readonly enrich: Enrich | undefined;
  readonly onIngested: OnIngested | undefined;
}

/** Decodes acknowledged requests one after the other, in steps of 1-2 ms. What waits here is counted in the budget that requests are let in by. */
export class IngestQueue {
  readonly #sink: SpanSink;
  readonly #budget: ByteBudget;
  readonly #log: Log;
  #decoder: TraceDecoder | undefined;
  #jsonCuts = noCuts();
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;

  constructor({ sink, budget, log }: { sink: SpanSink; budget: ByteBudget; log: Log }) {
    this.#sink = sink;
    this.#budget = budget;
    this.#log = log;
  }

  /** Of all that came. */
  get cuts(): Readonly<Cuts> {
    return this.#decoder === undefined ? this.#jsonCuts : sumOfCuts(this.#jsonCuts, this.#decoder.cuts);
  }

  add(waiting: Waiting): void {
    if (waiting.decoded !== undefined) this.#jsonCuts = sumOfCuts(this.#jsonCuts, waiting.decoded.cuts);
    this.#waiting.push(waiting);
    this.#running ??= this.#run();
  }

  /** When all that was added is with the sink. */
  async drained(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    // Behind the answer of the request that came just now, and of those that came with it.
    await turn();
    for (let batch = this.#waiting; batch.length > 0; batch = this.#waiting) {
      this.#waiting = [];
      for (const waiting of batch) await this.#ingest(waiting);
    }
    this.#running = undefined;
  }

  async #ingest({ received, decoded, enrich, onIngested }: Waiting): Promise<void> {
    const additions: Addition[] = [];
    try {
      for (const slice of decoded === undefined
        ? this.#decode(received.plain)
        : slicesOf(decoded, received.plain.length)) {
        if (slice.spans.length === 0) continue;
        if (enrich !== undefined) addTo(additions, slice, enrich);
        this.#sink.add(slice.spans, { receivedAtMs: received.receivedAtMs, bytes: slice.bytes });
        await turn();
      }
    } catch (error) {
      // A fault of ours, with spans that were acknowledged: they still go upstream, and the next batch gets its turn.
      this.#log.error({ err: error }, 'spans could not be taken in');
    } finally {
      this.#budget.give(received.plain.length);
    }
    onIngested?.(received, additions.length === 0 ? undefined : splice(received, additions));
  }

  #decode(plain: Uint8Array): Iterable<SpanSlice> {
    // Not before the first spans come: its tables are 300 kB.
    this.#decoder ??= new TraceDecoder(bufferText);
    return this.#decoder.decode(plain);
  }
}

/** Spans that were decoded already come in slices too: the sink's work is to be cut as well. */
function* slicesOf({ spans, offsets }: DecodedTraces, bytes: number): Generator<SpanSlice> {
  for (let from = 0; from < spans.length; from += sliceSpans) {
    const slice = spans.slice(from, from + sliceSpans);
    yield {
      spans: slice,
      offsets: offsets.slice(from, from + sliceSpans),
      bytes: Math.round((bytes * slice.length) / spans.length),
    };
  }
}

const sliceSpans = 1_024;

function addTo(additions: Addition[], { spans, offsets }: SpanSlice, enrich: Enrich): void {
  for (const [index, span] of spans.entries()) {
    const added = enrich(span);
    if (added === undefined) continue;
    // What the application said stays: a name that is there already is not given twice.
    const entries = Object.entries(added).filter(([name]) => !Object.hasOwn(span.attributes, name));
    if (entries.length > 0) additions.push({ offset: offsets[index] ?? 0, attributes: Object.fromEntries(entries) });
  }
}

function splice({ encoding, plain }: ReceivedTraces, additions: readonly Addition[]): Uint8Array {
  return encoding === 'json' ? spliceJsonAttributes(plain, additions) : spliceAttributes(plain, additions);
}
