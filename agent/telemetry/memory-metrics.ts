import { Counter, Histogram, type Registry } from 'prom-client';

/** Of the memory monitor, the search for leaks, and the deaths. */
export function createMemoryMetrics(registers: Registry[]) {
  return {
    deathsTotal: new Counter({
      name: 'sidescope_deaths_total',
      help: 'Ends of targets, by what ended them.',
      labelNames: ['target', 'cause'],
      registers,
    }),
    leakVerdictsTotal: new Counter({
      name: 'sidescope_leak_verdicts_total',
      help: 'Changes of verdicts about pools of memory, by the new one: settled, suspect, leak.',
      labelNames: ['target', 'pool', 'verdict'],
      registers,
    }),
    heapReadingsTotal: new Counter({
      name: 'sidescope_heap_readings_total',
      help: 'Readings of the heap sampler that the agent started by itself, by cause; skipped: the budget of pauses was spent.',
      labelNames: ['cause', 'result'],
      registers,
    }),
    heapReadingPauseSeconds: new Histogram({
      name: 'sidescope_heap_reading_pause_seconds',
      help: 'Pause of the target for the collection that each of them forces.',
      buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers,
    }),
    heapSamplingGapsTotal: new Counter({
      name: 'sidescope_heap_sampling_gaps_total',
      help: "Times without the agent's own heap sampling because a capture had the sampler.",
      labelNames: ['target'],
      registers,
    }),
    heapSamplingGapSecondsTotal: new Counter({
      name: 'sidescope_heap_sampling_gap_seconds_total',
      help: 'How long they were.',
      labelNames: ['target'],
      registers,
    }),
    recordsEvictedTotal: new Counter({
      name: 'sidescope_records_evicted_total',
      help: 'Records (alerts, deaths, leaks and others) that made room for newer ones of their kind.',
      labelNames: ['kind'],
      registers,
    }),
  };
}
