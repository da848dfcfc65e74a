import type { RequestHistory } from '../requests/request-history.ts';
import type { TraceStore } from '../requests/trace-store.ts';
import type { Metrics } from './metrics.ts';

/** Read when they are scraped: spans come by the thousand. */
export function observeTraces(
  metrics: Metrics,
  { sink: traces, history }: { readonly sink: TraceStore; readonly history: Pick<RequestHistory, 'left'> },
): void {
  // prom-client has no collect hook after construction other than this property.
  Object.assign(metrics.spansTotal, {
    collect() {
      const { spans, duplicates, droppedSpans, cutSpans } = traces.counts;
      metrics.spansTotal.reset();
      metrics.spansTotal.inc({ result: 'kept' }, spans - duplicates - droppedSpans);
      metrics.spansTotal.inc({ result: 'duplicate' }, duplicates);
      metrics.spansTotal.inc({ result: 'over-trace-bound' }, droppedSpans);
      metrics.spansCutTotal.reset();
      metrics.spansCutTotal.inc(cutSpans);
    },
  });
  Object.assign(metrics.requestsTotal, {
    collect() {
      const { requests, failed } = traces.counts;
      metrics.requestsTotal.reset();
      metrics.requestsTotal.inc({ result: 'ok' }, requests - failed);
      metrics.requestsTotal.inc({ result: 'failed' }, failed);
    },
  });
  Object.assign(metrics.traceStoreBytes, {
    collect() {
      metrics.traceStoreBytes.set(traces.bytes);
      metrics.traceStoreTraces.set(traces.size);
      metrics.tracesEvictedTotal.reset();
      metrics.tracesEvictedTotal.inc(traces.counts.evictedTraces);
      metrics.spanNamesOverflowedTotal.reset();
      metrics.spanNamesOverflowedTotal.inc({ table: 'operations' }, traces.statistics.operations.overflowed);
      metrics.spanNamesOverflowedTotal.inc({ table: 'routes' }, traces.statistics.routes.overflowed);
    },
  });
  Object.assign(metrics.requestHistoryLeftTotal, {
    collect() {
      metrics.requestHistoryLeftTotal.reset();
      metrics.requestHistoryLeftTotal.inc({ reason: 'late' }, history.left.late);
      metrics.requestHistoryLeftTotal.inc({ reason: 'targets' }, history.left.targets);
      metrics.requestHistoryLeftTotal.inc({ reason: 'clock' }, history.left.clock);
    },
  });
}
