import type { Stall } from '../../protocol/rest/stalls.ts';
import type { Target } from '../../protocol/rest/target.ts';
import type { Vitals } from '../../protocol/rest/vitals.ts';
import type { Metrics } from './metrics.ts';

export interface ObservedMonitor {
  on(event: 'vitals', listener: (vitals: Vitals) => void): unknown;
  on(event: 'stall-ended', listener: (stall: Stall) => void): unknown;
  off(event: 'vitals', listener: (vitals: Vitals) => void): unknown;
  off(event: 'stall-ended', listener: (stall: Stall) => void): unknown;
}

interface ObservedTargets {
  on(event: 'change', listener: (target: Target) => void): unknown;
  off(event: 'change', listener: (target: Target) => void): unknown;
}

/** The last reading of each target as metrics, for as long as it is attached: an old value would look like a present one. */
export function observeMonitor(
  metrics: Metrics,
  { targets, monitor }: { targets: ObservedTargets; monitor: ObservedMonitor },
): Disposable {
  const onVitals = (vitals: Vitals): void => setVitals(metrics, vitals);
  const onStall = ({ targetId: target, thread, kind: ofMain, durationMs }: Stall): void => {
    const kind = thread === 'main' ? ofMain : 'worker-blocked';
    metrics.stallsTotal.inc({ target, kind });
    metrics.stallSecondsTotal.inc({ target, kind }, durationMs / 1000);
  };
  const onTarget = ({ id, state }: Target): void => {
    if (state.state === 'detached') removeVitals(metrics, id);
  };
  monitor.on('vitals', onVitals);
  monitor.on('stall-ended', onStall);
  targets.on('change', onTarget);
  return {
    [Symbol.dispose]() {
      monitor.off('vitals', onVitals);
      monitor.off('stall-ended', onStall);
      targets.off('change', onTarget);
    },
  };
}

const memoryKinds = {
  rss: 'rssBytes',
  heap_used: 'heapUsedBytes',
  heap_limit: 'heapLimitBytes',
  external: 'externalBytes',
  container_limit: 'containerLimitBytes',
} as const satisfies Record<string, keyof Vitals['memory']>;

function setVitals(metrics: Metrics, { targetId: target, error, memory, cpu, loop, gc, omittedThreads }: Vitals): void {
  if (error !== null) metrics.vitalsFailedTotal.inc({ target });
  for (const [kind, name] of Object.entries(memoryKinds)) {
    const bytes = memory[name];
    if (bytes === null) metrics.targetMemoryBytes.remove({ target, kind });
    else metrics.targetMemoryBytes.set({ target, kind }, bytes);
  }
  const { userCores, systemCores } = cpu;
  const cores = userCores === null || systemCores === null ? null : userCores + systemCores;
  const gauges = [
    [metrics.targetCpuCores, cores],
    [metrics.targetLoopUtilization, loop.utilization],
    [metrics.targetWorkersOmitted, omittedThreads],
    [metrics.targetLoopDelaySeconds, loop.delayP99Ms === null ? null : loop.delayP99Ms / 1000],
  ] as const;
  for (const [gauge, value] of gauges) {
    if (value === null) gauge.remove({ target });
    else gauge.set({ target }, value);
  }
  if (gc !== null) metrics.targetGcSecondsTotal.inc({ target }, gc.pauseMs / 1000);
}

function removeVitals(metrics: Metrics, target: string): void {
  for (const kind of Object.keys(memoryKinds)) metrics.targetMemoryBytes.remove({ target, kind });
  const { targetCpuCores, targetLoopUtilization, targetLoopDelaySeconds, targetWorkersOmitted } = metrics;
  for (const gauge of [targetCpuCores, targetLoopUtilization, targetLoopDelaySeconds, targetWorkersOmitted])
    gauge.remove({ target });
}
