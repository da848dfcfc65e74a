import type { IncomingMessage } from 'node:http';
import type { SidescopeError } from '../../protocol/error.ts';
import type { MetricsPage } from '../../protocol/prometheus/model.ts';
import { MetricsParser, type MetricsLimits } from '../../protocol/prometheus/parser.ts';
import type { Scrape } from '../../protocol/rest/series.ts';
import { PageFeed } from './page-feed.ts';
import type { Series } from './series.ts';

export interface ReadingsOptions {
  readonly series: Series;
  readonly limits?: Partial<MetricsLimits>;
  readonly log: {
    info(facts: object, message: string): void;
    warn(facts: object, message: string): void;
  };
}

/** One reading of the page, from the request on. Ends once, well or not. */
export interface Reading {
  /** Throws what the head of the answer says against it. */
  open(response: Pick<IncomingMessage, 'statusCode' | 'headers'>): PageFeed;
  succeed(page: MetricsPage, feed: PageFeed): void;
  fail(error: SidescopeError, sizeBytes: number): void;
}

/** What the readings of the page came to, whoever asked for it. One at a time: the parser knows the series from page to page. */
export class Readings {
  readonly #options: ReadingsOptions;
  readonly #parser: MetricsParser;
  #problem: SidescopeError | undefined;
  #resetting: string | undefined;
  #last: Scrape | undefined;

  constructor(options: ReadingsOptions) {
    this.#options = options;
    this.#parser = new MetricsParser(options.limits);
  }

  get last(): Scrape | undefined {
    return this.#last;
  }

  /** Of the last reading. */
  get problem(): SidescopeError | undefined {
    return this.#problem;
  }

  /** A series that each reading of the page sets back: other readers of the page then miss what we have read. */
  get resetting(): string | undefined {
    return this.#resetting;
  }

  begin({ targetId, by }: Pick<Scrape, 'targetId' | 'by'>): Reading {
    const at = new Date().toISOString();
    const startedMs = performance.now();
    const facts = () => ({ targetId, at, by, durationMs: Math.round((performance.now() - startedMs) * 10) / 10 });
    return {
      open: (response) => new PageFeed(response, this.#parser),
      succeed: (page, { format }) => {
        this.#resetting = page.series.find(({ name }) => resettingNames.test(name))?.name;
        this.#options.series.add(page, { ...facts(), format, sizeBytes: page.sizeBytes });
        this.#note(targetId, undefined);
      },
      fail: (error, sizeBytes) => {
        const none = { format: null, sizeBytes, series: 0, omitted: 0, repeated: 0 };
        const { code, message } = error;
        this.#options.series.addFailure({ ...facts(), ...none, error: { code, message } });
        this.#note(targetId, error);
      },
    };
  }

  #note(targetId: string, problem: SidescopeError | undefined): void {
    const { log, series } = this.#options;
    this.#last = series.lastScrape(targetId);
    if (problem === undefined && this.#problem !== undefined)
      log.info({ target: targetId, series: this.#last?.series }, 'the metrics page can be read again');
    if (problem !== undefined && problem.code !== this.#problem?.code)
      log.warn({ target: targetId, code: problem.code }, `the metrics page is not read: ${problem.message}`);
    this.#problem = problem;
  }
}

/** Of prom-client: its histogram of the event loop starts anew at each reading of the page (0.803 s read by us were 0.010 s for the next one). */
const resettingNames = /^(?:.*_)?nodejs_eventloop_lag_(?:min|max|mean|stddev|p50|p90|p99)_seconds$/;
