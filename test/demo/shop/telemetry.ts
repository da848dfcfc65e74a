import { getNodeAutoInstrumentations } from '@opentelemetry/auto-instrumentations-node';
import { NodeSDK } from '@opentelemetry/sdk-node';

type NodeSdkOptions = NonNullable<ConstructorParameters<typeof NodeSDK>[0]>;

/**
 * Starts OpenTelemetry. Must run before express and pg are loaded. Spans are made either way, so the active one can be
 * read in the process; they leave it only when `OTEL_EXPORTER_OTLP_ENDPOINT` (or its `_TRACES_` twin) is set.
 */
export function startTelemetry(env: NodeJS.ProcessEnv): NodeSDK {
  const exports = (env['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT']) !== undefined;
  // Otherwise the kit sends metrics and logs to localhost:4318 and complains that nobody is there.
  env['OTEL_METRICS_EXPORTER'] ??= 'none';
  env['OTEL_LOGS_EXPORTER'] ??= 'none';
  const telemetry = new NodeSDK({
    serviceName: env['OTEL_SERVICE_NAME'] ?? 'shop',
    instrumentations: [getNodeAutoInstrumentations()],
    // The others look for cloud metadata services over the network.
    resourceDetectors: [],
    ...(exports ? {} : { spanProcessors: [discard] }),
  });
  telemetry.start();
  return telemetry;
}

const discard: NonNullable<NodeSdkOptions['spanProcessors']>[number] = {
  onStart() {},
  onEnd() {},
  async forceFlush() {},
  async shutdown() {},
};
