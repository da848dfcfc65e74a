import type { LeakVerdict } from '../../protocol/rest/leaks.ts';
import type { TimeRange } from './time-range.ts';

/** How something goes on if it goes on like this: a straight line, and how far it is drawn. */
export interface Outlook {
  readonly fromMs: number;
  readonly fromValue: number;
  readonly perMs: number;
  /** Where it meets its limit. */
  readonly untilMs: number;
}

/** A line farther than the chart's own time would press what was measured to the side. */
const mostOfRange = 0.5;

/** The heap of a target on its way to its limit; undefined while it does not grow towards one. */
export function heapOutlook(verdicts: readonly LeakVerdict[]): Outlook | undefined {
  const verdict = verdicts.find(({ pool }) => pool === 'heap');
  const { slopeMbPerHour = null, levelBytes = null, limit = null, at = '' } = verdict ?? {};
  if (verdict?.verdict === 'settled' || slopeMbPerHour === null || levelBytes === null || slopeMbPerHour <= 0) return;
  if (limit?.kind !== 'heap' || limit.reachedAt === null) return;
  const fromMs = Date.parse(at);
  const perMs = (slopeMbPerHour * 1e6) / 3_600_000;
  return { fromMs, fromValue: levelBytes, perMs, untilMs: Date.parse(limit.reachedAt) };
}

/** A live range with room for the line. */
export function rangeWithOutlook(range: TimeRange, outlook: Outlook | undefined): TimeRange {
  if (outlook === undefined || !range.isLive || outlook.untilMs <= range.toMs) return range;
  const mostMs = range.toMs + (range.toMs - range.fromMs) * mostOfRange;
  return { ...range, toMs: Math.min(mostMs, outlook.untilMs) };
}

/** The last column holds the line alone; two more moments at its ends, where nothing was measured. */
export function columnsWithOutlook(
  columns: readonly (readonly (number | null)[])[],
  outlook: Outlook,
  toMs: number,
): (number | null)[][] {
  const [xs = [], ...read] = columns;
  const measured = read.slice(0, -1);
  const startMs = Math.max(outlook.fromMs, (xs.at(-1) ?? 0) * 1000 + 1);
  const endMs = Math.min(outlook.untilMs, toMs);
  const atMs = endMs > startMs ? [startMs, endMs] : [];
  const valueAt = (ms: number): number => outlook.fromValue + (ms - outlook.fromMs) * outlook.perMs;
  return [
    [...xs, ...atMs.map((ms) => ms / 1000)],
    ...measured.map((column) => [...column, ...atMs.map(() => null)]),
    [...xs.map(() => null), ...atMs.map(valueAt)],
  ];
}
