import type { Death, DeathCause } from '../../protocol/rest/deaths.ts';
import type { GrowthOutcome, GrowthSite, LeakPool, LeakVerdict, SitePlace } from '../../protocol/rest/leaks.ts';
import type { MemoryLimit } from '../../protocol/rest/memory-limit.ts';
import { formatBytes, formatDuration } from '../format.ts';
import type { Tone } from './words.ts';

export const poolWords: Readonly<Record<LeakPool, string>> = {
  heap: 'JavaScript heap',
  external: 'External (Buffers)',
  native: 'Native',
};

const verdictWords: Readonly<Record<LeakVerdict['verdict'], readonly [Tone, string]>> = {
  settled: ['good', 'Settled'],
  suspect: ['warn', 'Suspect'],
  leak: ['bad', 'Leak'],
};

/** Nobody is told that all is well before it was looked at. */
export function verdictBadge({ verdict, reason }: Pick<LeakVerdict, 'verdict' | 'reason'>): readonly [Tone, string] {
  return verdict === 'settled' && /^too (early|few)/i.test(reason) ? ['idle', 'Not known yet'] : verdictWords[verdict];
}

export const outcomeWords: Readonly<Record<GrowthOutcome, readonly [Tone, string]>> = {
  'no-growth': ['good', 'Did not grow'],
  drained: ['good', 'Given back'],
  'mostly-drained': ['warn', 'Mostly given back'],
  held: ['bad', 'Held'],
};

export const causeWords: Readonly<Record<DeathCause, string>> = {
  exit: 'Exited by itself',
  'uncaught-exception': 'Uncaught exception',
  'v8-out-of-memory': 'V8 out of memory',
  'container-memory-limit': 'Killed at the container’s memory limit',
  killed: 'Killed from outside',
  crashed: 'Crashed',
  unknown: 'Ended for an unknown reason',
};

/** "remember app.ts:12": as its author wrote it, where that is known. */
export function siteText({ functionName, url, line }: SitePlace): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  const file = url.split('/').pop() ?? '';
  return file === '' ? name : `${name} ${file}${line > 0 ? `:${line}` : ''}`;
}

export function growthText({ original, ...site }: GrowthSite): string {
  return siteText(original ?? site);
}

/** Where a limit stands and when it is reached, in one sentence. */
export function limitText(limit: MemoryLimit): string {
  const what = limit.pool === 'heap' ? 'V8’s limit for objects that stay' : 'the container’s limit';
  const where = `${formatBytes(limit.usedBytes)} of ${formatBytes(limit.limitBytes)} (${Math.round(limit.usedPercent)} %) of ${what}`;
  if (limit.forecast === null) return `${where}; it does not grow towards it.`;
  const { inMs, bytesPerHour } = limit.forecast;
  return `${where}; growing by ${formatBytes(bytesPerHour)} an hour it is reached in ${formatDuration(inMs)}.`;
}

export function limitTone({ usedPercent, forecast }: MemoryLimit): Tone {
  if (usedPercent >= 90) return 'bad';
  if (usedPercent >= 75 || (forecast !== null && forecast.inMs < 3_600_000)) return 'warn';
  return 'good';
}

/** The whole record as text, to be pasted into an incident. */
export function deathText(death: Death): string {
  const lines = [
    `${death.targetName}: ${death.summary}`,
    `Noticed ${death.at}, after ${formatDuration(death.uptimeMs)}; ${causeWords[death.cause]} (${death.confidence})`,
    ...death.evidence.map((evidence) => `- ${evidence}`),
    ...death.unknown.map((unknown) => `? ${unknown}`),
  ];
  if (death.memory.pool !== null && death.memory.grownBytes !== null)
    lines.push(
      `Memory: ${poolWords[death.memory.pool]} grew by ${formatBytes(death.memory.grownBytes)} in its last 10 minutes`,
    );
  for (const site of death.sampling?.sites ?? []) lines.push(`  ${formatBytes(site.grownBytes)} ${growthText(site)}`);
  if (death.error !== null) lines.push('', death.error.stack);
  return `${lines.join('\n')}\n`;
}
