import type { Delivery, EgressDestination } from '../../protocol/rest/egress.ts';
import type { OutboxRow, OutboxSums } from '../store/outbox-table.ts';
import type { Destination } from './destination.ts';
import type { DestinationConfig } from './egress-schema.ts';
import type { SenderStats } from './sender.ts';

export interface DescribedLane extends SenderStats {
  readonly config: DestinationConfig;
  readonly destination: Destination;
  readonly kinds: readonly string[];
  readonly queueBytesMax: number;
  readonly sums: OutboxSums;
}

/** For `GET /egress`: nothing secret. */
export function describeDestination(lane: DescribedLane): EgressDestination {
  const { config, destination, kinds, queueBytesMax, sums, isSending, resumeInMs, lastError } = lane;
  const { items, bytes, oldestMs } = sums;
  const mayRedact = config.kind === 's3' || config.kind === 'directory';
  return {
    name: config.name,
    kind: config.kind,
    where: destination.where,
    kinds: [...kinds],
    triggers: config.filters?.triggers ?? null,
    labels: config.filters?.labels ?? {},
    redact: mayRedact && kinds.includes('heap-snapshot') ? (config.redact ?? true) : null,
    state: isSending ? 'sending' : resumeInMs === null ? 'idle' : 'waiting',
    nextAttemptAt: resumeInMs === null ? null : isoTime(Date.now() + resumeInMs),
    queue: { items, bytes, bytesMax: queueBytesMax, oldestAt: timeOrNull(oldestMs) },
    sent: lane.sent,
    sentBytes: lane.sentBytes,
    failed: lane.failed,
    dropped: lane.dropped,
    lastSentAt: timeOrNull(lane.lastSentAtMs),
    lastError: lastError && { at: isoTime(lastError.atMs), message: lastError.message, reason: lastError.reason },
  };
}

export function deliveryOf({ item, destination, state, queuedMs, endedMs, attempts, reason }: OutboxRow): Delivery {
  return { profileId: item, destination, state, at: isoTime(endedMs ?? queuedMs), attempts, reason };
}

function timeOrNull(ms: number | null): string | null {
  return ms === null ? null : isoTime(ms);
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
