import type { Alert, AlertSummary } from '../../protocol/rest/alerts.ts';
import type { Death } from '../../protocol/rest/deaths.ts';
import { formatBytes, formatDuration, formatShare, formatUtc } from '../format.ts';
import type { Tone } from './words.ts';
import { sentence } from './words.ts';

export const problemWords = {
  'memory-limit': 'Memory near its limit',
  'memory-leak': 'Memory leak',
  'inspector-exposed': 'Inspector open to the network',
  'target-death': 'Death',
  stall: 'Stall',
  saturation: 'Saturation',
  regression: 'Regression',
  rule: 'Rule',
} as const satisfies Record<AlertSummary['problem'], string>;

export const causeWords = {
  exit: 'It ended by itself',
  'uncaught-exception': 'Uncaught exception',
  'v8-out-of-memory': 'Out of heap',
  'container-memory-limit': 'Killed at the container’s memory limit',
  killed: 'Killed from outside',
  crashed: 'Crashed',
  unknown: 'Unknown',
} as const satisfies Record<Death['cause'], string>;

export function alertTone({ state, severity }: Pick<AlertSummary, 'state' | 'severity'>): Tone {
  if (state === 'closed') return 'idle';
  return severity === 'critical' ? 'bad' : severity === 'warning' ? 'warn' : 'busy';
}

/** `Open, critical`, `Closed after 3 min`. */
export function alertState(alert: AlertSummary): string {
  if (alert.closedAt === null) return `Open, ${alert.severity}`;
  return `Closed after ${formatDuration(Date.parse(alert.closedAt) - Date.parse(alert.openedAt))}`;
}

/** For a ticket or a chat. */
export function alertAsText(alert: Alert): string {
  const facts = Object.entries(alert.facts).map(([name, value]) => `${name}: ${String(value)}`);
  return [
    `${problemWords[alert.problem]} (${alertState(alert)}): ${sentence(alert.title)}`,
    `Since ${formatUtc(alert.openedAt)}, last ${formatUtc(alert.updatedAt)}, ${alert.reports} reports`,
    ...(alert.text === null ? [] : [alert.text]),
    ...facts,
    ...alert.evidence.flatMap(({ name, text }) => ['', `--- ${name}`, text]),
  ].join('\n');
}

export function deathAsText(death: Death): string {
  return [
    `${death.targetName}, pid ${death.identity.pid}, ${formatUtc(death.at)}: ${sentence(death.summary)}`,
    `Cause: ${causeWords[death.cause]} (${death.confidence}), after ${formatDuration(death.uptimeMs)}`,
    ...death.evidence.map((line) => `- ${line}`),
    ...death.unknown.map((line) => `? ${line}`),
    ...(death.error === null ? [] : ['', death.error.stack]),
  ].join('\n');
}

/** What it ran out of, or what grew most: null when memory had no part in it. */
export function memoryWords({ memory }: Death): string | null {
  if (memory.pool === null) return null;
  const grown = memory.grownBytes === null ? '' : ` grew by ${formatBytes(memory.grownBytes)} in its last 10 minutes`;
  return `${memory.pool}${grown}`;
}

/** `bytesPerHour: 14680064` as `bytes per hour`, `14 MiB`: by what its name says of its unit. */
export function factWords(name: string, value: string | number | boolean | null): readonly [string, string] {
  const words = name.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  if (value === null) return [words, 'not known'];
  if (typeof value !== 'number') return [words, String(value)];
  if (/share|ratio/i.test(name)) return [words, formatShare(value)];
  if (/bytes/i.test(name)) return [words, formatBytes(value)];
  if (/ms$/i.test(name)) return [words.replace(/ ms$/, ''), formatDuration(value)];
  return [words, String(Number(value.toPrecision(4)))];
}
