// A worker (`outer`) that starts a worker (`inner`), both burning CPU a little. On {exit}: process.exit with that code.
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';

function burnOuter(durationMs) {
  const endMs = performance.now() + durationMs;
  let x = 0;
  while (performance.now() < endMs) x = (x * 31 + 1) | 0;
  return x;
}

function burnInner(durationMs) {
  const endMs = performance.now() + durationMs;
  let x = 0;
  while (performance.now() < endMs) x = (x * 33 + 2) | 0;
  return x;
}

const start = (name) => new Worker(new URL(import.meta.url), { name, workerData: name });

if (isMainThread) {
  await import('./lifeline.cjs');
  start('outer').on('message', () => console.log('ready'));
  process.on('message', ({ exit }) => process.exit(exit));
} else if (workerData === 'outer') {
  start('inner').on('message', () => parentPort.postMessage('both online'));
  setInterval(burnOuter, 20, 4);
} else {
  setInterval(burnInner, 20, 4);
  parentPort.postMessage('online');
}
