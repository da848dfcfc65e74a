import { pointOfVitals } from '../../dashboard/model/history.ts';
import type { VitalsHistory } from '../../protocol/rest/vitals.ts';
import { sampleVitals } from './samples.ts';

const MiB = 1024 * 1024;
const points = 180;

/** A process that breathes: memory as a saw, a busy minute in the middle. The same for the same times. */
export function sampleHistory(search: URLSearchParams): VitalsHistory {
  const fromMs = Date.parse(search.get('from') ?? '');
  const toMs = Date.parse(search.get('to') ?? '');
  const stepMs = Math.max(5_000, Math.round((toMs - fromMs) / points / 1_000) * 1_000);
  const { values } = pointOfVitals(sampleVitals(), 5_000);
  return {
    targetId: search.get('target') ?? 't1',
    from: new Date(fromMs).toISOString(),
    to: new Date(toMs).toISOString(),
    stepMs,
    latest: null,
    points: Array.from({ length: Math.floor((toMs - fromMs) / stepMs) }, (_, index) => {
      const share = index / points;
      const isBusy = share > 0.6 && share < 0.68;
      return {
        ...values,
        at: new Date(fromMs + index * stepMs).toISOString(),
        readings: 1,
        failed: 0,
        heapUsedBytes: (60 + (index % 24) * 2 + share * 40) * MiB,
        rssBytes: (180 + share * 60) * MiB,
        containerBytes: (190 + share * 60) * MiB,
        cpuUserCores: isBusy ? 0.92 : 0.2 + 0.1 * Math.sin(index / 5),
        cpuMainCores: isBusy ? 0.9 : 0.18 + 0.1 * Math.sin(index / 5),
        utilization: isBusy ? 0.98 : 0.24 + 0.1 * Math.sin(index / 5),
        delayP99Ms: isBusy ? 940 : 9 + 3 * Math.sin(index),
        delayMaxMs: isBusy ? 3_100 : 20 + 8 * Math.sin(index),
        gcRatio: 0.004 + 0.002 * Math.sin(index / 3),
      };
    }),
  };
}
