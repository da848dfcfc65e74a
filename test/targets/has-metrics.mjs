// A metrics page of prom-client, its port printed; on a message the event loop blocks for that many milliseconds and a job is counted.
import './lifeline.cjs';
import { createServer } from 'node:http';
import { Counter, Histogram, collectDefaultMetrics, register } from 'prom-client';

collectDefaultMetrics();
const jobs = new Counter({ name: 'jobs_total', help: 'Jobs done', labelNames: ['queue'] });
const durations = new Histogram({ name: 'job_seconds', help: 'How long', labelNames: ['queue'] });

process.on('message', (blockMs) => {
  const startMs = performance.now();
  while (performance.now() - startMs < blockMs);
  jobs.inc({ queue: 'mail' });
  durations.observe({ queue: 'mail' }, blockMs / 1000);
  // The delay is in the histogram once the loop has turned.
  setTimeout(() => console.log('done'), 50);
});

const server = createServer(async (_, response) => {
  response.setHeader('content-type', register.contentType);
  response.end(await register.metrics());
});
server.listen(0, '127.0.0.1', () => {
  console.log(`page http://127.0.0.1:${server.address().port}/metrics`);
  console.log('ready');
});
