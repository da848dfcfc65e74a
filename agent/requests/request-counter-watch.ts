import { httpMethod } from '../../protocol/otlp/classify.ts';
import type { Span } from '../../protocol/otlp/model.ts';
import { requestCounterOf } from '../../protocol/prometheus/request-counters.ts';
import type { Scrape } from '../../protocol/rest/series.ts';
import type { Target } from '../../protocol/rest/target.ts';
import type { SeriesSample } from '../baseline/series.ts';
import { targetOf } from './learn-services.ts';
import type { SpanSink } from './span-sink.ts';

export interface RequestCounterWatchOptions {
  readonly targets: { list(): readonly Target[] };
  /** How many requests one span stands for, as far as it is known. */
  readonly weightOf: (span: Span) => number;
  /** A clock that nobody sets, in ms. */
  readonly elapsedMs?: () => number;
}

/** What the metrics pages of the targets are read into. */
export interface ReadPages {
  on(event: 'scrape', listener: (scrape: Scrape) => void): unknown;
  off(event: 'scrape', listener: (scrape: Scrape) => void): unknown;
  latest(targetId: string): { readonly samples: readonly SeriesSample[] } | undefined;
}

/** More requests than spans, three readings in a row. */
export interface CounterMismatch {
  readonly targetId: string;
  readonly counter: string;
  readonly requests: number;
  readonly spans: number;
}

interface Window {
  readonly requests: number;
  readonly spans: number;
}

interface Counted {
  readonly sinceMs: number;
  spans: number;
  readonly requests: number;
  readonly counter: string;
  readonly windows: readonly Window[];
}

/** Spans come up to 5 s after their request, some routes are not traced: a fifth may be missing. */
const enoughShare = 0.8;
const windowsMax = 3;
/** With fewer a window says nothing: it goes on to the next reading. */
const requestsMin = 20;

/** Compares the server spans of each target with the request counter of its metrics page, from one reading to the next. */
export class RequestCounterWatch {
  readonly #options: RequestCounterWatchOptions;
  readonly #elapsedMs: () => number;
  readonly #counted = new Map<string, Counted>();

  constructor(options: RequestCounterWatchOptions) {
    this.#options = options;
    this.#elapsedMs = options.elapsedMs ?? (() => performance.now());
  }

  /** Counts what goes into `sink`. */
  into(sink: SpanSink): SpanSink {
    return {
      add: (spans, batch) => {
        if (this.#counted.size > 0) for (const span of spans) this.#count(span);
        sink.add(spans, batch);
      },
    };
  }

  watch(pages: ReadPages): Disposable {
    const onScrape = ({ targetId, error }: Scrape): void => {
      // The next page that can be read counts from the last one that could.
      if (error === null) this.#compare(targetId, pages.latest(targetId)?.samples ?? []);
    };
    pages.on('scrape', onScrape);
    return { [Symbol.dispose]: () => pages.off('scrape', onScrape) };
  }

  mismatches(): CounterMismatch[] {
    return [...this.#counted].flatMap(([targetId, { counter, windows }]) => {
      const isLow = windows.length === windowsMax && windows.every((one) => one.spans < enoughShare * one.requests);
      const requests = windows.reduce((sum, one) => sum + one.requests, 0);
      const spans = windows.reduce((sum, one) => sum + one.spans, 0);
      // No span at all is a program that is not traced.
      return isLow && spans > 0 ? [{ targetId, counter, requests, spans }] : [];
    });
  }

  #count(span: Span): void {
    if (span.kind !== 2 || httpMethod(span) === undefined) return;
    const target = targetOf(span.resource, this.#options.targets.list());
    const counted = target && this.#counted.get(target.id);
    if (counted !== undefined) counted.spans += this.#options.weightOf(span);
  }

  #compare(targetId: string, samples: readonly SeriesSample[]): void {
    const nowMs = this.#elapsedMs();
    const counter = requestCounterOf(new Set(samples.map(({ series }) => series.name)));
    if (counter === undefined) {
      this.#counted.delete(targetId);
      return;
    }
    const before = this.#counted.get(targetId);
    const rates = samples.filter(({ series }) => series.name === counter).map((sample) => sample.ratePerSecond ?? 0);
    const seconds = (nowMs - (before?.sinceMs ?? nowMs)) / 1000;
    const requests = rates.reduce((sum, rate) => sum + rate, 0) * seconds;
    const window = { requests: requests + (before?.requests ?? 0), spans: before?.spans ?? 0 };
    const windows = before?.counter === counter ? before.windows : [];
    const isEnough = window.requests >= requestsMin;
    this.#counted.set(targetId, {
      sinceMs: nowMs,
      counter,
      ...(isEnough ? { requests: 0, spans: 0 } : window),
      windows: isEnough ? [...windows, window].slice(-windowsMax) : windows,
    });
    const known = new Set(this.#options.targets.list().map(({ id }) => id));
    for (const id of this.#counted.keys()) if (!known.has(id)) this.#counted.delete(id);
  }
}
