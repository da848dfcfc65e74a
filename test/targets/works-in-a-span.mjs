// On {traced, sampled}: works for a minute in `handle`, inside a span named `GET /stuck` of the real OpenTelemetry API.
import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { writeSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import './lifeline.cjs';

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());

function handle(endMs) {
  let x = 0;
  while (Date.now() < endMs) x = (x * 31 + 1) | 0;
  return x;
}

process.on('message', ({ sampled }) => {
  const span = trace.wrapSpanContext({
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    traceFlags: sampled ? 1 : 0,
  });
  Object.assign(span, { name: 'GET /stuck', attributes: { 'http.route': '/stuck' } });
  void context.with(trace.setSpan(context.active(), span), async () => {
    await turn();
    writeSync(1, 'stuck\n');
    handle(Date.now() + 60_000);
  });
});
setInterval(() => {}, 1000);
console.log('ready');
