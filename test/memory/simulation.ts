import { EventEmitter } from 'node:events';
import { LeakDetector } from '../../agent/memory/leak-detector.ts';
import type { SearchService } from '../../agent/memory/suspicion-search.ts';
import type { Condition } from '../../agent/alerts/condition.ts';
import { indexInMemory } from '../../agent/vitals/history.ts';
import type { LeakVerdict } from '../../protocol/rest/leaks.ts';
import type { Vitals, VitalsPoint } from '../../protocol/rest/vitals.ts';
import { SimulatedProcess, type ProcessShape } from './simulated-process.ts';

export interface SimulationResult {
  /** Every change of a verdict, with the hour of the process's life. */
  readonly changes: readonly { readonly hour: number; readonly verdict: LeakVerdict }[];
  readonly raised: readonly Condition[];
  readonly readings: number;
}

/** The real detector over a process that there is not, on a clock that there is not: readings every 5 s for `hours`. */
export async function simulate(
  shape: ProcessShape,
  options: {
    hours: number;
    /** What an earlier agent left in its history: this one starts then. */
    attachedAtHour?: number | undefined;
    /** Its history is there. */
    isRecalled?: boolean | undefined;
    /** By how much the wall clock is wrong at a time of the process's life. */
    clockErrorMs?: ((atMs: number) => number) | undefined;
  },
): Promise<SimulationResult> {
  const { hours, attachedAtHour = 0, isRecalled = false, clockErrorMs = () => 0 } = options;
  const startMs = Date.parse('2026-01-05T00:00:00Z');
  const process = new SimulatedProcess(shape);
  const monitor = new EventEmitter<{ vitals: [Vitals] }>();
  const changes: { hour: number; verdict: LeakVerdict }[] = [];
  const raised: Condition[] = [];
  let readings = 0;
  const points: VitalsPoint[] = [];
  let nowMs = startMs;
  const search = Object.assign(new EventEmitter(), {
    begin: () => Promise.resolve(),
    read: (targetId: string) => {
      readings++;
      process.isCollectionForced = true;
      const reading = {
        instanceId: targetId,
        at: new Date(nowMs).toISOString(),
        forMs: 1,
        liveBytes: 0,
        sites: [],
        costMs: 50,
      };
      return Promise.resolve(reading);
    },
    latest: () => undefined,
    end: () => Promise.resolve(),
  }) as unknown as SearchService;
  using index = indexInMemory();
  await using detector = new LeakDetector({
    monitor: Object.assign(monitor, { vitals: () => ({ points: isRecalled ? points : [] }) }),
    search,
    alerts: { raise: (condition) => void raised.push(condition), settle: () => undefined },
    index,
    now: () => nowMs,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  });
  detector.on('verdict', (verdict) => changes.push({ hour: (nowMs - startMs) / 3_600_000, verdict }));
  for (let atMs = 5_000; atMs <= hours * 3_600_000; atMs += 5_000) {
    nowMs = startMs + atMs;
    const vitals = process.read(atMs, startMs);
    points.push(pointOf(vitals));
    if (atMs < attachedAtHour * 3_600_000) continue;
    monitor.emit('vitals', { ...vitals, at: new Date(nowMs + clockErrorMs(atMs)).toISOString() });
    // What the detector asked of the search.
    while (detector.isSearching('target')) await Promise.resolve();
  }
  return { changes, raised, readings };
}

function pointOf({ at, memory, loop, gc }: Vitals): VitalsPoint {
  const { spaces: _, ...bytes } = memory;
  return {
    at,
    readings: 1,
    failed: 0,
    ...bytes,
    containerBytes: memory.rssBytes,
    utilization: loop.utilization,
    gcRatio: gc === null ? null : gc.pauseMs / 5_000,
  } as unknown as VitalsPoint;
}
