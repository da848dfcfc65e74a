import { EventEmitter } from 'node:events';
import { isSidescopeError } from '../../protocol/error.ts';
import type { Labels, MetricSeries, MetricsPage } from '../../protocol/prometheus/model.ts';
import type { Scrape } from '../../protocol/rest/series.ts';
import type { RecordIndex } from '../store/record-table.ts';
import { PastSeries } from './past-series.ts';
import { increaseIn, overRows, quantileIn, rateIn, secondsOf } from './row-sums.ts';
import type { SeriesOver } from './row-sums.ts';
import { columnsOf } from './scrape-row.ts';
import type { ScrapeRow } from './scrape-row.ts';
import { SeriesStore, type KeptSeries } from './series-store.ts';

/** Names one series or several: `labels` are those that must be equal, the others are free. */
export interface SeriesSelector {
  readonly targetId: string;
  /** Of the series: `http_requests_total`. For quantiles the histogram's: `http_request_duration_seconds`. */
  readonly name: string;
  readonly labels?: Labels | undefined;
}

export interface SeriesSample {
  readonly series: KeptSeries;
  /** May be an infinity, never NaN. */
  readonly value: number;
  /** Per second since the page before; null for what is not cumulative, and on the first page. */
  readonly ratePerSecond: number | null;
}

/** The last page that could be read. */
export interface LatestScrape {
  readonly scrape: Scrape;
  readonly atMs: number;
  readonly samples: readonly SeriesSample[];
}

export interface SeriesEvents {
  /** Every reading of the page, failed ones too: `scrape.error` says why. The samples are there when it is emitted. */
  scrape: [Scrape];
}

interface SeriesOptions {
  readonly index: RecordIndex;
  readonly budgetBytes: number;
  readonly log: { error(facts: object, message: string): void };
  /** Wall clock in ms. */
  readonly now?: () => number;
  /** A clock that nobody sets, in ms. */
  readonly elapsedMs?: () => number;
}

/** Of one target's page. */
export const keptMax = 2_000;
const rowsInMemory = 120;
const bytesInMemory = 3 * 2 ** 20;
/** Three pages at the usual interval, and some. */
const staleMs = 5 * 60_000;
const noteSeenEveryMs = 30 * 60_000;
/** An hour of 2,000 series is 6 MB then, whatever the interval. */
const pastStepMs = 15_000;

interface KeptEntry {
  readonly identity: string;
  readonly series: KeptSeries;
  seenMs: number;
}

interface TargetSeries {
  readonly rows: ScrapeRow[];
  readonly kept: Map<string, KeptEntry>;
  readonly byParsed: WeakMap<MetricSeries, KeptEntry>;
  latest: LatestScrape | undefined;
  last: Scrape | undefined;
  notedMs: number;
  /** By their length. */
  readonly windows: Map<number, readonly ScrapeRow[]>;
}

/** What the metrics pages of the targets said: the last two hours in memory, a week in the index. Synchronous. */
export class Series extends EventEmitter<SeriesEvents> {
  readonly store: SeriesStore;
  readonly #log: SeriesOptions['log'];
  readonly #now: () => number;
  readonly #elapsedMs: () => number;
  readonly #targets = new Map<string, TargetSeries>();
  #isWriteFailing = false;

  constructor({ index, budgetBytes, log, now = Date.now, elapsedMs = () => performance.now() }: SeriesOptions) {
    super();
    this.store = new SeriesStore({ index, budgetBytes, now });
    this.#log = log;
    this.#now = now;
    this.#elapsedMs = elapsedMs;
  }

  /** Undefined until a page was read. Look at `atMs`: it may be old. */
  latest(targetId: string): LatestScrape | undefined {
    return this.#targets.get(targetId)?.latest;
  }

  /** The pages in memory, the oldest first: two hours at the usual interval. */
  recent(targetId: string): readonly ScrapeRow[] {
    return this.#targets.get(targetId)?.rows ?? [];
  }

  /** The last reading, also one that failed. */
  lastScrape(targetId: string): Scrape | undefined {
    return this.#targets.get(targetId)?.last;
  }

  /** Sum of the values on the last page; null when there is none, or when it is too old to be true now. */
  value(selector: SeriesSelector): number | null {
    if (this.#isStale(this.#targets.get(selector.targetId)?.rows ?? [])) return null;
    const found = this.latest(selector.targetId)?.samples.filter(({ series }) => isSelected(series, selector)) ?? [];
    return found.length === 0 ? null : found.reduce((sum, { value }) => sum + value, 0);
  }

  /**
   * Per second, over the window that ends with the last page, resets and restarts taken out; of several series the sum. null when fewer than two
   * pages are in it, and when the last one is too old.
   */
  rate(selector: SeriesSelector, windowMs: number): number | null {
    return rateIn(this.#window(selector.targetId, windowMs), this.#select(selector));
  }

  /** `q` from 0 to 1, of what a histogram observed in the window; the buckets of several label sets are added. null where nothing was observed. */
  quantile(selector: SeriesSelector & { readonly q: number }, windowMs: number): number | null {
    const buckets = this.#select({ ...selector, name: `${selector.name}_bucket` });
    return quantileIn(this.#window(selector.targetId, windowMs), { q: selector.q, buckets });
  }

  /** What the kept pages said between two moments, one every quarter of a minute at most. Throws `storage-failed`. */
  past(targetId: string, { fromMs, toMs }: { fromMs: number; toMs: number }): PastSeries {
    const rows = this.store.rows(targetId, { fromMs, toMs, stepMs: pastStepMs });
    return new PastSeries(rows, (selector) => this.#select({ ...selector, targetId }));
  }

  /** Every series of the window at once. Costs some milliseconds for the two thousand that there may be. */
  over(targetId: string, windowMs: number): SeriesOver[] {
    const series = [...(this.#targets.get(targetId)?.kept.values() ?? [])].map((kept) => kept.series);
    return overRows(this.#window(targetId, windowMs), series);
  }

  /** Hands over one page that was read. Throws nothing: what could not be written is logged. */
  add(page: MetricsPage, scrape: Omit<Scrape, 'series' | 'omitted' | 'repeated' | 'error'>): void {
    const { targetId } = scrape;
    const target = this.#target(targetId);
    const atMs = Date.parse(scrape.at);
    const keeping = this.#keep(target, { targetId, page, atMs });
    const row = rowOf(keeping, { page, atMs, elapsedMs: this.#elapsedMs() });
    const before = target.rows.at(-1);
    target.rows.push(row);
    trim(target.rows);
    const outcome: Scrape = {
      ...scrape,
      series: page.series.length,
      omitted: keeping.omitted,
      repeated: page.repeated,
      error: null,
    };
    target.latest = {
      scrape: outcome,
      atMs,
      samples: samplesOf(keeping, before === undefined ? [row] : [before, row]),
    };
    target.last = outcome;
    this.#write(() => this.store.add(targetId, row));
    this.#noteSeen(target, atMs);
    this.emit('scrape', outcome);
  }

  /** Of a target that has ended a while ago and has no id any more: what is in memory. */
  forget(targetId: string): void {
    this.#targets.delete(targetId);
  }

  /** A reading that failed: nothing of it is kept. */
  addFailure(scrape: Scrape): void {
    this.#target(scrape.targetId).last = scrape;
    this.emit('scrape', scrape);
  }

  #target(targetId: string): TargetSeries {
    const known = this.#targets.get(targetId);
    if (known !== undefined) return known;
    const target = {
      rows: [],
      kept: new Map(),
      byParsed: new WeakMap(),
      latest: undefined,
      last: undefined,
      notedMs: this.#now(),
      windows: new Map(),
    };
    this.#targets.set(targetId, target);
    return target;
  }

  /** In the order of the page; `created` times are no values that change. */
  #keep(target: TargetSeries, read: { targetId: string; page: MetricsPage; atMs: number }): Keeping {
    const samples: Keeping['samples'] = [];
    const fresh: { series: MetricSeries; value: number }[] = [];
    let omitted = 0;
    for (const [index, series] of read.page.series.entries()) {
      const value = read.page.values[index] ?? Number.NaN;
      if (Number.isNaN(value) || series.role === 'created') continue;
      const known = this.#known(target, series);
      if (samples.length + fresh.length >= keptMax) omitted++;
      else if (known === undefined) fresh.push({ series, value });
      else {
        known.seenMs = read.atMs;
        samples.push({ series: known.series, value });
      }
    }
    const added =
      this.#write(() =>
        this.store.addSeries(
          read.targetId,
          fresh.map(({ series }) => description(series, read.page)),
        ),
      ) ?? [];
    for (const [index, series] of added.entries()) {
      const identity = identityOf(series);
      target.kept.set(identity, { identity, series, seenMs: read.atMs });
      samples.push({ series, value: fresh[index]?.value ?? 0 });
    }
    samples.sort((a, b) => a.series.id - b.series.id);
    return { samples, omitted: omitted + fresh.length - added.length };
  }

  /** By the parser's own object first: making the text of an identity costs ten times as much. */
  #known(target: TargetSeries, series: MetricSeries): KeptEntry | undefined {
    const parsed = target.byParsed.get(series);
    if (parsed?.series.type === series.type && target.kept.has(parsed.identity)) return parsed;
    const known = target.kept.get(identityOf(series));
    if (known !== undefined) target.byParsed.set(series, known);
    return known;
  }

  /** The store forgets what was not seen for long; so does the memory. */
  #noteSeen(target: TargetSeries, atMs: number): void {
    if (Math.abs(this.#now() - target.notedMs) < noteSeenEveryMs) return;
    target.notedMs = this.#now();
    this.#write(() =>
      this.store.noteSeen([...target.kept.values()].map(({ series, seenMs }) => ({ id: series.id, atMs: seenMs }))),
    );
    for (const [key, { seenMs }] of target.kept) if (atMs - seenMs > 2 * noteSeenEveryMs) target.kept.delete(key);
  }

  #select(selector: SeriesSelector): KeptSeries[] {
    const kept = this.#targets.get(selector.targetId)?.kept.values() ?? [];
    return [...kept].map(({ series }) => series).filter((series) => isSelected(series, selector));
  }

  /** From the last page before it begins, or the first one in it, to the last page. Kept until the next page: many ask for the same one. */
  #window(targetId: string, windowMs: number): readonly ScrapeRow[] {
    const target = this.#targets.get(targetId);
    const last = target?.rows.at(-1);
    if (target === undefined || last === undefined || this.#isStale(target.rows)) return [];
    const known = target.windows.get(windowMs);
    if (known !== undefined && known.at(-1) === last) return known;
    const fromMs = last.atMs - windowMs;
    const isInMemory = (target.rows[0]?.atMs ?? Infinity) <= fromMs;
    const older = isInMemory
      ? []
      : (this.#write(() => this.store.rows(targetId, { fromMs: fromMs - windowMs, toMs: last.atMs })) ?? []);
    const rows = older.length > target.rows.length ? older : target.rows;
    const first = rows.findLastIndex(({ atMs }) => atMs <= fromMs && atMs >= fromMs - windowMs);
    const window = rows.slice(first === -1 ? rows.findIndex(({ atMs }) => atMs >= fromMs) : first);
    if (target.windows.size >= windowsMax) target.windows.clear();
    target.windows.set(windowMs, window);
    return window;
  }

  /** The page comes no more, or fails: what it said last is not what is now. */
  #isStale(rows: readonly ScrapeRow[]): boolean {
    const last = rows.at(-1);
    if (last === undefined) return false;
    const gapMs = last.elapsedMs - (rows.at(-2) ?? last).elapsedMs;
    return this.#elapsedMs() - last.elapsedMs > Math.max(staleMs, 3 * gapMs);
  }

  /** A full disk must not end the reading; it is told once, and again when it was better in between. */
  #write<T>(write: () => T): T | undefined {
    try {
      const result = write();
      this.#isWriteFailing = false;
      return result;
    } catch (error) {
      if (!isSidescopeError(error)) throw error;
      if (!this.#isWriteFailing)
        this.#log.error({ code: error.code }, `scraped series could not be kept: ${error.message}`);
      this.#isWriteFailing = true;
      return undefined;
    }
  }
}

interface Keeping {
  readonly samples: { readonly series: KeptSeries; readonly value: number }[];
  readonly omitted: number;
}

const windowsMax = 8;

function isSelected({ name, labels }: KeptSeries, selector: SeriesSelector): boolean {
  return (
    name === selector.name && Object.entries(selector.labels ?? {}).every(([label, value]) => labels[label] === value)
  );
}

function identityOf({ key, type }: Pick<KeptSeries, 'key' | 'type'>): string {
  return `${type} ${key}`;
}

function description(series: MetricSeries, page: MetricsPage): Omit<KeptSeries, 'id'> {
  const { name, labels, key, family, type, role, isCumulative } = series;
  return { name, labels, key, family, type, role, isCumulative, unit: page.families.get(family)?.unit ?? null };
}

function rowOf(
  { samples }: Keeping,
  { page, atMs, elapsedMs }: { page: MetricsPage; atMs: number; elapsedMs: number },
): ScrapeRow {
  const start = page.series.findIndex(({ key }) => key === 'process_start_time_seconds');
  return {
    atMs,
    elapsedMs,
    startedS: page.values[start] ?? 0,
    ids: Uint32Array.from(samples, ({ series }) => series.id),
    values: Float64Array.from(samples, ({ value }) => value),
  };
}

function samplesOf({ samples }: Keeping, rows: readonly ScrapeRow[]): SeriesSample[] {
  const seconds = secondsOf(rows);
  const columns = columnsOf(
    rows,
    samples.map(({ series }) => series.id),
  );
  return samples.map(({ series, value }, index) => {
    const increase = series.isCumulative ? increaseIn(rows, columns[index]) : undefined;
    return {
      series,
      value,
      ratePerSecond: seconds === undefined || increase === undefined ? null : increase / seconds,
    };
  });
}

function trim(rows: ScrapeRow[]): void {
  let bytes = rows.reduce((sum, { ids }) => sum + ids.length * 12, 0);
  while (rows.length > 2 && (rows.length > rowsInMemory || bytes > bytesInMemory))
    bytes -= (rows.shift()?.ids.length ?? 0) * 12;
}
