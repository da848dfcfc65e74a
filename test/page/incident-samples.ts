import type { Alert } from '../../protocol/rest/alerts.ts';
import type { Death } from '../../protocol/rest/deaths.ts';
import { ago, sampleTarget } from './samples.ts';

export function sampleAlert(over: Partial<Alert> = {}): Alert {
  return {
    id: 'a-1',
    problem: 'memory-leak',
    state: 'open',
    targetId: 't1',
    key: 'heap',
    severity: 'warning',
    title: 'the heap grows by 14 MiB an hour and is full in 5 h',
    text: 'Six readings in a row after garbage collection were higher than the one before.',
    facts: { pool: 'heap', bytesPerHour: 14_680_064, hoursLeft: 5 },
    profileIds: ['p-1'],
    traceId: null,
    service: { name: 'shop', version: '1.4.0', source: 'package' },
    openedAt: ago(420_000),
    updatedAt: ago(60_000),
    closedAt: null,
    closeReason: null,
    reports: 3,
    reopened: 0,
    evidence: [
      {
        name: 'growth.txt',
        mediaType: 'text/plain',
        text: 'remember (cache.js:12)   9.1 MiB\nload (rows.js:88)   2.2 MiB',
      },
    ],
    ...over,
  };
}

export function sampleDeath(over: Partial<Death> = {}): Death {
  const { identity } = sampleTarget();
  if (identity === null) throw new Error('the sample has an identity');
  return {
    id: 'd-1',
    targetId: 't1',
    targetName: 'shop',
    instanceId: 'i-0',
    identity,
    at: ago(700_000),
    uptimeMs: 3_600_000,
    cause: 'container-memory-limit',
    confidence: 'likely',
    summary: 'the kernel killed it at the memory limit of its container (1 GiB)',
    evidence: ['its last reading was at 98 % of the limit', 'it ended by SIGKILL'],
    unknown: ['the exit code: the agent does not see it'],
    exitCode: null,
    signal: 'SIGKILL',
    error: null,
    memory: { pool: 'external', grownBytes: 412 * 1024 * 1024, limit: null },
    sampling: null,
    stall: null,
    stacks: null,
    alerts: [{ id: 'a-0', problem: 'memory-limit', title: 'the container is at 92 % of its limit' }],
    lastReading: null,
    vitals: [],
    next: { instanceId: 'i-1', startedAt: ago(690_000) },
    ...over,
  };
}
