import { acceptedFormats } from '../../protocol/prometheus/format.ts';
import { pageFailure, requestPage } from './metrics-page.ts';
import type { PageSource } from './metrics-page.ts';
import type { Readings } from './readings.ts';

export interface ScraperOptions {
  readonly source: PageSource;
  readonly readings: Readings;
  /** Whose page it is; undefined while that is not known. */
  readonly targetId: () => string | undefined;
  /** 0: never by itself. */
  readonly intervalMs: number;
  readonly version: string;
  readonly timeoutMs?: number;
}

const timeoutMsMax = 10_000;
/** After the agent's start: by then it is attached, and the application has said what it has to say at its own. */
const firstAfterMs = 2_000;
const longestMs = 15 * 60_000;
/** A page may take a fiftieth of the time: 1.2 s of every minute. */
const restFactor = 50;

/** Reads the page at an interval; less often while it is slow, too large, or read by somebody else through us. */
export class Scraper implements AsyncDisposable {
  readonly #options: ScraperOptions;
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> | undefined;
  #dueMs = 0;
  #pauseMs: number;

  constructor(options: ScraperOptions) {
    this.#options = options;
    this.#pauseMs = options.intervalMs;
  }

  /** Between two readings now; longer than the interval while it holds back. */
  get pauseMs(): number {
    return this.#pauseMs;
  }

  start(): void {
    if (this.#options.intervalMs > 0) this.#wait(Math.min(firstAfterMs, this.#options.intervalMs));
  }

  /** Somebody else reads the page through us: it is not read twice. Comes nothing more from there, it is our turn again. */
  standBack(forMs: number): void {
    if (this.#options.intervalMs > 0 && this.#reading === undefined) this.#wait(Math.min(forMs, longestMs));
  }

  /** Reads now; one reading at a time. Never rejects: what went wrong is in the readings. */
  read(): Promise<void> {
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    this.#abort.abort(new Error('the agent is stopping'));
    await this.#reading;
  }

  #wait(ms: number): void {
    clearTimeout(this.#timer);
    this.#dueMs = performance.now() + ms;
    if (this.#abort.signal.aborted) return;
    this.#timer = setTimeout(() => void this.#due(), ms).unref();
  }

  async #due(): Promise<void> {
    const dueMs = this.#dueMs;
    await this.read();
    if (this.#dueMs === dueMs) this.#wait(this.#pauseMs);
  }

  async #read(): Promise<void> {
    const { readings, source, targetId, intervalMs, version } = this.#options;
    const id = targetId();
    if (id === undefined) return;
    const timeoutMs = this.#options.timeoutMs ?? Math.min(timeoutMsMax, Math.max(1_000, intervalMs));
    const request = {
      headers: {
        accept: acceptedFormats,
        'accept-encoding': 'identity',
        'user-agent': `Sidescope/${version}`,
        'x-prometheus-scrape-timeout-seconds': String(timeoutMs / 1000),
      },
      withCredentials: true,
      timeoutMs,
      timeout: AbortSignal.timeout(timeoutMs),
      signal: this.#abort.signal,
    };
    const startedMs = performance.now();
    const reading = readings.begin({ targetId: id, by: 'agent' });
    let sizeBytes = 0;
    try {
      const response = await requestPage(source, request);
      // Whatever is left of it when something is wrong goes with its connection.
      using _ = { [Symbol.dispose]: () => void response.destroy() };
      const feed = reading.open(response);
      for await (const chunk of response) {
        sizeBytes += (chunk as Buffer).length;
        await feed.write(chunk as Buffer);
        if (feed.hasFailed) break;
      }
      reading.succeed(await feed.end(), feed);
      this.#pauseMs = Math.min(longestMs, Math.max(intervalMs, (performance.now() - startedMs) * restFactor));
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      const failure = pageFailure(error, { source, request });
      reading.fail(failure, sizeBytes);
      const isCostly = failure.code === 'metrics-timeout' || failure.code === 'metrics-too-large';
      this.#pauseMs = isCostly ? Math.min(longestMs, this.#pauseMs * 2) : intervalMs;
    }
  }
}
