import { integerOf, textOf } from '../../protocol/otlp/attributes.ts';
import { httpMethod, httpStatus } from '../../protocol/otlp/classify.ts';
import type { Span } from '../../protocol/otlp/model.ts';
import { buildWaterfall } from '../../protocol/otlp/waterfall.ts';
import type { WaterfallRequest } from '../../protocol/otlp/waterfall-span.ts';
import { sharesOf, type OperationStatistics } from './operation-statistics.ts';
import type { Trace, TraceSummary } from './trace.ts';

/** Counts the spans and requests of a trace that were not counted yet, and sums it up. Undefined for one of which no span was kept. */
export function settleTrace(
  trace: Trace,
  options: {
    statistics: OperationStatistics;
    counts: { requests: number; failed: number };
    nowMs: number;
    /** For each whole request, once. */
    onRequest: (request: WaterfallRequest) => void;
  },
): TraceSummary | undefined {
  const { statistics, counts, nowMs, onRequest } = options;
  const { spans, countedSpans } = trace;
  if (spans.length === 0) return undefined;
  const { requests } = buildWaterfall(spans);
  const counted = countedSpans === 0 ? undefined : new Set<Span>(spans.slice(0, countedSpans));
  for (const request of requests) {
    const { entry, isWhole } = request;
    for (const one of request.spans) if (!counted?.has(one.span)) statistics.addSpan(one, entry, nowMs);
    if (!isWhole || counted?.has(entry.span)) continue;
    statistics.addRequest(request, nowMs);
    counts.requests += 1;
    if (entry.failed) counts.failed += 1;
    onRequest(request);
  }
  trace.countedSpans = spans.length;
  const main = mainRequest(requests);
  return main && summaryOf(main, requests);
}

/** What the trace is known by: the first request that was served, else the first entry, else its longest part. */
export function mainRequest(requests: readonly WaterfallRequest[]): WaterfallRequest | undefined {
  return (
    requests.find(({ entry, isWhole }) => isWhole && (entry.kind === 'server' || entry.span.kind === 5)) ??
    requests.find(({ isWhole }) => isWhole) ??
    requests.toSorted((a, b) => b.entry.span.durationMs - a.entry.span.durationMs)[0]
  );
}

function summaryOf(main: WaterfallRequest, requests: readonly WaterfallRequest[]): TraceSummary {
  const { span, kind } = main.entry;
  const { attributes } = span.resource;
  return {
    name: main.name,
    route: main.route,
    kind,
    method: httpMethod(span) ?? null,
    statusCode: httpStatus(span) ?? null,
    failed: main.entry.failed,
    startMs: span.startMs,
    durationMs: span.durationMs,
    requests: requests.filter(({ isWhole }) => isWhole).length,
    isWhole: main.isWhole,
    shares: sharesOf(main.spans),
    serviceName: textOf(attributes, 'service.name') ?? null,
    pid: integerOf(attributes, 'process.pid') ?? null,
  };
}
