import type { Baseline } from '../../protocol/rest/baseline.ts';
import { medianOf } from '../../protocol/trend/growth-trend.ts';
import type { Window } from './window.ts';

export interface Correlated {
  readonly name: string;
  readonly baseline: number;
  readonly now: number;
}

/** What else is no more what it was: beyond its noise and a fifth of itself. The largest change first. */
export function correlatedMeasures(windows: readonly Window[], { measures }: Baseline, except: string): Correlated[] {
  const moved = Object.entries(measures).flatMap(([name, { median, noise }]): Correlated[] => {
    if (name === except || name.startsWith('load-average')) return [];
    const values = windows.map(({ values: of }) => of[name]).filter((value) => value !== undefined);
    if (values.length < windows.length) return [];
    const now = medianOf(values);
    return Math.abs(now - median) > Math.max(3 * noise, 0.2 * Math.abs(median))
      ? [{ name, baseline: median, now }]
      : [];
  });
  return byChange(moved);
}

/** A scraped series as it is now. */
export interface SeriesNow {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly ratePerSecond: number | null;
}

/** Scraped series whose rate, or value where they have none, is half as much again as at the baseline, or two thirds of it. */
export function correlatedSeries(now: readonly SeriesNow[], { series }: Baseline): Correlated[] {
  const before = new Map(series.map((one) => [seriesName(one), one]));
  const moved = now.flatMap((one): Correlated[] => {
    const name = seriesName(one);
    const known = before.get(name);
    if (known === undefined) return [];
    const isRate = one.ratePerSecond !== null && known.ratePerSecond !== null;
    const [a, b] = isRate ? [known.ratePerSecond, one.ratePerSecond] : [known.value, one.value];
    // A counter without a rate only tells how old the process is.
    if (a === null || b === null || (!isRate && (one.ratePerSecond ?? known.ratePerSecond) !== null)) return [];
    return isMoved(a, b) ? [{ name: isRate ? `rate of ${name}` : name, baseline: a, now: b }] : [];
  });
  return byChange(moved);
}

export function seriesName({ name, labels }: Pick<SeriesNow, 'name' | 'labels'>): string {
  const pairs = Object.entries(labels)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([label, value]) => `${label}="${value}"`);
  return pairs.length === 0 ? name : `${name}{${pairs.join(',')}}`;
}

function isMoved(before: number, now: number): boolean {
  if (before === 0 || now === 0) return before !== now && Math.max(before, now) >= 1;
  return now / before > 1.5 || now / before < 0.67;
}

function byChange(moved: readonly Correlated[]): Correlated[] {
  const size = ({ baseline, now }: Correlated): number =>
    baseline === 0 || now / baseline <= 0 ? Infinity : Math.abs(Math.log(now / baseline));
  return moved.toSorted((a, b) => size(b) - size(a) || (a.name < b.name ? -1 : 1));
}
