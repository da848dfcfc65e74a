import { SidescopeError } from '../../protocol/error.ts';
import type { MetricsLimits } from '../../protocol/prometheus/parser.ts';
import { problemKinds } from '../../protocol/rest/problem.ts';
import type { Feature } from '../../protocol/rest/info.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import type { ProfileMetrics, ProfileMetricsQuery, SeriesList, SeriesQuery } from '../../protocol/rest/series.ts';
import type { RecordIndex } from '../store/record-table.ts';
import { pageName } from './metrics-page.ts';
import type { PageSource } from './metrics-page.ts';
import { PassThrough } from './pass-through.ts';
import type { PassThroughCaller } from './pass-through.ts';
import { metricsOfProfile } from './profile-metrics.ts';
import { Readings, type ReadingsOptions } from './readings.ts';
import { Scraper } from './scraper.ts';
import { keptMax, Series } from './series.ts';
import { listSeries } from './series-query.ts';

export interface TargetMetricsOptions {
  /** Undefined: there is no page to read. */
  readonly source: PageSource | undefined;
  /** Why it must not be read although there is one. */
  readonly obstacle?: string | undefined;
  readonly intervalMs: number;
  readonly targets: {
    list(): readonly { readonly id: string }[];
    /** Throws `unknown-target`, `target-required`. */
    watcher(id: string | undefined): { readonly id: string };
  };
  readonly index: RecordIndex;
  readonly budgetBytes: number;
  readonly version: string;
  readonly limits?: Partial<MetricsLimits>;
  readonly timeoutMs?: number;
  readonly log: ReadingsOptions['log'] & { error(facts: object, message: string): void };
  /** Wall clock in ms. */
  readonly now?: () => number;
}

export type PassedResult = 'ok' | 'failed' | 'refused';

/** The target's own metrics page: read at an interval, or along with who reads it through the ops listener. */
export class TargetMetrics implements AsyncDisposable {
  readonly series: Series;
  readonly #options: TargetMetricsOptions;
  readonly #readings: Readings;
  readonly #scraper: Scraper | undefined;
  readonly #passThrough: PassThrough | undefined;
  readonly #passed: Record<PassedResult, number> = { ok: 0, failed: 0, refused: 0 };
  #passedMs: number | undefined;
  #standBackUntilMs = 0;

  constructor(options: TargetMetricsOptions) {
    this.#options = options;
    const { source, obstacle, intervalMs } = options;
    this.series = new Series(options);
    this.#readings = new Readings({ ...options, series: this.series });
    if (source === undefined || obstacle !== undefined) return;
    const shared = { ...options, source, readings: this.#readings, targetId: () => options.targets.list()[0]?.id };
    this.#scraper = new Scraper(shared);
    this.#passThrough = new PassThrough({
      ...shared,
      // Somebody reads every 15 s for every minute of ours: those are still kept.
      keepEveryMs: (intervalMs === 0 ? defaultIntervalMs : intervalMs) / 4,
      onPassed: (result) => this.#passed[result]++,
    });
  }

  start(): void {
    this.#scraper?.start();
  }

  /** Reads the page now, also between two intervals. Resolves when it has been, well or not. */
  async read(): Promise<void> {
    await this.#scraper?.read();
  }

  /** `GET /target-metrics`. Rejects with `metrics-off` and what `PassThrough` has. */
  async passThrough(caller: PassThroughCaller): Promise<Response> {
    if (this.#passThrough === undefined) throw this.#off();
    const response = await this.#passThrough.answer(caller);
    this.#standBack();
    return response;
  }

  /** How often `/target-metrics` was answered, by result. */
  get passed(): Readonly<Record<PassedResult, number>> {
    return this.#passed;
  }

  /** Between two readings of our own at present; 0 when there are none. */
  get pauseMs(): number {
    return this.#scraper?.pauseMs ?? 0;
  }

  /** `GET /series`. Throws `metrics-off`, `unknown-target`, `target-required`, `invalid-request`, `storage-failed`. */
  list(query: SeriesQuery): SeriesList {
    if (this.#scraper === undefined) throw this.#off();
    const { targets, now = Date.now } = this.#options;
    const { id: targetId } = targets.watcher(query.target);
    const { store } = this.series;
    return {
      ...listSeries({ store, targetId, nowMs: now() }, query),
      scrape: this.series.lastScrape(targetId) ?? null,
    };
  }

  /** `GET /profiles/:id/metrics`. Throws as `list` does. */
  ofProfile(profile: Profile, query: ProfileMetricsQuery): ProfileMetrics {
    if (this.#scraper === undefined) throw this.#off();
    return metricsOfProfile(this.series.store, profile, query);
  }

  feature(): Feature {
    const { source, obstacle } = this.#options;
    const name = 'metrics';
    if (source === undefined || obstacle !== undefined)
      return { name, state: 'off', reason: obstacle ?? noUrl, remedy: problemKinds['metrics-off'].remedy };
    const { problem } = this.#readings;
    if (problem !== undefined)
      return { name, state: 'failed', reason: problem.message, remedy: problemKinds[problem.code].remedy };
    const notes = this.#notes(source);
    const isResetting = this.#isResetting();
    return {
      name,
      state: 'on',
      reason: notes.length === 0 ? null : notes.join('; '),
      remedy: isResetting ? onePageReader : null,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#passThrough?.[Symbol.dispose]();
    await this.#scraper?.[Symbol.asyncDispose]();
  }

  #notes(source: PageSource): string[] {
    const { intervalMs, targets } = this.#options;
    const { last, resetting } = this.#readings;
    const count = targets.list().length;
    const notes: string[] = [];
    if (last === undefined) notes.push(`${pageName(source)} was not read yet`);
    else {
      if (last.series === 0) notes.push('the page has no series');
      if (last.omitted > 0) notes.push(`${last.series} series are on the page, of which ${keptMax} are kept`);
      if (last.repeated > 0) notes.push(`${last.repeated} samples on the page repeat a series; the first ones count`);
    }
    if (this.#isResetting())
      notes.push(`every reading of the page sets ${resetting} back, so that another reader misses what was read here`);
    if (this.pauseMs > intervalMs && intervalMs > 0)
      notes.push(`the page is slow, so it is read every ${Math.round(this.pauseMs / 1000)} s only`);
    if (count > 1) notes.push(`the page counts for the first of ${count} targets`);
    return notes;
  }

  /** Only while we are a reader of our own: through the pass-through there is one. */
  #isResetting(): boolean {
    return this.#readings.resetting !== undefined && this.#readings.last?.by === 'agent';
  }

  /** Twice as long as the other reader takes between two of its readings, as far as that is known. */
  #standBack(): void {
    const nowMs = performance.now();
    const gapMs = nowMs - (this.#passedMs ?? nowMs);
    this.#passedMs = nowMs;
    // What comes more rarely than that is a person, not a Prometheus.
    const forMs = 2 * Math.max(this.#options.intervalMs, gapMs > gapMaxMs ? 0 : gapMs);
    this.#standBackUntilMs = Math.max(this.#standBackUntilMs, nowMs + forMs);
    this.#scraper?.standBack(this.#standBackUntilMs - nowMs);
  }

  #off(): SidescopeError {
    return new SidescopeError('metrics-off', `the target's metrics are not read: ${this.#options.obstacle ?? noUrl}`);
  }
}

const noUrl = '--metrics-url is not set';
const defaultIntervalMs = 60_000;
const gapMaxMs = 5 * 60_000;
const onePageReader =
  'Let Prometheus read /target-metrics of the ops listener instead of the application: then the page has one reader.';
