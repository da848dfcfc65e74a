import type { Baseline } from '../../protocol/rest/baseline.ts';
import { medianOf } from '../../protocol/trend/growth-trend.ts';
import { starvedAtLeast } from '../vitals/starved.ts';
import type { Window } from './window.ts';

/** A fifth less CPU of what it wants than at the baseline: what was late then as well explains nothing. */
const lessCpu = 0.8;
/** Of the growth of RSS: held by the heap and by Buffers, it is the program's. */
const heldShare = 0.5;

/** In words; null where the program got its CPU, or as little of it at the baseline, or where either is not known. */
export function starvationOf(windows: readonly Window[], { measures }: Baseline): string | null {
  const before = measures['starved']?.median;
  const now = medianIn(windows, 'starved');
  if (before === undefined || now === undefined || now < starvedAtLeast) return null;
  if (1 - now > lessCpu * (1 - before)) return null;
  const percent = (share: number): string => `${Math.round(share * 100)} %`;
  return `it waited for a CPU ${percent(now)} of the time that it wanted one, ${percent(before)} at the baseline`;
}

/** Whether RSS grew without what collections leave: V8 lets a process grow while its collections get no CPU. False where that is not known. */
export function isLeftLying(windows: readonly Window[], { measures }: Baseline): boolean {
  const grown = (name: string): number | undefined => {
    const [before, now] = [measures[name]?.median, medianIn(windows, name)];
    return before === undefined || now === undefined ? undefined : now - before;
  };
  const [heap, external, rss] = [grown('heap-floor'), grown('external-floor'), grown('rss')];
  if (heap === undefined || external === undefined || rss === undefined) return false;
  return heap + external < heldShare * rss;
}

/** What every one of the windows has. */
function medianIn(windows: readonly Window[], name: string): number | undefined {
  const values = windows.map(({ values: of }) => of[name]).filter((value) => value !== undefined);
  return values.length < windows.length || values.length === 0 ? undefined : medianOf(values);
}
