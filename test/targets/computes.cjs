// On {hash} (rounds): prints `stuck`, is in one native call for that long, then prints `turned`. On {loop} (milliseconds): the same in JavaScript.
// On {exit} (a code): ends. On {worker} (`spin`, `park`): starts a worker that spins, or waits in Atomics.wait as those of a pool do, for ever.
const { pbkdf2Sync } = require('node:crypto');
const { writeSync } = require('node:fs');
const { Worker, isMainThread, workerData } = require('node:worker_threads');

function hashOnce(rounds) {
  return pbkdf2Sync('a', 'b', rounds, 64, 'sha512');
}

function loopUntil(endMs) {
  let x = 0;
  while (Date.now() < endMs) x = (x * 31 + 1) | 0;
  return x;
}

function spinForEver() {
  let x = 0;
  for (;;) x = (x * 31 + 1) | 0;
}

function park() {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

if (isMainThread) {
  require('./lifeline.cjs');
  process.on('message', ({ hash, loop, worker, exit }) => {
    if (exit) process.exit(exit);
    if (worker) return new Worker(__filename, { workerData: worker });
    writeSync(1, 'stuck\n');
    if (hash) hashOnce(hash);
    if (loop) loopUntil(Date.now() + loop);
    writeSync(1, 'turned\n');
  });
  setInterval(() => {}, 1000);
  console.log('ready');
} else {
  setTimeout(workerData === 'park' ? park : spinForEver, 10);
}
