import { seriesOf } from '../../protocol/rest/series-of-vitals.ts';
import type { SeriesName, SeriesValues, Vitals, VitalsPoint } from '../../protocol/rest/vitals.ts';

export interface HistoryPoint<Values = SeriesValues> {
  readonly atMs: number;
  readonly values: Values;
}

/** Readings of one target, oldest first, in steps. Appending keeps it bounded: a page that is open for a day holds no more than one hour old. */
export interface History<Values = SeriesValues> {
  readonly targetId: string;
  readonly stepMs: number;
  readonly points: readonly HistoryPoint<Values>[];
}

/** 5 s for an hour is 720; twice that is drawn without effort. */
export const maxPoints = 1_500;

export function readPoint(point: VitalsPoint): HistoryPoint {
  return { atMs: Date.parse(point.at), values: point };
}

/** A reading as it comes over the event stream, in the shape of the history's points; without rates where it is not known since when. */
export function pointOfVitals(vitals: Vitals, elapsedMs: number | null): HistoryPoint {
  const values = elapsedMs === null ? seriesOf({ ...vitals, gc: null }, 1) : seriesOf(vitals, elapsedMs);
  return { atMs: Date.parse(vitals.at), values };
}

/** In steps so short each reading is drawn, however often the agent reads. */
const finestStepMs = 5_000;

/** With one more point; one that falls into the last step is taken into it, and one from before is left out. */
export function appendPoint(history: History, point: HistoryPoint): History {
  const last = history.points.at(-1);
  if (last === undefined) return { ...history, points: [point] };
  if (point.atMs <= last.atMs) return history;
  const isSameStep = Math.floor(point.atMs / history.stepMs) === Math.floor(last.atMs / history.stepMs);
  if (!isSameStep || history.stepMs <= finestStepMs) {
    return { ...history, points: [...history.points, point].slice(-maxPoints) };
  }
  const merged = { atMs: last.atMs, values: merge(last.values, point.values) };
  return { ...history, points: [...history.points.slice(0, -1), merged] };
}

/** The agent makes these of a step by their maximum. */
const maxima: readonly SeriesName[] = ['rssMaxBytes', 'heapUsedMaxBytes', 'cpuMaxCores', 'delayP99Ms', 'delayMaxMs'];

/** The worse of two for what is a maximum, the newer one else. */
function merge(older: SeriesValues, newer: SeriesValues): SeriesValues {
  const merged: Record<SeriesName, number | null> = { ...newer };
  for (const name of Object.keys(merged) as SeriesName[]) merged[name] ??= older[name];
  for (const name of maxima) merged[name] = Math.max(older[name] ?? -Infinity, newer[name] ?? -Infinity);
  for (const name of maxima) if (merged[name] === -Infinity) merged[name] = null;
  return merged;
}

/** The x column in seconds and one column per series. Where readings are missing there is a point without values: a gap, not a line across it. */
export function columnsOf<Values>(
  history: History<Values>,
  read: readonly ((values: Values) => number | null)[],
): (number | null)[][] {
  const columns: (number | null)[][] = [[], ...read.map(() => [])];
  const add = (atMs: number, values: Values | null): void => {
    columns[0]?.push(atMs / 1000);
    for (const [index, of] of read.entries()) columns[index + 1]?.push(values === null ? null : of(values));
  };
  const gapMs = gapSteps * Math.max(history.stepMs, usualDistanceMs(history.points));
  let beforeMs: number | null = null;
  for (const { atMs, values } of history.points) {
    if (beforeMs !== null && atMs - beforeMs > gapMs) add((atMs + beforeMs) / 2, null);
    add(atMs, values);
    beforeMs = atMs;
  }
  return columns;
}

/** A reading may come late by a step; what takes longer was not read. */
const gapSteps = 3;

/** The median: an agent may read less often than the steps are long. */
export function usualDistanceMs(points: readonly { readonly atMs: number }[]): number {
  const distances = points.slice(1).map(({ atMs }, index) => atMs - (points[index]?.atMs ?? atMs));
  return distances.toSorted((a, b) => a - b)[(distances.length - 1) >> 1] ?? 0;
}
