// A worker that works in a span of the real OpenTelemetry API, in turns of 20 ms, while the main thread has none. `hostile` as argument: there the API's `active` never returns.
// On any message: ends with code 5.
import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import './lifeline.cjs';

function burnInWorker(endMs) {
  let x = 0;
  while (Date.now() < endMs) x = (x * 31 + 1) | 0;
  return x;
}

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url), { workerData: process.argv[2] });
  worker.once('online', () => console.log('ready'));
  process.on('message', () => process.exit(5));
  setInterval(() => {}, 1000);
} else {
  const manager = new AsyncLocalStorageContextManager().enable();
  if (workerData === 'hostile') manager.active = () => burnInWorker(Infinity);
  context.setGlobalContextManager(manager);
  const span = trace.wrapSpanContext({ traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), traceFlags: 1 });
  span.name = 'job';
  const run =
    workerData === 'hostile' ? (work) => work() : (work) => manager.with(trace.setSpan(manager.active(), span), work);
  setInterval(() => run(() => burnInWorker(Date.now() + 20)), 25);
}
