import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';

/** Of reading the target's own metrics page. */
export function createScrapeMetrics(registers: Registry[]) {
  return {
    scrapesTotal: new Counter({
      name: 'sidescope_scrapes_total',
      help: "Readings of the target's metrics page, by who asked for it and by result: ok, or a problem code.",
      labelNames: ['by', 'result'],
      registers,
    }),
    scrapeDurationSeconds: new Histogram({
      name: 'sidescope_scrape_duration_seconds',
      help: 'From the request to the last byte: the most that a reading can have cost the target.',
      labelNames: ['by'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
    scrapeBytes: new Gauge({ name: 'sidescope_scrape_bytes', help: 'Size of the last page.', registers }),
    scrapeSeries: new Gauge({
      name: 'sidescope_scrape_series',
      help: 'Series of the last page: kept, or omitted as beyond the number that is kept.',
      labelNames: ['state'],
      registers,
    }),
    scrapeIntervalSeconds: new Gauge({
      name: 'sidescope_scrape_interval_seconds',
      help: 'Between two readings at present: longer than the option while the page is slow; 0 without a page.',
      registers,
    }),
    targetMetricsRequestsTotal: new Counter({
      name: 'sidescope_target_metrics_requests_total',
      help: 'Answers of /target-metrics, by result: ok, failed, refused.',
      labelNames: ['result'],
      registers,
    }),
  };
}
