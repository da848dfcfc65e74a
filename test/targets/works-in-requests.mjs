// On {requests, concurrency, burstMs, bursts, waitMs}: serves so many requests with spans of the real OpenTelemetry SDK, `concurrency` at a time. Each burns the CPU in
// `bursts` parts, lets others in between them, and waits for a database in its middle. Its spans go to the OTLP endpoint in argv[2]; then it prints the truth: the trace
// that its own AsyncLocalStorage had during each burst, on the clock of CPU profiles.
import { context, SpanKind, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { AsyncLocalStorage } from 'node:async_hooks';
import { createRequire } from 'node:module';
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';
import './lifeline.cjs';

// Of the generation that runs on Node 18 too.
const load = createRequire(new URL('../otel-versions/package.json', import.meta.url));
const { BasicTracerProvider, BatchSpanProcessor } = load('@opentelemetry/sdk-trace-base');
const { resourceFromAttributes } = load('@opentelemetry/resources');
const { OTLPTraceExporter } = load('@opentelemetry/exporter-trace-otlp-proto');
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
const exporter = new OTLPTraceExporter({ url: `${process.argv[2]}/v1/traces` });
const provider = new BasicTracerProvider({
  resource: resourceFromAttributes({ 'service.name': 'bursts', 'process.pid': process.pid }),
  spanProcessors: [new BatchSpanProcessor(exporter, { scheduledDelayMillis: 200 })],
});
const tracer = provider.getTracer('bursts');
const own = new AsyncLocalStorage();
const truth = [];

const nowUs = () => Number(process.hrtime.bigint() / 1000n);

/** Bursts are of the CPU's time: on a machine that is busy with others they are as much work, and have as many samples. */
const cpuUs = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

function burnOdd(untilUs) {
  let x = 0;
  while (cpuUs() < untilUs) for (let i = 0; i < 20_000; i++) x = (x * 31 + i) | 0;
  return x;
}

function burnEven(untilUs) {
  let x = 1;
  while (cpuUs() < untilUs) for (let i = 0; i < 20_000; i++) x = (x * 33 + i) | 0;
  return x;
}

function burst(number, ms) {
  const startUs = nowUs();
  const burn = number % 2 === 0 ? burnEven : burnOdd;
  burn(cpuUs() + ms * 1000);
  truth.push([startUs, nowUs(), own.getStore()]);
}

async function serve(number, { burstMs, bursts, waitMs }) {
  const attributes = { 'http.request.method': 'GET', 'http.route': number % 2 === 0 ? '/even' : '/odd' };
  const span = tracer.startSpan(`GET ${attributes['http.route']}`, { kind: SpanKind.SERVER, attributes });
  const { traceId } = span.spanContext();
  await own.run(traceId, () =>
    context.with(trace.setSpan(context.active(), span), async () => {
      for (let part = 0; part < bursts; part++) {
        burst(number, burstMs);
        await turn();
        if (waitMs === 0 || part !== bursts >> 1) continue;
        const query = tracer.startSpan('SELECT shop', {
          kind: SpanKind.CLIENT,
          attributes: { 'db.system.name': 'postgresql' },
        });
        await delay(waitMs);
        query.end();
      }
    }),
  );
  span.end();
}

process.on('message', async ({ requests, concurrency, ...work }) => {
  let next = 0;
  const lane = async () => {
    while (next < requests) await serve(next++, work);
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
  await provider.forceFlush();
  console.log(`truth ${JSON.stringify(truth)}`);
});
setInterval(() => {}, 60_000);
console.log('ready');
