// A service: every request costs it `argv[2]` milliseconds of its CPU, some garbage and a wait of 3 ms, on any machine. With an OTLP endpoint in argv[3] it has spans
// of the real OpenTelemetry SDK; /metrics is its own page of prom-client. Both addresses are one, printed as `url`.
import './lifeline.cjs';
import { SpanKind } from '@opentelemetry/api';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';
import { Counter, Histogram, collectDefaultMetrics, register } from 'prom-client';

const [, , costMs = '2', otlpUrl] = process.argv;
const tracer = otlpUrl === undefined ? undefined : tracing(otlpUrl);
collectDefaultMetrics();
const requests = new Counter({ name: 'http_requests_total', help: 'Requests', labelNames: ['route'] });
const durations = new Histogram({ name: 'http_request_seconds', help: 'How long', labelNames: ['route'] });

function tracing(url) {
  // Of the generation that runs on Node 18 too.
  const load = createRequire(new URL('../otel-versions/package.json', import.meta.url));
  const { BasicTracerProvider, BatchSpanProcessor } = load('@opentelemetry/sdk-trace-base');
  const { resourceFromAttributes } = load('@opentelemetry/resources');
  const { OTLPTraceExporter } = load('@opentelemetry/exporter-trace-otlp-proto');
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'serves-requests', 'process.pid': process.pid }),
    spanProcessors: [
      new BatchSpanProcessor(new OTLPTraceExporter({ url: `${url}/v1/traces` }), { scheduledDelayMillis: 200 }),
    ],
  });
  return provider.getTracer('serves-requests');
}

function computePrices(units) {
  let total = 0;
  for (let round = 0; round < units; round++) for (let item = 0; item < 100; item++) total = (total * 31 + item) | 0;
  return total;
}

/** How many units a millisecond of CPU is here: the best of some tries, the first ones compile. */
function unitsPerMs() {
  let best = 0;
  for (let attempt = 0; attempt < 5; attempt++) {
    const before = process.cpuUsage();
    computePrices(50_000);
    const { user, system } = process.cpuUsage(before);
    best = Math.max(best, 50_000_000 / (user + system));
  }
  return best;
}

const units = Math.round(Number(costMs) * unitsPerMs());

async function serve(route) {
  const attributes = { 'http.request.method': 'GET', 'http.route': route };
  const span = tracer?.startSpan(`GET ${route}`, { kind: SpanKind.SERVER, attributes });
  const end = durations.startTimer({ route });
  const rows = Array.from({ length: 200 }, (_, id) => ({ id, name: `row ${id}` }));
  const total = computePrices(units);
  await delay(3);
  requests.inc({ route });
  end();
  span?.end();
  return JSON.stringify({ total, rows: rows.length });
}

const server = createServer(async (request, response) => {
  if (request.url === '/metrics') {
    response.setHeader('content-type', register.contentType);
    response.end(await register.metrics());
    return;
  }
  response.end(await serve(request.url));
});
server.listen(0, '127.0.0.1', () => {
  console.log(`url http://127.0.0.1:${server.address().port}`);
  console.log('ready');
});
