// Three workers, named `alpha`, `beta` and `gamma` (Node >= 18.16 shows names), each burning CPU in a function of its own.
// On {exit}: process.exit with that code. On {end}: every worker ends, then the process.
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';

const work = {
  alpha: function burnAlpha(durationMs) {
    const endMs = performance.now() + durationMs;
    let x = 0;
    while (performance.now() < endMs) x = (x * 31 + 1) | 0;
    return x;
  },
  beta: function burnBeta(durationMs) {
    const endMs = performance.now() + durationMs;
    let x = 0;
    while (performance.now() < endMs) x = (x * 33 + 2) | 0;
    return x;
  },
  gamma: function burnGamma(durationMs) {
    const endMs = performance.now() + durationMs;
    let x = 0;
    while (performance.now() < endMs) x = (x * 37 + 3) | 0;
    return x;
  },
};

if (isMainThread) {
  await import('./lifeline.cjs');
  const names = Object.keys(work);
  const workers = names.map((name) => new Worker(new URL(import.meta.url), { name, workerData: name }));
  await Promise.all(workers.map((worker) => new Promise((online) => worker.once('message', online))));
  process.on('message', ({ exit }) => {
    if (exit !== undefined) process.exit(exit);
    for (const worker of workers) worker.postMessage('end');
  });
  console.log('ready');
} else {
  const timer = setInterval(work[workerData], 20, 4);
  parentPort.once('message', () => clearInterval(timer));
  // V8 knows the line of a function once it has run.
  work[workerData](1);
  parentPort.postMessage('online');
}
