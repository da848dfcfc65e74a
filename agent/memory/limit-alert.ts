import type { GrowthReading } from '../../protocol/rest/leaks.ts';
import type { Vitals, VitalsPoint } from '../../protocol/rest/vitals.ts';
import type { Condition, Evidence } from '../alerts/condition.ts';
import type { LimitForecast } from './limit-forecast.ts';
import type { LimitUse } from './nearer-limit.ts';
import { megabytes } from './megabytes.ts';
import { sitesText } from './sites-text.ts';
import { siteName, vitalsTable } from './vitals-table.ts';

/** From here on it may be over at any moment. */
const critical = { share: 0.95, inMs: 5 * 60_000 };

/** The alert for a target that is near a memory limit, with the full memory statistics and what was seen on the way. */
export function limitCondition(parts: {
  readonly limit: LimitUse;
  readonly forecast: LimitForecast | undefined;
  readonly vitals: Vitals;
  readonly points: readonly VitalsPoint[];
  readonly growth: GrowthReading | undefined;
}): Condition {
  const { limit, forecast, vitals, growth } = parts;
  const { memory, cgroup, gc } = vitals;
  const isCritical = limit.share >= critical.share || (forecast !== undefined && forecast.inMs < critical.inMs);
  const [site] = growth?.sites ?? [];
  const percent = (limit.share * 100).toFixed(0);
  const amounts = `${megabytes(limit.usedBytes)} of ${megabytes(limit.limitBytes)} MB`;
  const when = forecast === undefined ? '' : `, reached in ${minutes(forecast.inMs)} if it goes on like this`;
  return {
    problem: 'memory-limit',
    targetId: vitals.targetId,
    severity: isCritical ? 'critical' : 'warning',
    title: `${names[limit.pool]} is at ${percent} % of its limit (${amounts})${when}`,
    ...(site !== undefined && {
      text: `Grown most: ${siteName(site)}, ${megabytes(site.bytesPerMinute)} MB a minute.`,
    }),
    facts: {
      pool: limit.pool,
      usedBytes: limit.usedBytes,
      limitBytes: limit.limitBytes,
      usedPercent: Math.round(limit.share * 1000) / 10,
      forecastMs: forecast === undefined ? null : Math.round(forecast.inMs),
      growthBytesPerHour: forecast === undefined ? null : Math.round(forecast.bytesPerHour),
      rssBytes: memory.rssBytes,
      heapUsedBytes: memory.heapUsedBytes,
      heapTotalBytes: memory.heapTotalBytes,
      heapLimitBytes: memory.heapLimitBytes,
      externalBytes: memory.externalBytes,
      arrayBuffersBytes: memory.arrayBuffersBytes,
      containerBytes: cgroup?.memoryCurrentBytes ?? null,
      containerWorkingSetBytes: cgroup?.workingSetBytes ?? null,
      containerLimitBytes: memory.containerLimitBytes,
      gcPauseMs: gc?.pauseMs ?? null,
      ...Object.fromEntries(memory.spaces.map(({ name, usedBytes }) => [`space.${name}`, usedBytes])),
      site: site === undefined ? null : siteName(site),
    },
    evidence: evidenceOf(parts),
  };
}

function evidenceOf(parts: { points: readonly VitalsPoint[]; growth: GrowthReading | undefined }): Evidence[] {
  const { points, growth } = parts;
  const evidence: Evidence[] = [];
  if (growth !== undefined) evidence.push({ name: 'sites.txt', mediaType: 'text/plain', text: sitesText(growth) });
  if (points.length > 0) evidence.push({ name: 'vitals.txt', mediaType: 'text/plain', text: vitalsTable(points) });
  return evidence;
}

const names = { heap: 'the heap', container: "the container's memory" } as const;

function minutes(ms: number): string {
  return ms < 90_000 ? `${Math.max(1, Math.round(ms / 1000))} s` : `${Math.round(ms / 60_000)} min`;
}
