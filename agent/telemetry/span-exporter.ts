import { SpanStatusCode } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import type { SpanExporter } from '@opentelemetry/sdk-trace';
import type { FinishedSpan } from './finished-span.ts';

const maxQueued = 512;
const batchSize = 64;
const exportTimeoutMs = 10_000;

export interface SpanExport {
  add(span: FinishedSpan): void;
  /** Sends what is queued, and ends. Takes as long as the receiver lets it. */
  close(): Promise<void>;
}

export interface SpanExportOptions {
  readonly url: string;
  readonly resource: Readonly<Record<string, string>>;
  readonly version: string;
  /** After each attempt: how many spans, and why they were not taken. */
  readonly onExported: (count: number, problem: string | undefined) => void;
}

/** The SDK's tracer of a provider that is nobody's default. Headers and compression are read from OTEL_EXPORTER_OTLP_*, as everywhere. */
export function createSpanExport({ url, resource, version, onExported }: SpanExportOptions): SpanExport {
  const exporter = new OTLPTraceExporter({ url, timeoutMillis: exportTimeoutMs, userAgent: `sidescope/${version}` });
  const told: SpanExporter = {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        // 0 is ExportResultCode.SUCCESS of @opentelemetry/core, which is no dependency of ours.
        const problem = Number(result.code) === 0 ? undefined : (result.error?.message ?? 'refused');
        onExported(spans.length, problem);
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush(),
  };
  const provider = new TracerProvider({
    resource: resourceFromAttributes(resource),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: told,
        maxQueueSize: maxQueued,
        maxExportBatchSize: batchSize,
        scheduledDelayMillis: 2_000,
        exportTimeoutMillis: exportTimeoutMs,
      }),
    ],
    spanLimits: { attributeValueLengthLimit: 1_000, attributeCountLimit: 64 },
  });
  const tracer = provider.getTracer('sidescope', version);
  return {
    add({ name, startMs, endMs, attributes, problem }) {
      const span = tracer.startSpan(name, { root: true, startTime: startMs, attributes });
      if (problem !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: problem });
      span.end(Math.max(endMs, startMs));
    },
    close: () => provider.shutdown(),
  };
}
