import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { RequestStats } from '../requests/requests.ts';

/** What comes by OTLP and goes on. */
export function createOtlpMetrics(registers: Registry[]) {
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Counter({ name: `sidescope_otlp_${name}_total`, help, labelNames, registers });
  const gauge = (name: string, help: string) => new Gauge({ name: `sidescope_otlp_${name}`, help, registers });
  return {
    otlpRequestsTotal: counter('requests', 'Answered requests, by signal and HTTP status.', ['signal', 'status']),
    otlpSpansTotal: counter('spans', 'Received spans: accepted, or rejected for their ids or length.', ['result']),
    otlpCutTotal: counter(
      'cut',
      'Strings cut and values left out of kept spans, for length and number; what is forwarded has all of it.',
      ['what'],
    ),
    otlpUnforwardedTotal: counter('unforwarded', 'Requests dropped as there is no upstream for them.', ['signal']),
    otlpHeldBytes: gauge('held_bytes', 'Bodies that are being received or wait to be decoded.'),
    otlpForwardQueueBytes: gauge('forward_queue_bytes', 'Bodies that wait for the upstream.'),
    otlpForwardQueueRequests: gauge(
      'forward_queue_requests',
      'Requests that wait for the upstream or are on their way.',
    ),
    otlpForwardedRequestsTotal: counter('forwarded_requests', 'Requests that the upstream took.'),
    otlpForwardedSpansTotal: counter('forwarded_spans', 'Spans that the upstream took.'),
    otlpForwardRetriesTotal: counter('forward_retries', 'Attempts that failed and were tried again.'),
    otlpForwardDroppedRequestsTotal: counter(
      'forward_dropped_requests',
      'Requests that did not reach the upstream, by reason: queue-full, refused, expired, shutdown; rejected: only some of its spans.',
      ['reason'],
    ),
    otlpForwardDroppedSpansTotal: counter('forward_dropped_spans', 'Their spans.', ['reason']),
  };
}

/** Read when they are scraped: the parts count for themselves. */
export function observeOtlp(metrics: ReturnType<typeof createOtlpMetrics>, source: { stats(): RequestStats }): void {
  const atScrape = <Metric extends Counter | Gauge>(
    metric: Metric,
    set: (metric: Metric, stats: RequestStats) => void,
  ) =>
    Object.assign(metric, {
      collect() {
        metric.reset();
        set(metric, source.stats());
      },
    });
  atScrape(metrics.otlpRequestsTotal as Counter, (metric, { answered }) => {
    for (const { signal, status, count } of answered) metric.inc({ signal, status: String(status) }, count);
  });
  atScrape(metrics.otlpSpansTotal as Counter, (metric, { acceptedSpans, rejectedSpans }) => {
    metric.inc({ result: 'accepted' }, acceptedSpans);
    metric.inc({ result: 'rejected' }, rejectedSpans);
  });
  atScrape(metrics.otlpCutTotal as Counter, (metric, { cuts }) => {
    for (const [what, count] of Object.entries(cuts)) metric.inc({ what }, count);
  });
  atScrape(metrics.otlpUnforwardedTotal as Counter, (metric, { unforwarded }) => {
    for (const [signal, count] of Object.entries(unforwarded)) metric.inc({ signal }, count);
  });
  atScrape(metrics.otlpHeldBytes, (metric, { heldBytes }) => metric.set(heldBytes));
  atScrape(metrics.otlpForwardQueueBytes, (metric, { forward }) => metric.set(forward?.queuedBytes ?? 0));
  atScrape(metrics.otlpForwardQueueRequests, (metric, { forward }) => metric.set(forward?.queuedRequests ?? 0));
  atScrape(metrics.otlpForwardedRequestsTotal, (metric, { forward }) => metric.inc(forward?.sentRequests ?? 0));
  atScrape(metrics.otlpForwardedSpansTotal, (metric, { forward }) => metric.inc(forward?.sentSpans ?? 0));
  atScrape(metrics.otlpForwardRetriesTotal, (metric, { forward }) => metric.inc(forward?.retries ?? 0));
  atScrape(metrics.otlpForwardDroppedRequestsTotal as Counter, (metric, { forward }) => {
    for (const [reason, { requests }] of Object.entries(forward?.dropped ?? {})) metric.inc({ reason }, requests);
  });
  atScrape(metrics.otlpForwardDroppedSpansTotal as Counter, (metric, { forward }) => {
    for (const [reason, { spans }] of Object.entries(forward?.dropped ?? {})) metric.inc({ reason }, spans);
  });
}
