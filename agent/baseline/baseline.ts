import type { Baseline } from '../../protocol/rest/baseline.ts';
import type { BoundTally } from './bound-tally.ts';
import { spreadOf } from './spread.ts';
import type { Window } from './window.ts';

/** Measures of a baseline: routes come and go, and each has two. */
const measuresMax = 400;

/** Of windows in order, at least one. A measure counts when half of the windows have it. */
export function baselineOf(
  windows: readonly Window[],
  about: Pick<Baseline, 'kind' | 'isLate' | 'takenAt' | 'series'>,
  bounds: BoundTally,
): Baseline {
  const [first, last] = [windows[0], windows.at(-1)];
  if (first === undefined || last === undefined) throw new RangeError('a baseline needs a window');
  const values = new Map<string, number[]>();
  // A route may have the name of something that every object has.
  const routeRequests = new Map<string, number>();
  for (const window of windows) {
    for (const [measure, value] of Object.entries(window.values)) {
      const list = values.get(measure);
      if (list === undefined) values.set(measure, [value]);
      else list.push(value);
    }
    for (const [route, count] of Object.entries(window.routeRequests))
      routeRequests.set(route, (routeRequests.get(route) ?? 0) + count);
  }
  const usual = [...values].filter(([, list]) => list.length >= windows.length / 2);
  if (usual.length > measuresMax) bounds.add('measures', usual.length - measuresMax);
  const measures = Object.fromEntries(usual.slice(0, measuresMax).map(([measure, list]) => [measure, spreadOf(list)]));
  const isCounted = (route: string): boolean => `route-rate ${route}` in measures;
  return {
    ...about,
    from: iso(first.fromMs),
    to: iso(last.toMs),
    windowMs: last.toMs - last.fromMs,
    windows: windows.length,
    loadSource: 'load' in measures ? last.loadSource : 'unknown',
    measures,
    routeRequests: Object.fromEntries([...routeRequests].filter(([route]) => isCounted(route))),
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
