import { usualDistanceMs } from './history.ts';

/** Where a small chart of one value stands in a box, in pixels from the upper left corner. */
export interface Sparkline {
  readonly widthPx: number;
  readonly heightPx: number;
  /** Path of the line, with gaps where windows are missing; empty without windows. */
  readonly line: string;
  /** What was usual before: 5 to 95 % of the baseline. */
  readonly band: { readonly topPx: number; readonly heightPx: number };
  readonly medianPx: number;
  /** From where on it is another; null when that is before the first window. */
  readonly changePx: number | null;
  readonly last: { readonly xPx: number; readonly yPx: number } | null;
}

interface Window {
  readonly at: string;
  readonly value: number;
}

interface Baseline {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

const paddingPx = 3;
/** Of the usual distance: what is further apart has nothing in between. */
const gapWindows = 3;

/** From 0 up, so that a small change looks small. */
export function layoutSparkline(options: {
  windows: readonly Window[];
  baseline: Baseline;
  since: string | null;
  widthPx: number;
  heightPx: number;
}): Sparkline {
  const { windows, baseline, since, widthPx, heightPx } = options;
  const times = windows.map(({ at }) => Date.parse(at));
  const [firstMs = 0, lastMs = 0] = [times[0], times.at(-1)];
  const highest = Math.max(baseline.high, baseline.median, ...windows.map(({ value }) => value), Number.MIN_VALUE);
  const lowest = Math.min(0, baseline.low, ...windows.map(({ value }) => value));
  const x = (atMs: number): number =>
    round(paddingPx + ((atMs - firstMs) / Math.max(1, lastMs - firstMs)) * (widthPx - 2 * paddingPx));
  const y = (value: number): number =>
    round(heightPx - paddingPx - ((value - lowest) / (highest - lowest)) * (heightPx - 2 * paddingPx));
  const usualMs = usualDistanceMs(times.map((atMs) => ({ atMs })));
  const line = windows.map(({ value }, index) => {
    const atMs = times[index] ?? 0;
    const isGap = index === 0 || atMs - (times[index - 1] ?? 0) > usualMs * gapWindows;
    return `${isGap ? 'M' : 'L'}${x(atMs)} ${y(value)}`;
  });
  const last = windows.at(-1);
  const changeMs = since === null ? Number.NaN : Date.parse(since);
  return {
    widthPx,
    heightPx,
    line: line.join(''),
    band: { topPx: y(baseline.high), heightPx: round(Math.max(1, y(baseline.low) - y(baseline.high))) },
    medianPx: y(baseline.median),
    changePx: changeMs >= firstMs && changeMs <= lastMs ? x(changeMs) : null,
    last: last === undefined ? null : { xPx: x(lastMs), yPx: y(last.value) },
  };
}

function round(px: number): number {
  return Math.round(px * 10) / 10;
}
