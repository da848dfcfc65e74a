import type { Death } from '../../protocol/rest/deaths.ts';
import type { Condition, Evidence } from '../alerts/condition.ts';
import { sitesText } from './sites-text.ts';
import { siteName, vitalsTable } from './vitals-table.ts';

/**
 * The alert of a death; undefined for the ordinary ones, so that deploys raise none: code 0, running out of work, the codes of a handled SIGTERM, SIGINT or
 * SIGHUP, and what ended while no agent watched. A process without a handler dies of a deploy's SIGTERM without a word: `info`.
 */
export function deathCondition(death: Death): Condition | undefined {
  const severity = severityOf(death);
  if (severity === undefined) return undefined;
  const { targetId, targetName, cause, confidence, exitCode, signal, uptimeMs, memory, lastReading, sampling } = death;
  const [site] = sampling?.sites ?? [];
  return {
    problem: 'target-death',
    targetId,
    key: cause,
    severity,
    title: `${targetName}: ${death.summary}`,
    text: textOf(death),
    facts: {
      deathId: death.id,
      cause,
      confidence,
      exitCode,
      signal,
      uptimeMs,
      pool: memory.pool,
      usedPercent: memory.limit?.usedPercent ?? null,
      limitPool: memory.limit?.pool ?? null,
      rssBytes: lastReading?.memory.rssBytes ?? null,
      heapUsedBytes: lastReading?.memory.heapUsedBytes ?? null,
      heapLimitBytes: lastReading?.memory.heapLimitBytes ?? null,
      site: site === undefined ? null : siteName(site),
    },
    evidence: evidenceOf(death),
    traceId: death.stall?.span?.traceId ?? null,
  };
}

/** Whether `deathCondition` says something of it. */
export function isAlarming(death: Death): boolean {
  return severityOf(death) !== undefined;
}

/** What a shell and Node's own handlers make of SIGHUP, SIGINT and SIGTERM. */
const stoppedCodes = new Set<number | null>([0, null, 129, 130, 143]);
const stopSignals = new Set<string | null>([null, 'SIGTERM', 'SIGINT', 'SIGHUP']);

function severityOf({ cause, exitCode, signal }: Death): Condition['severity'] | undefined {
  switch (cause) {
    case 'exit':
      return stoppedCodes.has(exitCode) ? undefined : 'warning';
    case 'killed':
      return stopSignals.has(signal) ? 'info' : 'warning';
    case 'unknown':
      return undefined;
    case 'uncaught-exception':
    case 'v8-out-of-memory':
    case 'container-memory-limit':
    case 'crashed':
      return 'critical';
  }
}

function textOf({ evidence, unknown, memory, sampling, stall }: Death): string {
  const [site] = sampling?.sites ?? [];
  const sentences = [
    evidence.length > 0 && `Seen: ${evidence.join('; ')}.`,
    unknown.length > 0 && `Not known: ${unknown.join('; ')}.`,
    memory.pool !== null &&
      memory.grownBytes !== null &&
      `Grew most: ${memory.pool}, by ${(memory.grownBytes / 1e6).toFixed(0)} MB in its last 10 minutes.`,
    site !== undefined && `Allocated by ${siteName(site)}.`,
    stall !== null && `It ended in a stall: ${stall.summary}.`,
  ];
  return sentences.filter((sentence) => sentence !== false).join(' ');
}

function evidenceOf({ error, sampling, vitals, stall }: Death): Evidence[] {
  const texts = [
    error !== null && { name: 'exception.txt', text: error.stack || `${error.name}: ${error.message}` },
    sampling !== null && { name: 'sites.txt', text: sitesText(sampling) },
    vitals.length > 0 && { name: 'vitals.txt', text: vitalsTable(vitals) },
    stall !== null && { name: 'stall.json', mediaType: 'application/json' as const, text: JSON.stringify(stall) },
  ];
  return texts.filter((text) => text !== false).map((text) => ({ mediaType: 'text/plain' as const, ...text }));
}
