import type { ProfilingContext } from '../requests/profiling-context.ts';
import type { Metrics } from './metrics.ts';

export function observeSpanReadings(metrics: Metrics, { counts }: Pick<ProfilingContext, 'counts'>): void {
  // prom-client has no collect hook after construction other than this property.
  Object.assign(metrics.spanReadingsTotal, {
    collect() {
      metrics.spanReadingsTotal.reset();
      for (const [result, count] of Object.entries(counts)) metrics.spanReadingsTotal.inc({ result }, count);
    },
  });
}
