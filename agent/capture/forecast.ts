import type { MemoryReading } from '../../protocol/inspector/readings.ts';
import type { SnapshotForecast } from '../../protocol/rest/forecast.ts';
import type { SnapshotRecord } from '../store/snapshot-history.ts';

const MiB = 1024 * 1024;

/**
 * Extra resident bytes per byte of heap, measured over nine heap shapes on Node 24: tiny objects cost 27 times their space, big reference
 * arrays 8.5 times, strings a quarter. The worst seen, with a margin, is the high end; the least, the low end.
 */
const extra = { low: { small: 4, large: 0.2 }, high: { small: 42, large: 9 } } as const;
/** Seen: 89-108 ms per MB of small objects, 27 ms per MB of reference arrays, 3 ms per MB of strings. */
const pauseMsPerMiB = { low: { small: 3, large: 0.5 }, high: { small: 125, large: 32 } } as const;
/** The file: 1.65-2 times the small objects; reference arrays up to 6 times. */
const file = { low: { small: 0.5, large: 0.05 }, high: { small: 2.5, large: 7 } } as const;
/** An earlier snapshot of the same program tells its shape; the heap may still have changed. */
const learnedMargin = { low: 0.7, high: 1.5 } as const;

interface Range {
  readonly low: number;
  readonly high: number;
}

export interface ForecastInput {
  readonly targetId: string;
  readonly thread: string;
  readonly memory: MemoryReading;
  readonly earlier: SnapshotRecord | undefined;
  readonly livenessBudgetMs: number;
}

/**
 * The range of what a snapshot would cost. The file's cost follows nodes and edges, which nobody knows beforehand, so one number would be
 * a guess; allowed is what fits at its high end.
 */
export function forecastSnapshot(input: ForecastInput): SnapshotForecast {
  const { memory, earlier, livenessBudgetMs } = input;
  const small = memory.oldSpaceBytes + memory.newSpaceBytes;
  const range = (by: typeof extra | typeof pauseMsPerMiB | typeof file, unit: number): Range => ({
    low: Math.round((by.low.small * memory.oldSpaceBytes + by.low.large * memory.largeObjectBytes) / unit),
    high: Math.round((by.high.small * small + by.high.large * memory.largeObjectBytes) / unit),
  });
  const learned = (actual: number | null | undefined): Range | undefined => {
    if (actual === null || actual === undefined || earlier === undefined) return undefined;
    if (!isComparable(earlier, memory)) return undefined;
    const now = (actual / earlier.heapUsedBytes) * memory.heapUsedBytes;
    return { low: Math.round(now * learnedMargin.low), high: Math.round(now * learnedMargin.high) };
  };
  const learnedExtra = learned(earlier?.actualExtraBytes);
  const predictedExtraBytes = learnedExtra ?? range(extra, 1);
  const predictedPauseMs = learned(earlier?.actualPauseMs) ?? range(pauseMsPerMiB, MiB);
  const predictedFileBytes = learned(earlier?.fileBytes) ?? range(file, 1);
  const limit = limitOf(memory);
  const neededLimitBytes = Math.ceil((memory.rssBytes + predictedExtraBytes.high) / MiB) * MiB;
  const refusal = reasonToRefuse({ limit, predictedExtraBytes, predictedPauseMs, livenessBudgetMs });
  return {
    targetId: input.targetId,
    thread: input.thread,
    verdict: refusal === undefined ? 'allow' : 'refuse',
    reason: refusal ?? reasonToAllow(limit, predictedExtraBytes),
    heapUsedBytes: memory.heapUsedBytes,
    oldSpaceBytes: memory.oldSpaceBytes,
    largeObjectBytes: memory.largeObjectBytes,
    rssBytes: memory.rssBytes,
    predictedExtraBytes,
    predictedPeakBytes: {
      low: memory.rssBytes + predictedExtraBytes.low,
      high: memory.rssBytes + predictedExtraBytes.high,
    },
    predictedPauseMs,
    predictedFileBytes,
    basis: learnedExtra === undefined ? 'worst-case' : 'earlier-snapshot',
    limit,
    livenessBudgetMs,
    neededLimitBytes,
    alternatives: alternatives(input, neededLimitBytes),
  };
}

/** Small heaps are mostly overhead, and a heap that has grown a lot has grown by something else. */
function isComparable(earlier: SnapshotRecord, memory: MemoryReading): boolean {
  return earlier.heapUsedBytes > 20 * MiB && memory.heapUsedBytes < 3 * earlier.heapUsedBytes;
}

function limitOf(memory: MemoryReading): SnapshotForecast['limit'] {
  const { constrainedBytes, hostFreeBytes, rssBytes } = memory;
  if (constrainedBytes !== null) {
    return { bytes: constrainedBytes, source: 'container', headroomBytes: Math.max(0, constrainedBytes - rssBytes) };
  }
  return { bytes: null, source: 'host-free', headroomBytes: hostFreeBytes };
}

function reasonToRefuse(known: {
  limit: SnapshotForecast['limit'];
  predictedExtraBytes: Range;
  predictedPauseMs: Range;
  livenessBudgetMs: number;
}): string | undefined {
  const { limit, predictedExtraBytes: more, predictedPauseMs: pause, livenessBudgetMs } = known;
  const headroom = limit.headroomBytes ?? 0;
  const where = limit.source === 'container' ? 'under its memory limit' : 'of free memory on the host';
  if (headroom < more.low) {
    return `it needs at least ${mib(more.low)} more memory and there are ${mib(headroom)} ${where}: the target would be killed`;
  }
  if (headroom < more.high) {
    return `it needs between ${mib(more.low)} and ${mib(more.high)} more memory and there are ${mib(headroom)} ${where}: the target might be killed`;
  }
  if (pause.high > livenessBudgetMs) {
    return `it pauses the target for ${seconds(pause.low)} to ${seconds(pause.high)}, and the liveness budget is ${seconds(livenessBudgetMs)}`;
  }
  return undefined;
}

function reasonToAllow(limit: SnapshotForecast['limit'], more: Range): string {
  const headroom = mib(limit.headroomBytes ?? 0);
  return limit.source === 'container'
    ? `at most ${mib(more.high)} more memory, with ${headroom} left under the limit`
    : `at most ${mib(more.high)} more memory; the target has no limit of its own and the host has ${headroom} free`;
}

function alternatives({ targetId, thread }: ForecastInput, neededLimitBytes: number): SnapshotForecast['alternatives'] {
  const limit = `${Math.ceil(neededLimitBytes / MiB)}Mi`;
  const patch = JSON.stringify({ spec: { containers: [{ name: 'APP', resources: { limits: { memory: limit } } }] } });
  const query = `target=${encodeURIComponent(targetId)}&thread=${encodeURIComponent(thread)}`;
  const post = (path: string): string =>
    `curl -X POST -H "Authorization: Bearer $TOKEN" "$SIDESCOPE/api/v1/profiling/${path}"`;
  return [
    { title: 'Heap sampling instead: no pause, names what allocates', command: post(`heap/sampling/start?${query}`) },
    {
      title: 'Give the pod room first, in place (Kubernetes >= 1.33)',
      command: `kubectl patch pod "$POD" --subresource resize --patch '${patch}'`,
    },
    {
      title: 'Take the pod out of its Service first (its label; a new pod replaces it)',
      command: 'kubectl label pod "$POD" app=quarantine --overwrite',
    },
    { title: 'Take it all the same: the target may pause, or die', command: post(`heap/snapshot?${query}&force=true`) },
  ];
}

const mib = (bytes: number): string =>
  bytes < 1024 * MiB ? `${Math.round(bytes / MiB)} MiB` : `${(bytes / MiB / 1024).toFixed(1)} GiB`;
const seconds = (ms: number): string => `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
