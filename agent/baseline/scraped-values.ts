import { requestCounterOf } from '../../protocol/prometheus/request-counters.ts';
import type { Baseline } from '../../protocol/rest/baseline.ts';
import type { Series } from './series.ts';
import { movedSeries, rateName, seriesName, type SeriesNow } from './correlated.ts';
import type { MovedSeries } from './findings.ts';
import { seriesMeasure } from './measures.ts';
import type { KeptSeries } from './series-store.ts';
import type { SeriesRule } from './series-rule.ts';
import { SeriesWindows } from './series-windows.ts';
import type { ExtraValues } from './window.ts';

export type SeriesReader = Pick<Series, 'latest' | 'recent' | 'value' | 'rate' | 'quantile'>;

/** Two pages must be in a window of which a rate is made, and pages come once a minute. */
const rateWindowMs = 150_000;
const seriesMax = 2_000;

/** What the application's own metrics say in a window: its load, and the series to be compared. */
export function extraValues(
  series: SeriesReader | undefined,
  { targetId, rules, windowMs }: { targetId: string; rules: readonly SeriesRule[]; windowMs: number },
): ExtraValues {
  const latest = series?.latest(targetId);
  if (series === undefined || latest === undefined) return { counterLoad: null, values: {} };
  const overMs = Math.max(rateWindowMs, 2.5 * windowMs);
  const counter = requestCounterOf(new Set(latest.samples.map(({ series: one }) => one.name)));
  const counterLoad = counter === undefined ? null : series.rate({ targetId, name: counter }, overMs);
  const values: Record<string, number> = {};
  for (const { text, read, name, labels } of rules) {
    const selector = { targetId, name, labels };
    const value =
      read === 'value'
        ? series.value(selector)
        : read === 'rate'
          ? series.rate(selector, overMs)
          : series.quantile({ ...selector, q: read.quantile }, overMs);
    if (value !== null && Number.isFinite(value)) values[seriesMeasure(text)] = value;
  }
  return { counterLoad, values };
}

/** What is known of the scraped series of one target, when a finding is told. */
export function movedSeriesOf(series: SeriesReader | undefined, targetId: string): MovedSeries {
  const windows = new SeriesWindows(series?.recent(targetId) ?? [], performance.timeOrigin);
  const ids = new Map<string, { readonly id: number; readonly isRate: boolean }>();
  return {
    moved: ({ baseline }) => {
      const samples = series?.latest(targetId)?.samples ?? [];
      for (const { series: one } of samples) ids.set(movedName(one), { id: one.id, isRate: one.isCumulative });
      return movedSeries(seriesNow(series, targetId), baseline);
    },
    valueIn: (name, window) => {
      const one = ids.get(name);
      return one === undefined ? undefined : windows.valueIn(one, window);
    },
  };
}

function movedName(series: KeptSeries): string {
  return series.isCumulative ? rateName(seriesName(series)) : seriesName(series);
}

function seriesNow(series: SeriesReader | undefined, targetId: string): SeriesNow[] {
  const samples = series?.latest(targetId)?.samples ?? [];
  return samples
    .filter(({ value }) => Number.isFinite(value))
    .slice(0, seriesMax)
    .map(({ series: { name, labels }, value, ratePerSecond }) => ({ name, labels, value, ratePerSecond }));
}

export function seriesAtBaseline(series: SeriesReader | undefined, targetId: string): Baseline['series'] {
  return seriesNow(series, targetId).map(({ name, labels, value, ratePerSecond }) => ({
    name,
    labels: { ...labels },
    value,
    ratePerSecond,
  }));
}
