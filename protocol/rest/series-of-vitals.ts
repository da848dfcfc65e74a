import type { SeriesValues, Vitals } from './vitals.ts';

/** The numbers of one reading that are kept. `elapsedMs` is what its rates are of. */
export function seriesOf(vitals: Vitals, elapsedMs: number): SeriesValues {
  const { memory, cpu, loop, gc, cgroup, nodeLoad } = vitals;
  const cores = cpu.userCores === null || cpu.systemCores === null ? null : cpu.userCores + cpu.systemCores;
  return {
    rssBytes: memory.rssBytes,
    rssMaxBytes: memory.rssBytes,
    heapUsedBytes: memory.heapUsedBytes,
    heapUsedMaxBytes: memory.heapUsedBytes,
    heapTotalBytes: memory.heapTotalBytes,
    heapLimitBytes: memory.heapLimitBytes,
    externalBytes: memory.externalBytes,
    arrayBuffersBytes: memory.arrayBuffersBytes,
    containerBytes: cgroup?.memoryCurrentBytes ?? null,
    containerLimitBytes: memory.containerLimitBytes,
    cpuUserCores: cpu.userCores,
    cpuSystemCores: cpu.systemCores,
    cpuMainCores: cpu.mainCores,
    cpuMaxCores: cores,
    utilization: loop.utilization,
    delayMeanMs: loop.delayMeanMs,
    delayP99Ms: loop.delayP99Ms,
    delayMaxMs: loop.delayMaxMs,
    gcRatio: gc === null ? null : gc.pauseMs / elapsedMs,
    gcPerSecond: gc === null ? null : (gc.count * 1000) / elapsedMs,
    throttledRatio: cgroup?.throttledRatio ?? null,
    nodeLoad1: nodeLoad?.[0] ?? null,
  };
}
