import type { Vitals } from '../../protocol/rest/vitals.ts';
import { medianOf } from '../../protocol/trend/growth-trend.ts';
import { poolSample } from '../memory/pools.ts';

/** What the readings of a window come to, but for the CPU time: that is of the time between them. Windows of one process, in order. */
export class VitalsValues {
  /** Lowest since the last collection of the whole heap: what comes on top until the next one may be garbage. */
  readonly #floors: { heap?: number; external?: number; rss?: number } = {};

  /** By measure; what could not be had is not there. */
  of(readings: readonly Vitals[]): Readonly<Record<string, number>> {
    const samples = readings.map((vitals) => ({ vitals, sample: poolSample(vitals, null) }));
    const isObserved = samples.some(({ sample }) => sample.isCollected !== undefined);
    const collected = samples.filter(({ sample }) => sample.isCollected === true);
    const lowest = (of: (sample: (typeof samples)[number]) => number | null, known: number | undefined) => {
      const values = (list: typeof samples): number[] => list.map(of).filter((value) => value !== null);
      if (collected.length > 0) return least(values(collected));
      const seen = least(values(samples));
      return isObserved && known !== undefined ? Math.min(known, seen ?? known) : seen;
    };
    const heap = lowest(({ sample }) => sample.bytes.heap, this.#floors.heap);
    const rss = lowest(({ vitals }) => vitals.memory.rssBytes, this.#floors.rss);
    const external = lowest(({ sample }) => sample.bytes.external, this.#floors.external);
    if (heap !== undefined) this.#floors.heap = heap;
    if (external !== undefined) this.#floors.external = external;
    if (rss !== undefined) this.#floors.rss = rss;
    const numbers = (of: (vitals: Vitals) => number | null | undefined): number[] =>
      readings.map(of).filter((value) => typeof value === 'number');
    const [load1, load5, load15] = readings.findLast(({ nodeLoad }) => nodeLoad !== null)?.nodeLoad ?? [];
    return known({
      'heap-floor': heap,
      'external-floor': external,
      rss,
      utilization: mean(numbers(({ loop }) => loop.utilization)),
      'delay-p99': median(numbers(({ loop }) => loop.delayP99Ms)),
      throttled: mean(numbers(({ cgroup }) => cgroup?.throttledRatio)),
      starved: mean(numbers(({ cpu }) => cpu.starvedRatio)),
      'load-average-1': load1,
      'load-average-5': load5,
      'load-average-15': load15,
    });
  }
}

function least(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : Math.min(...values);
}

function mean(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function median(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : medianOf(values);
}

function known(values: Readonly<Record<string, number | undefined>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, number] => Number.isFinite(entry[1])),
  );
}
