// On any message: the same work each time in many turns of the loop, each inside a span of the real OpenTelemetry API, about 3 s of CPU, then `worked <cpu ms>`.
import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import './lifeline.cjs';

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());

const records = Array.from({ length: 2000 }, (_, id) => ({
  id,
  name: `record ${id}`,
  tags: [`a${id % 7}`, `b${id % 11}`],
}));

function turn(seed) {
  const text = JSON.stringify(records.slice(seed % 500, (seed % 500) + 400));
  const parsed = JSON.parse(text);
  const sorted = parsed.sort((a, b) => (a.name < b.name ? 1 : -1));
  return sorted.map(({ tags }) => tags.join('/')).filter((tag) => tag.includes(String(seed % 10))).length;
}

async function work(turns) {
  let sum = 0;
  for (let i = 0; i < turns; i++) {
    const spanId = (i + 1).toString(16).padStart(16, '0');
    const span = trace.wrapSpanContext({ traceId: '0af7651916cd43dd8448eb211c80319c', spanId, traceFlags: 1 });
    sum += context.with(trace.setSpan(context.active(), span), () => turn(i));
    if (i % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return sum;
}

await work(500);
process.on('message', async () => {
  const before = process.cpuUsage();
  await work(9_000);
  const { user, system } = process.cpuUsage(before);
  console.log(`worked ${((user + system) / 1000).toFixed(1)}`);
});
setInterval(() => {}, 60_000);
console.log('ready');
