import { increaseOf } from '../../protocol/prometheus/increase.ts';
import { histogramQuantile } from '../../protocol/prometheus/quantile.ts';
import { columnsOf, isRestart } from './scrape-row.ts';
import type { ScrapeRow } from './scrape-row.ts';
import type { KeptSeries } from './series-store.ts';

/** What one series did over some pages. */
export interface SeriesOver {
  readonly series: KeptSeries;
  /** Of the pages that had it; null when none did. */
  readonly mean: number | null;
  /** null for what is not cumulative, and with fewer than two pages. */
  readonly ratePerSecond: number | null;
}

export function overRows(rows: readonly ScrapeRow[], series: readonly KeptSeries[]): SeriesOver[] {
  const seconds = secondsOf(rows);
  const columns = columnsOf(
    rows,
    series.map(({ id }) => id),
  );
  return series.map((one, index) => {
    const column = columns[index] ?? new Float64Array();
    const increase = one.isCumulative ? increaseIn(rows, column) : undefined;
    const ratePerSecond = seconds === undefined || increase === undefined ? null : increase / seconds;
    return { series: one, mean: meanOf(column), ratePerSecond };
  });
}

/** Of several series the sum; null with fewer than two pages or when no page had one of them. */
export function rateIn(rows: readonly ScrapeRow[], series: readonly KeptSeries[]): number | null {
  const rates = overRows(rows, series).flatMap(({ ratePerSecond }) => ratePerSecond ?? []);
  return rates.length === 0 ? null : rates.reduce((sum, rate) => sum + rate, 0);
}

/** `buckets` are the series of a histogram, of several label sets too: counts of equal bounds are added. */
export function quantileIn(
  rows: readonly ScrapeRow[],
  { q, buckets }: { q: number; buckets: readonly KeptSeries[] },
): number | null {
  if (secondsOf(rows) === undefined) return null;
  const counts = new Map<number, number>();
  const columns = columnsOf(
    rows,
    buckets.map(({ id }) => id),
  );
  for (const [index, { labels }] of buckets.entries()) {
    const bound = boundOf(labels['le']);
    // A gauge histogram's buckets are counts of now.
    const count = buckets[index]?.isCumulative ? increaseIn(rows, columns[index]) : columns[index]?.at(-1);
    if (count !== undefined && !Number.isNaN(count)) counts.set(bound, (counts.get(bound) ?? 0) + count);
  }
  return (
    histogramQuantile(
      q,
      [...counts].map(([bound, count]) => ({ bound, count })),
    ) ?? null
  );
}

export function increaseIn(rows: readonly ScrapeRow[], column: Float64Array | undefined): number | undefined {
  return column === undefined ? undefined : increaseOf(column, (index) => isRestart(rows, index));
}

/** Undefined with fewer than two pages, or where the clock went backwards between them. */
export function secondsOf(rows: readonly ScrapeRow[]): number | undefined {
  const [first, last] = [rows[0], rows.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  const ms = last.elapsedMs - first.elapsedMs;
  return ms > 0 ? ms / 1000 : undefined;
}

function meanOf(column: Float64Array): number | null {
  const values = column.filter((value) => Number.isFinite(value));
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function boundOf(le: string | undefined): number {
  return le === '+Inf' || le === 'Inf' ? Infinity : le === undefined ? Number.NaN : Number(le);
}
