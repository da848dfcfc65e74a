// Starts a worker every 100 ms that burns CPU for 150 ms and ends; prints `worker N ended` for each.
import { Worker, isMainThread } from 'node:worker_threads';

function burnBriefly(endMs) {
  let x = 0;
  while (performance.now() < endMs) x = (x * 31 + 1) | 0;
  return x;
}

if (isMainThread) {
  await import('./lifeline.cjs');
  let count = 0;
  setInterval(() => {
    const number = ++count;
    const worker = new Worker(new URL(import.meta.url), { name: `short-${number}` });
    worker.on('exit', () => console.log(`worker ${number} ended`));
  }, 100);
  console.log('ready');
} else {
  burnBriefly(performance.now() + 50);
  setTimeout(() => burnBriefly(performance.now() + 50), 50);
}
