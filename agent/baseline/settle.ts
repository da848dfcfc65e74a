import { medianOf } from '../../protocol/trend/growth-trend.ts';
import type { Window } from './window.ts';

export type Settling = { readonly isSettled: true } | { readonly isSettled: false; readonly reason: string };

/** Of the heap's floor, between the first and the last third: what a collection more or less makes. */
const flatShare = 0.03;
const flatBytes = 2 * 2 ** 20;
const loadedShare = 0.8;
/** Where requests are not counted: a program that does nothing uses less. */
const idleUtilization = 0.005;

/** Has the program come to rest under load? Of the last `needed` windows: nearly all had load, and the memory floor was flat. */
export function settlingOf(windows: readonly Window[], needed: number): Settling {
  if (windows.length < needed) return not(`${windows.length} of ${needed} windows`);
  const last = windows.slice(-needed);
  const loaded = last.filter(isLoaded).length;
  if (loaded < loadedShare * needed) return not(`load in ${loaded} of the last ${needed} windows only`);
  const floors = last.map(({ values }) => values['heap-floor']).filter((value) => value !== undefined);
  if (floors.length < needed / 2) return not('the heap could not be read');
  const third = Math.ceil(floors.length / 3);
  const [first, then] = [medianOf(floors.slice(0, third)), medianOf(floors.slice(-third))];
  if (Math.abs(then - first) > Math.max(flatShare * first, flatBytes)) {
    const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);
    return not(`the memory floor goes from ${megabytes(first)} to ${megabytes(then)} MB in ${needed} windows`);
  }
  return { isSettled: true };
}

function isLoaded({ values, loadSource }: Window): boolean {
  if (loadSource !== 'unknown') return (values['load'] ?? 0) > 0;
  return (values['utilization'] ?? 0) > idleUtilization;
}

function not(reason: string): Settling {
  return { isSettled: false, reason };
}
