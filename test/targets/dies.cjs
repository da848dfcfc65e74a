// Ends itself in the way that a message names; without one it lives as long as its parent.
require('./lifeline.cjs');

// With `elsewhere` it says that it runs on another machine, so that nobody looks for it in /proc.
if (process.argv[2] === 'elsewhere') require('node:os').hostname = () => 'elsewhere';

const forever = setInterval(() => {}, 60_000);
const all = [];
let holding;
const { getHeapSpaceStatistics } = require('node:v8');

/** The line that the memory goes to. */
function hoard() {
  const part = [];
  for (let i = 0; i < 2_000; i++) part.push({ i, text: `kept ${i}`, more: [i, i, i] });
  // One array of all would be copied as a whole to grow: with 60 MB more at once it dies far from its limit.
  all.push(part);
}

function oldSpaceBytes() {
  return getHeapSpaceStatistics().find((space) => space.space_name === 'old_space').space_used_size;
}

/** `hoard` is called by the microtask queue: V8 would inline it into what calls it, and the sampler names only the caller. */
async function fillTo(bytes) {
  while (oldSpaceBytes() < bytes) for (let i = 0; i < 8; i++) await Promise.resolve().then(hoard);
  globalThis.gc();
  console.log('grown');
}

const ways = {
  exit: () => process.exit(3),
  natural() {
    clearInterval(forever);
    process.channel.unref();
  },
  uncaught: () =>
    setTimeout(function boom() {
      throw new RangeError('too far');
    }, 1),
  async rejection() {
    await null;
    throw new TypeError('nobody waits');
  },
  object: () =>
    setTimeout(() => {
      throw { code: 'E_PLAIN' };
    }, 1),
  handled() {
    process.on('uncaughtException', () => process.exit(9));
    setTimeout(function boom() {
      throw new Error('handled');
    }, 1);
  },
  survived() {
    process.once('uncaughtException', () => setTimeout(() => console.log('survived'), 5));
    setTimeout(function boom() {
      throw new Error('survived');
    }, 1);
  },
  abort: () => process.abort(),
  closeInspector: () => setTimeout(() => require('node:inspector').close(), 1),
  reopenInspector: () =>
    setTimeout(() => {
      const inspector = require('node:inspector');
      const { port } = new URL(inspector.url());
      inspector.close();
      inspector.open(Number(port), '127.0.0.1');
    }, 1),
  /** Until it is full. */
  memory: () => setInterval(hoard, 2),
  /** To 30 % of `--max-old-space-size=160`, or 63 % of 256, and then a little at each `more`; collected, so that it grows in no steps of V8's. */
  fill: () => fillTo(45e6),
  fillHalf: () => fillTo(170e6),
  async more() {
    for (let i = 0; i < 24; i++) await Promise.resolve().then(hoard);
    globalThis.gc();
    console.log('grown');
  },
  /** To 91 % of `--max-old-space-size=256`, and no further, until `release`. Not collected: V8 gives up after four collections in a row that freed little. */
  hold() {
    holding = setInterval(async () => {
      for (let i = 0; i < 10 && oldSpaceBytes() < 245e6; i++) await Promise.resolve().then(hoard);
    }, 8);
  },
  release() {
    clearInterval(holding);
    all.length = 0;
    globalThis.gc();
  },
  listeners: () => console.log(`listeners ${process.listenerCount('uncaughtExceptionMonitor')}`),
  collect() {
    globalThis.gc();
    setImmediate(ways.listeners);
  },
};

process.on('message', (way) => ways[way]());
console.log('ready');
