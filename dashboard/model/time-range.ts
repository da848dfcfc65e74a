const minuteMs = 60_000;

/** How far back the charts reach while they are live. */
export const ranges = [
  ['15m', '15 min', 15 * minuteMs],
  ['1h', '1 h', 60 * minuteMs],
  ['6h', '6 h', 360 * minuteMs],
  ['24h', '24 h', 1440 * minuteMs],
  ['7d', '7 days', 10_080 * minuteMs],
] as const;
export type RangeName = (typeof ranges)[number][0];

export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
  /** Its end is now; else it was chosen by hand and stands. */
  readonly isLive: boolean;
}

/** uPlot's own have nothing between one minute and five, which leaves a short history with one label. Without one that is wide enough there is no label. */
export const axisStepsSeconds = [
  ...[1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200],
  ...[1, 2, 3, 7, 14].map((days) => days * 86_400),
] as const;
/** Between two labels, at least. */
export const axisLabelPx = 70;

/** Readings come every 5 s: fewer than a handful show nothing. */
const leastMs = 30_000;
const mostMs = ranges.at(-1)?.[2] ?? 0;
const firstRange: RangeName = '15m';

/** From the link: `range=1h`, or `from` and `to` in milliseconds. What makes no sense there is as if it were not there. */
export function readRange(query: Readonly<Record<string, string>>, nowMs: number): TimeRange & { name: RangeName } {
  const found = ranges.find(([name]) => name === query['range']);
  const name = found?.[0] ?? firstRange;
  const from = Number(query['from'] ?? Number.NaN);
  const to = Number(query['to'] ?? Number.NaN);
  if (Number.isFinite(from) && Number.isFinite(to) && to - from >= 1_000 && from > 0 && to - from <= mostMs) {
    return { ...widened(from, to), isLive: false, name };
  }
  const lengthMs = found?.[2] ?? ranges[0][2];
  return { fromMs: nowMs - lengthMs, toMs: nowMs, isLive: true, name };
}

/**
 * What of a live range is drawn: up to the last reading, however late the clock of the page ticks; and where nobody chose a length, from the
 * first thing that is known: two minutes of a new agent are not to stand in a corner.
 */
export function drawnRange(
  range: TimeRange,
  known: { readonly firstMs: number | null; readonly lastMs: number | null; readonly isChosen: boolean },
): TimeRange {
  if (!range.isLive) return range;
  const { firstMs, lastMs, isChosen } = known;
  const toMs = Math.max(range.toMs, lastMs ?? 0);
  if (isChosen || firstMs === null) return { ...range, toMs };
  const lengthMs = Math.max(leastDrawnMs, (toMs - firstMs) * 1.04);
  return { ...range, fromMs: Math.max(range.fromMs, toMs - lengthMs), toMs };
}

const leastDrawnMs = 2 * minuteMs;

/** As the link holds it. */
export function writeRange(range: { fromMs: number; toMs: number } | null): Record<'from' | 'to', string | null> {
  if (range === null) return { from: null, to: null };
  const { fromMs, toMs } = widened(range.fromMs, range.toMs);
  return { from: String(Math.round(fromMs)), to: String(Math.round(toMs)) };
}

/** Half, or twice, as much around the same middle; never beyond now. */
export function zoomed(range: TimeRange, factor: number, nowMs: number): { fromMs: number; toMs: number } {
  const lengthMs = Math.min(mostMs, Math.max(leastMs, (range.toMs - range.fromMs) * factor));
  const middleMs = (range.fromMs + range.toMs) / 2;
  const toMs = Math.min(nowMs, middleMs + lengthMs / 2);
  return { fromMs: toMs - lengthMs, toMs };
}

function widened(fromMs: number, toMs: number): { fromMs: number; toMs: number } {
  const missingMs = Math.max(0, leastMs - (toMs - fromMs));
  return { fromMs: fromMs - missingMs / 2, toMs: toMs + missingMs / 2 };
}
