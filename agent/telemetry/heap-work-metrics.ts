import { Counter } from 'prom-client';
import type { Registry } from 'prom-client';

/** Of what the agent does with heap snapshots in processes of their own. */
export function createHeapWorkMetrics(registers: Registry[]) {
  return {
    heapAnalysesTotal: new Counter({
      name: 'sidescope_heap_analyses_total',
      help: 'Analyses of heap snapshots, by result: ok, aborted, or the code of what went wrong or refused them.',
      labelNames: ['result'],
      registers,
    }),
    heapAnalysisSecondsTotal: new Counter({
      name: 'sidescope_heap_analysis_seconds_total',
      help: 'Time that analyses of heap snapshots took, however they ended.',
      registers,
    }),
    redactionsTotal: new Counter({
      name: 'sidescope_redactions_total',
      help: 'Redactions of heap snapshots, by result: ok, aborted, or the code of what went wrong or refused them.',
      labelNames: ['result'],
      registers,
    }),
    redactionSecondsTotal: new Counter({
      name: 'sidescope_redaction_seconds_total',
      help: 'Time that redactions of heap snapshots took, with what their readers let them wait.',
      registers,
    }),
  };
}

interface Tally {
  readonly results: ReadonlyMap<string, number>;
  readonly totalMs: number;
}

/** Read when they are scraped. */
export function observeHeapWork(
  metrics: ReturnType<typeof createHeapWorkMetrics>,
  { analyses, redactions }: { analyses: Tally; redactions: Tally },
): void {
  readAtScrape({ total: metrics.heapAnalysesTotal, seconds: metrics.heapAnalysisSecondsTotal, tally: analyses });
  readAtScrape({ total: metrics.redactionsTotal, seconds: metrics.redactionSecondsTotal, tally: redactions });
}

function readAtScrape({ total, seconds, tally }: { total: Counter<'result'>; seconds: Counter; tally: Tally }): void {
  // prom-client has no collect hook after construction other than this property.
  Object.assign(total, {
    collect() {
      total.reset();
      for (const [result, count] of tally.results) total.inc({ result }, count);
    },
  });
  Object.assign(seconds, {
    collect() {
      seconds.reset();
      seconds.inc(tally.totalMs / 1_000);
    },
  });
}
