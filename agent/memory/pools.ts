import type { LeakPool } from '../../protocol/rest/leaks.ts';
import type { Vitals, VitalsPoint } from '../../protocol/rest/vitals.ts';
import { isStarved } from '../vitals/starved.ts';
import type { LimitUses } from './nearer-limit.ts';

/** What one reading says about the pools of memory; null what it does not say. */
export interface PoolSample {
  readonly atMs: number;
  readonly bytes: Readonly<Record<LeakPool, number | null>>;
  /** Share of the time that the loop was busy with other things than collections. */
  readonly load: number | null;
  /** V8 collected the whole heap since the reading before. Undefined: not observed. */
  readonly isCollected: boolean | undefined;
  /** The program waited for a CPU for a third of the time that it wanted one, or more. */
  readonly isStarved: boolean;
  readonly limits: PoolLimits;
}

export interface PoolLimits {
  readonly heapLimitBytes: number | null;
  readonly containerLimitBytes: number | null;
  /** What counts against the container's limit. */
  readonly containerBytes: number | null;
}

/** Those that can be believed; what cannot is as good as unknown. */
export function limitsOf({ uses }: LimitUses): PoolLimits {
  const heap = uses.find(({ pool }) => pool === 'heap');
  const container = uses.find(({ pool }) => pool === 'container');
  return {
    heapLimitBytes: heap?.limitBytes ?? null,
    containerLimitBytes: container?.limitBytes ?? null,
    containerBytes: container?.usedBytes ?? null,
  };
}

/** `elapsedMs`: since the reading before, null for the first one. */
export function poolSample(vitals: Vitals, elapsedMs: number | null): Omit<PoolSample, 'limits'> {
  const { memory, gc, loop, threads, cpu } = vitals;
  const { heapUsedBytes, heapTotalBytes, rssBytes } = memory;
  const external = highest(memory.externalBytes, memory.arrayBuffersBytes);
  const workersBytes = threads.reduce((sum, thread) => sum + (thread.heapTotalBytes ?? 0), 0);
  const known = heapTotalBytes === null || external === null ? null : heapTotalBytes + external + workersBytes;
  const gcShare = gc === null || elapsedMs === null || elapsedMs <= 0 ? 0 : gc.pauseMs / elapsedMs;
  return {
    atMs: Date.parse(vitals.at),
    bytes: {
      heap: heapUsedBytes === null ? null : heapUsedBytes - youngBytes(memory.spaces),
      external,
      native: rssBytes === null || known === null ? null : Math.max(0, rssBytes - known),
    },
    load: loop.utilization === null ? null : Math.max(0, loop.utilization - gcShare),
    isCollected: gc === null ? undefined : gc.kinds.some(({ kind, count }) => kind === 'MarkSweepCompact' && count > 0),
    isStarved: isStarved(cpu.starvedRatio),
  };
}

/** The same from the history, which knows of no collections and no spaces. */
export function sampleOfPoint(point: VitalsPoint): PoolSample {
  const { heapUsedBytes, heapTotalBytes, rssBytes, utilization, gcRatio } = point;
  const external = highest(point.externalBytes, point.arrayBuffersBytes);
  const known = heapTotalBytes === null || external === null ? null : heapTotalBytes + external;
  return {
    atMs: Date.parse(point.at),
    bytes: {
      heap: heapUsedBytes,
      external,
      native: rssBytes === null || known === null ? null : Math.max(0, rssBytes - known),
    },
    load: utilization === null ? null : Math.max(0, utilization - (gcRatio ?? 0)),
    isCollected: undefined,
    isStarved: false,
    limits: {
      heapLimitBytes: point.heapLimitBytes,
      containerLimitBytes: point.containerLimitBytes,
      containerBytes: point.containerBytes ?? rssBytes,
    },
  };
}

/** What was allocated since the last minor collection is mostly garbage, and up to 32 MB of noise. */
function youngBytes(spaces: Vitals['memory']['spaces']): number {
  return spaces
    .filter(({ name }) => name === 'new_space' || name === 'new_large_object_space')
    .reduce((sum, { usedBytes }) => sum + usedBytes, 0);
}

function highest(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.max(a, b);
}
