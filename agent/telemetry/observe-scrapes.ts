import type { Scrape } from '../../protocol/rest/series.ts';
import type { Metrics } from './metrics.ts';

interface ObservedScrapes {
  readonly series: {
    on(event: 'scrape', listener: (scrape: Scrape) => void): unknown;
    off(event: 'scrape', listener: (scrape: Scrape) => void): unknown;
  };
  readonly pauseMs: number;
  readonly passed: Readonly<Record<string, number>>;
}

/** What reading the target's metrics page costs, and what came of it. */
export function observeScrapes(metrics: Metrics, targetMetrics: ObservedScrapes): Disposable {
  const onScrape = ({ by, error, durationMs, sizeBytes, series, omitted }: Scrape): void => {
    metrics.scrapesTotal.inc({ by, result: error?.code ?? 'ok' });
    metrics.scrapeDurationSeconds.observe({ by }, durationMs / 1000);
    if (error !== null) return;
    metrics.scrapeBytes.set(sizeBytes);
    metrics.scrapeSeries.set({ state: 'kept' }, series - omitted);
    metrics.scrapeSeries.set({ state: 'omitted' }, omitted);
  };
  targetMetrics.series.on('scrape', onScrape);
  // prom-client has no collect hook after construction other than this property.
  Object.assign(metrics.scrapeIntervalSeconds, {
    collect() {
      metrics.scrapeIntervalSeconds.set(targetMetrics.pauseMs / 1000);
      metrics.targetMetricsRequestsTotal.reset();
      for (const [result, count] of Object.entries(targetMetrics.passed))
        metrics.targetMetricsRequestsTotal.inc({ result }, count);
    },
  });
  return { [Symbol.dispose]: () => void targetMetrics.series.off('scrape', onScrape) };
}
