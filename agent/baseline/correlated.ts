import type { Baseline } from '../../protocol/rest/baseline.ts';
import type { Correlated } from '../../protocol/rest/regressions.ts';
import { medianOf } from '../../protocol/trend/growth-trend.ts';
import { rankCorrelation } from '../../protocol/trend/rank-correlation.ts';
import type { Window } from './window.ts';

/** What moved, before it is known how closely it follows. */
export interface Moved {
  readonly name: string;
  readonly baseline: number;
  readonly now: number;
}

/** What else is no more what it was: beyond its noise and a fifth of itself. The largest change first. */
export function movedMeasures(windows: readonly Window[], { measures }: Baseline, except: string): Moved[] {
  const moved = Object.entries(measures).flatMap(([name, { median, noise }]): Moved[] => {
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

export interface AroundChange {
  /** Windows of this run, the newest last. */
  readonly history: readonly Window[];
  /** Where the first window that was beyond began. */
  readonly sinceMs: number;
}

/** Windows before a change, for each one since: with fewer of them, what is noise before and after agrees by chance. */
const beforePerAfter = 2;
const eitherMax = 40;

/** The windows that tell whether two measures changed together: since the change, and twice as many from before it. Empty when all are from after it. */
export function windowsAround({ history, sinceMs }: AroundChange): readonly Window[] {
  const first = history.findIndex(({ fromMs }) => fromMs >= sinceMs);
  if (first <= 0) return [];
  const after = Math.min(history.length - first, eitherMax);
  return history.slice(Math.max(0, first - beforePerAfter * after), first + after);
}

/** With how closely each follows the metric, at no lag; what follows it closest first, what is not known last, in the order given. `valueOf`: of one that moved in a window. */
export function byCorrelation(
  moved: readonly Moved[],
  of: {
    readonly windows: readonly Window[];
    readonly metric: string;
    readonly valueOf: (name: string, window: Window) => number | undefined;
  },
): Correlated[] {
  const { windows, metric, valueOf } = of;
  const correlated = moved.map((one): Correlated => {
    const pairs = windows.flatMap((window): [number, number][] => {
      const [a, b] = [window.values[metric], valueOf(one.name, window)];
      return a === undefined || b === undefined ? [] : [[a, b]];
    });
    const correlation = rankCorrelation(pairs);
    if (correlation === undefined) return { ...one, correlation: null, windows: 0 };
    return { ...one, correlation: Number(correlation.toFixed(3)), windows: pairs.length };
  });
  const closeness = ({ correlation }: Correlated): number => (correlation === null ? -1 : Math.abs(correlation));
  return correlated.toSorted((a, b) => closeness(b) - closeness(a));
}

/** A scraped series as it is now. */
export interface SeriesNow {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly ratePerSecond: number | null;
}

/** Scraped series whose rate, or value where they have none, is half as much again as at the baseline, or two thirds of it. */
export function movedSeries(now: readonly SeriesNow[], { series }: Baseline): Moved[] {
  const before = new Map(series.map((one) => [seriesName(one), one]));
  const moved = now.flatMap((one): Moved[] => {
    const name = seriesName(one);
    const known = before.get(name);
    if (known === undefined) return [];
    const isRate = one.ratePerSecond !== null && known.ratePerSecond !== null;
    const [a, b] = isRate ? [known.ratePerSecond, one.ratePerSecond] : [known.value, one.value];
    // A counter without a rate only tells how old the process is.
    if (a === null || b === null || (!isRate && (one.ratePerSecond ?? known.ratePerSecond) !== null)) return [];
    return isMoved(a, b) ? [{ name: isRate ? rateName(name) : name, baseline: a, now: b }] : [];
  });
  return byChange(moved);
}

export function seriesName({ name, labels }: Pick<SeriesNow, 'name' | 'labels'>): string {
  const pairs = Object.entries(labels)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([label, value]) => `${label}="${value}"`);
  return pairs.length === 0 ? name : `${name}{${pairs.join(',')}}`;
}

export function rateName(series: string): string {
  return `rate of ${series}`;
}

function isMoved(before: number, now: number): boolean {
  if (before === 0 || now === 0) return before !== now && Math.max(before, now) >= 1;
  return now / before > 1.5 || now / before < 0.67;
}

function byChange(moved: readonly Moved[]): Moved[] {
  const size = ({ baseline, now }: Moved): number =>
    baseline === 0 || now / baseline <= 0 ? Infinity : Math.abs(Math.log(now / baseline));
  return moved.toSorted((a, b) => size(b) - size(a) || (a.name < b.name ? -1 : 1));
}
