// Allocates all the time: `remember` keeps its arrays (at most 64 MB of them), `discard` drops its own. So does a worker named `aside`.
// On {exit}: process.exit with that code. On {end}: stops allocating, so the process ends by itself.
// With `own-sampler`: samples its own heap; on {read} ends that and prints the number of samples.
import { Session } from 'node:inspector';
import { Worker, isMainThread } from 'node:worker_threads';

const kept = [];

function remember() {
  for (let i = 0; i < 20; i++) kept.push(new Array(2_000).fill(i));
  if (kept.length > 4_000) kept.splice(0, 2_000);
}

function discard() {
  for (let i = 0; i < 80; i++) new Array(2_000).fill(i);
}

const timer = setInterval(() => {
  remember();
  discard();
}, 10);

if (isMainThread) {
  await import('./lifeline.cjs');
  const worker = new Worker(new URL(import.meta.url), { name: 'aside' });
  worker.unref();
  const session = new Session();
  if (process.argv.includes('own-sampler')) {
    session.connect();
    session.post('HeapProfiler.startSampling', { samplingInterval: 65_536 });
  }
  process.on('message', ({ exit, end, read }) => {
    if (exit !== undefined) process.exit(exit);
    if (end) clearInterval(timer);
    if (read) {
      session.post('HeapProfiler.stopSampling', (error, answer) =>
        console.log(error ? `refused: ${error.message}` : `samples: ${answer.profile.samples.length}`),
      );
    }
  });
  process.channel?.unref();
  worker.once('online', () => console.log('ready'));
}
