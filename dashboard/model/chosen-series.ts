import type { SeriesList } from '../../protocol/rest/series.ts';
import { formatBytes, formatDuration } from '../format.ts';
import type { QueryPatch } from './address.ts';
import type { ChartPlan } from './charts.ts';
import type { History } from './history.ts';
import { usualDistanceMs } from './history.ts';
import { formatPerSecond } from './request-charts.ts';

type Series = SeriesList['series'][number];

/** A series of the target's own metrics page, as the link holds it: `orders_total{country="FR"}`. */
export interface ChosenSeries {
  readonly text: string;
  readonly name: string;
  readonly match: string | undefined;
}

export const mostChosen = 4;
const keys = ['s1', 's2', 's3', 's4'] as const;
const longestText = 1_200;

export function textOfSeries({ name, labels }: Pick<Series, 'name' | 'labels'>): string {
  const pairs = Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return pairs.length === 0 ? name : `${name}{${pairs.map(([key, value]) => `${key}=${quoted(value)}`).join(',')}}`;
}

/** What makes no sense in the link is as if it were not there. */
export function readChosen(query: Readonly<Record<string, string>>): ChosenSeries[] {
  const texts = keys.map((key) => query[key] ?? '').filter((text) => text !== '' && text.length <= longestText);
  return [...new Set(texts)].flatMap((text) => {
    const [, name, match] = /^([a-zA-Z_:][\w:.]*)(\{.*\})?$/s.exec(text) ?? [];
    return name === undefined ? [] : [{ text, name, match }];
  });
}

export function withSeries(query: Readonly<Record<string, string>>, text: string): QueryPatch {
  return patchOf([...readChosen(query).map((one) => one.text), text].slice(0, mostChosen));
}

export function withoutSeries(query: Readonly<Record<string, string>>, text: string): QueryPatch {
  return patchOf(readChosen(query).flatMap((one) => (one.text === text ? [] : [one.text])));
}

/** The one with exactly these labels: the agent's filter allows more. */
export function findSeries(list: SeriesList, chosen: ChosenSeries): Series | undefined {
  return list.series.find((series) => textOfSeries(series) === chosen.text);
}

/** What counts up is drawn as its rate. */
export function historyOfSeries(list: SeriesList, series: Series): History<number | null> {
  const values = series.rates ?? series.values;
  const times = list.times.map((time) => Date.parse(time));
  const points = times.map((atMs, index) => ({ atMs, values: values[index] ?? null }));
  return { targetId: list.targetId, stepMs: Math.max(list.stepMs, usualDistanceMs(points), 1_000), points };
}

export function planOfSeries(
  chosen: ChosenSeries,
  series: Pick<Series, 'unit' | 'isCumulative'> | undefined,
): ChartPlan<number | null> {
  const unit = series?.unit ?? unitOf(chosen.name);
  const isRate = series?.isCumulative === true;
  return {
    id: `series ${chosen.text} ${unit ?? ''} ${isRate ? 'rate' : 'value'}`,
    title: cut(chosen.text),
    format: isRate ? perSecond(unit) : (formats[unit ?? ''] ?? plain),
    leastTop: unit === 'bytes' ? 1024 : 0.01,
    series: [{ label: isRate ? 'per second' : 'value', read: (value) => value }],
  };
}

const formats: Readonly<Record<string, (value: number) => string>> = {
  bytes: formatBytes,
  seconds: (value) => formatDuration(value * 1000),
};

function perSecond(unit: string | null): (value: number) => string {
  return unit === 'bytes' ? (value) => `${formatBytes(value)}/s` : formatPerSecond;
}

function plain(value: number): string {
  return String(Number(value.toPrecision(4)));
}

/** By the custom of Prometheus, where the page names no unit. */
function unitOf(name: string): string | null {
  return /_(bytes|seconds)(?:_total)?$/.exec(name)?.[1] ?? null;
}

function patchOf(texts: readonly string[]): QueryPatch {
  return Object.fromEntries(keys.map((key, index) => [key, texts[index] ?? null]));
}

function quoted(value: string): string {
  return `"${value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')}"`;
}

/** Labels come from the target. */
function cut(text: string): string {
  return text.length > 90 ? `${text.slice(0, 89)}…` : text;
}
