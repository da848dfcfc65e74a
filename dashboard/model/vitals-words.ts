import type { Stall } from '../../protocol/rest/stalls.ts';
import type { Vitals } from '../../protocol/rest/vitals.ts';
import { formatBytes, formatDuration, formatShare, plural } from '../format.ts';

/** The live numbers of a target, in pairs of name and value; what is not known is left out. */
export function vitalsRows(vitals: Vitals): (readonly [name: string, value: string | null])[] {
  const { memory, cpu, loop, gc, cgroup } = vitals;
  const container = cgroup?.memoryCurrentBytes ?? null;
  return [
    ['CPU', cores(cpu)],
    ['Heap', ofLimit(memory.heapUsedBytes, memory.heapLimitBytes)],
    ['RSS', ofLimit(memory.rssBytes, container === null ? memory.containerLimitBytes : null)],
    ['Container', memory.containerLimitBytes === null ? null : ofLimit(container, memory.containerLimitBytes)],
    ['External', bytes(memory.externalBytes)],
    ['Event loop', loop.utilization === null ? null : `${formatShare(loop.utilization)} busy`],
    ['Delay p99', loop.delayP99Ms === null ? null : formatDuration(loop.delayP99Ms)],
    ['Longest delay', loop.delayMaxMs === null ? null : formatDuration(loop.delayMaxMs)],
    ['GC', gc === null ? null : `${formatDuration(gc.pauseMs)} in ${plural(gc.count, 'collection')}`],
    ['Throttled', cgroup?.throttledRatio ? formatShare(cgroup.throttledRatio) : null],
    ['Load of the node', vitals.nodeLoad === null ? null : vitals.nodeLoad.map((load) => load.toFixed(1)).join(', ')],
  ];
}

/** `spinUntil (server.js:12)`: where a stall was, or null. */
export function stallPlace({ dominant }: Stall): string | null {
  if (dominant === null) return null;
  const { functionName, url, lineNumber } = dominant.original ?? dominant;
  return `${functionName || '(anonymous)'} (${url.split('/').at(-1) ?? ''}:${lineNumber})`;
}

/** `blocked for 3.1 s`, `worker-2 blocked for 3.1 s so far`; `late by 3.1 s` where the machine had no CPU for it. */
export function stallLength({ kind, thread, state, durationMs, verdict }: Stall): string {
  const length = formatDuration(durationMs);
  const who = thread === 'main' ? '' : `${thread} `;
  const what = verdict === 'starved' && kind === 'blocked' ? 'late by' : `${kind} for`;
  return `${who}${what} ${length}${state === 'ongoing' ? ' so far' : state === 'cut' ? ', then cut off' : ''}`;
}

const certainty = {
  javascript: null,
  native: 'native work, in or just before',
  stopped: 'stopped by a signal',
  starved: 'waiting for a CPU',
  unknown: 'nothing told by what',
} as const satisfies Record<Stall['verdict'], string | null>;

/** What has to be said before the place; null when the place itself is certain. */
export function stallVerdict({ verdict, dominant }: Stall): string | null {
  if (verdict === 'native' && dominant === null) return 'native work';
  if (verdict === 'native' && dominant?.from === 'cpu-profile') return 'native work in';
  if (verdict === 'starved' && dominant !== null) return 'waiting for a CPU; what it ran was mostly';
  return certainty[verdict];
}

function cores({ userCores, systemCores, mainCores }: Vitals['cpu']): string | null {
  if (userCores === null || systemCores === null) return null;
  const main = mainCores === null ? '' : `, main thread ${formatShare(mainCores)}`;
  return `${formatShare(userCores + systemCores)} of a core${main}`;
}

function ofLimit(value: number | null, limit: number | null): string | null {
  if (value === null) return null;
  return limit === null || limit === 0
    ? formatBytes(value)
    : `${formatBytes(value)} of ${formatBytes(limit)} (${formatShare(value / limit)})`;
}

function bytes(value: number | null): string | null {
  return value === null ? null : formatBytes(value);
}
