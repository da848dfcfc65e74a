import type { GrowthReading } from '../../protocol/rest/leaks.ts';
import type { VitalsPoint } from '../../protocol/rest/vitals.ts';

const columns = [
  ['heap MB', (point: VitalsPoint) => inMegabytes(point.heapUsedMaxBytes)],
  ['limit', (point: VitalsPoint) => inMegabytes(point.heapLimitBytes)],
  ['ext. MB', (point: VitalsPoint) => inMegabytes(point.externalBytes)],
  ['RSS MB', (point: VitalsPoint) => inMegabytes(point.rssMaxBytes)],
  ['cont. MB', (point: VitalsPoint) => inMegabytes(point.containerBytes)],
  ['limit', (point: VitalsPoint) => inMegabytes(point.containerLimitBytes)],
  ['CPU', (point: VitalsPoint) => fixed(point.cpuMaxCores, 2)],
  ['loop', (point: VitalsPoint) => fixed(point.utilization, 2)],
  ['p99 ms', (point: VitalsPoint) => fixed(point.delayP99Ms, 0)],
  ['GC', (point: VitalsPoint) => fixed(point.gcRatio, 3)],
] as const;

/** Readings as a table of text, the newest last: what an alert carries with it, because the agent may be gone with the pod. */
export function vitalsTable(points: readonly VitalsPoint[]): string {
  const head = ['time (UTC)', ...columns.map(([name]) => name)];
  const rows = points.map((point) => [point.at.slice(11, 19), ...columns.map(([, value]) => value(point))]);
  const widths = head.map((name, at) => Math.max(name.length, ...rows.map((row) => row[at]?.length ?? 0)));
  return [head, ...rows].map((row) => row.map((cell, at) => cell.padStart(widths[at] ?? 0)).join('  ')).join('\n');
}

/** "saveVisit (/app/visits.js:12)", for a sentence. */
export function siteName(site: GrowthReading['sites'][number]): string {
  const { functionName, url, line } = site.original ?? site;
  return `${functionName || '(anonymous)'} (${url.replace(/^file:\/\//, '')}:${line})`;
}

function inMegabytes(bytes: number | null): string {
  return bytes === null ? '-' : (bytes / 1e6).toFixed(1);
}

function fixed(value: number | null, digits: number): string {
  return value === null ? '-' : value.toFixed(digits);
}
