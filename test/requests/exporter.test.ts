import { createRequire } from 'node:module';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { decodeJsonRequest } from '../../protocol/otlp/decode-json.ts';
import { decodeTraceRequest } from '../../protocol/otlp/decode.ts';
import type { Span } from '../../protocol/otlp/model.ts';
import { waitFor } from '../support/wait-for.ts';
import { openOtlp, openUpstream } from './otlp-harness.ts';
import type { UpstreamRequest } from './otlp-harness.ts';

/** What the two generations of the SDK have in common, as far as it is used here. */
interface Sdk {
  readonly BasicTracerProvider?: new (options: object) => Provider;
  readonly TracerProvider?: new (options: object) => Provider;
  readonly BatchSpanProcessor: new (...options: unknown[]) => object;
}
interface Provider {
  getTracer(name: string): { startSpan(name: string, options: object): { end(): void } };
  forceFlush(): Promise<void>;
  shutdown(): Promise<void>;
}
interface ExporterModule {
  readonly OTLPTraceExporter: new (options: object) => object;
}

const generations = [
  { name: '0.301', load: createRequire(import.meta.url), sdk: '@opentelemetry/sdk-trace' },
  {
    name: '0.223',
    load: createRequire(join(import.meta.dirname, '../otel-versions/package.json')),
    sdk: '@opentelemetry/sdk-trace-base',
  },
];
const exporters = {
  'http/protobuf': '@opentelemetry/exporter-trace-otlp-proto',
  'http/json': '@opentelemetry/exporter-trace-otlp-http',
};
const cases = generations.flatMap((generation) =>
  Object.entries(exporters).flatMap(([protocol, exporter]) =>
    ['none', 'gzip'].map((compression) => ({ ...generation, protocol, exporter, compression })),
  ),
);

describe.each(cases)(
  'the exporter $name, $protocol, compression $compression',
  ({ load, sdk, exporter, compression }) => {
    test('loses nothing with the upstream down, and every span arrives once it is back', async () => {
      await using upstream = await openUpstream();
      await upstream.stop();
      await using otlp = await openOtlp({ forward: { url: upstream.url } });
      const { BasicTracerProvider, TracerProvider, BatchSpanProcessor } = load(sdk) as Sdk;
      const Provider = (BasicTracerProvider ?? TracerProvider) as new (options: object) => Provider;
      const { OTLPTraceExporter } = load(exporter) as ExporterModule;
      const out = new OTLPTraceExporter({ url: `${otlp.url}/v1/traces`, compression });
      const limits = { maxQueueSize: 2_048, maxExportBatchSize: 512, scheduledDelayMillis: 100 };
      // 3.x takes one object, 2.x exporter and limits.
      const processor =
        TracerProvider === undefined
          ? new BatchSpanProcessor(out, limits)
          : new BatchSpanProcessor({ exporter: out, ...limits });
      const provider = new Provider({ spanProcessors: [processor] });
      const tracer = provider.getTracer('test');
      for (let batch = 0; batch < 10; batch++) {
        for (let index = 0; index < 100; index++)
          tracer
            .startSpan(`span ${batch}-${index}`, { attributes: { index, text: 'ü'.repeat(20), ratio: index / 7 } })
            .end();
        await provider.forceFlush();
      }
      await provider.shutdown();
      await otlp.requests.ingested();
      const names = Array.from(
        { length: 1_000 },
        (_, index) => `span ${Math.floor(index / 100)}-${index % 100}`,
      ).sort();
      expect(otlp.sink.spans.map(({ name }) => name).sort()).toEqual(names);
      expect(otlp.sink.spans[0]?.attributes).toMatchObject({ text: 'ü'.repeat(20) });

      await using again = await openUpstream(Number(upstream.url.port));
      await waitFor(() => otlp.requests.stats().forward?.sentSpans === 1_000, {
        message: 'all spans to be taken upstream',
        deadlineMs: 15_000,
      });
      expect(
        again.received
          .flatMap(spansOf)
          .map(({ name }) => name)
          .sort(),
      ).toEqual(names);
      expect(again.received[0]?.headers['user-agent']).toMatch(
        /^Sidescope\/1\.2\.3 OTel-OTLP-Exporter-JavaScript\/0\.(301|223)/,
      );
      expect(
        again.received.every(
          ({ headers }) => headers['content-encoding'] === (compression === 'gzip' ? 'gzip' : undefined),
        ),
      ).toBe(true);
    });
  },
);

function spansOf({ headers, body }: UpstreamRequest): readonly Span[] {
  const plain = headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
  if (headers['content-type'] !== 'application/json') return decodeTraceRequest(plain).spans;
  const machine = decodeJsonRequest(plain);
  let step = machine.next();
  while (step.done !== true) step = machine.next();
  return step.value.spans;
}
