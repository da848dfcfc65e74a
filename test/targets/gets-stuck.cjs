// On {loop} (milliseconds), {pattern}, {wait}, {fifo} (a path): prints `stuck` and spins in `spinUntil`, in a catastrophic regular
// expression, waits in Atomics.wait, or opens the FIFO that nobody writes; prints `turned` behind it. `isLoopOver` in its global scope ends the loop. On {check}: prints whether Error is as it was.
// With `own-hook`: Error.prepareStackTrace is an accessor whose hook prints `hook ran`. With `frozen`: Error is frozen.
const { openSync, writeSync } = require('node:fs');
require('./lifeline.cjs');

const hook = () => {
  writeSync(1, 'hook ran\n');
  return 'hooked';
};
if (process.argv.includes('own-hook')) {
  Object.defineProperty(Error, 'prepareStackTrace', { get: () => hook, set: hook, configurable: true });
  Error.stackTraceLimit = 3;
}
if (process.argv.includes('frozen')) Object.freeze(Error);

const state = () => JSON.stringify([Object.getOwnPropertyDescriptors(Error), Object.getOwnPropertyNames(Error).sort()]);
const before = state();

function spinUntil(endMs) {
  let x = 0;
  while (Date.now() < endMs && !globalThis.isLoopOver) x = (x * 31 + 1) | 0;
  return x;
}

function matchForEver() {
  return /^(a+)+$/.test(`${'a'.repeat(40)}!`);
}

function waitForEver() {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

process.on('message', ({ loop, pattern, wait, fifo, check }) => {
  if (check) return writeSync(1, state() === before ? 'unchanged\n' : `changed: ${state()}\n`);
  writeSync(1, 'stuck\n');
  if (loop) spinUntil(Date.now() + loop);
  if (pattern) matchForEver();
  if (wait) waitForEver();
  if (fifo) openSync(fifo, 'r');
  writeSync(1, 'turned\n');
});
setInterval(() => {}, 1000);
console.log('ready');
