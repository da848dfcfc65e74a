// Prints `ready`, and on a message with one of the names below does that, for ever unless it has an end; prints `stuck` before it.
// Prints `inside` where that takes a while to begin. Started without an inspector.
const { execSync } = require('node:child_process');
const { pbkdf2Sync, randomBytes } = require('node:crypto');
const { readFileSync, writeSync } = require('node:fs');
const { Worker } = require('node:worker_threads');
const { gzipSync } = require('node:zlib');
require('./lifeline.cjs');

function spin() {
  let x = 0;
  for (;;) x = (x * 31 + 1) | 0;
}

function match() {
  return /^(a+)+$/.test(`${'a'.repeat(40)}!`);
}

// Called anew each time: a bare `for (;;) JSON.parse(text)` is interrupted after thousands of turns only.
function parseAll(text) {
  return JSON.parse(text);
}

function hashAll({ rounds = 60_000 }) {
  return pbkdf2Sync('a', 'b', rounds, 64, 'sha512');
}

function zipAll(bytes) {
  return gzipSync(bytes);
}

function waitForChild({ seconds }) {
  execSync(`sleep ${seconds}`);
}

function waitForLock() {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

function readPipe({ path }) {
  readFileSync(path);
}

let kept;
function allocate() {
  kept = Array.from({ length: 100_000 }, (_, index) => ({ index, text: `x${index}` }));
}

function hashOnce() {
  return pbkdf2Sync('a', 'b', 100_000_000, 64, 'sha512');
}

function forEver(work, value) {
  writeSync(1, 'inside\n');
  for (;;) work(value);
}

const deeds = {
  spin,
  spinFor: ({ ms }) => {
    const endMs = Date.now() + ms;
    while (Date.now() < endMs);
    writeSync(1, 'turned\n');
  },
  match,
  parseAll: ({ rows = 60_000 }) =>
    forEver(parseAll, JSON.stringify(Array.from({ length: rows }, (_, id) => ({ id, name: `n${id}` })))),
  hashAll: (message) => forEver(hashAll, message),
  zipAll: () => forEver(zipAll, randomBytes(2 ** 22)),
  allocate: () => forEver(allocate),
  waitForChild,
  waitForLock,
  readPipe,
  hashOnce,
  inWorker: () => new Worker(__filename, { argv: ['worker'] }),
  nothing: () => {},
};

if (process.argv.includes('worker')) setTimeout(() => (writeSync(1, 'inside\n'), spin()), 10);
if (process.argv.includes('own-handler')) process.on('SIGUSR1', () => writeSync(1, 'handled\n'));

process.on('message', (message) => {
  writeSync(1, 'stuck\n');
  deeds[message.deed](message);
});
setInterval(() => {}, 1000);
console.log('ready');
