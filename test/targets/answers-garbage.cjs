// Answers a question about itself wrongly: `text`, `throws`, `hangs`, `later-hangs` (from the third time on), `clock` (a broken one), `frozen`,
// `console` (prints `console used` whenever anybody looks at it), or `measures` (20,000 of performance.measure at once, and five a second named `again`). Prints `alive` on any message.
const { writeSync } = require('node:fs');
require('./lifeline.cjs');

const kind = process.argv[2];
const huge = 'x'.repeat(1e7);
let asked = 0;
const answers = {
  text: () => ({ rss: huge, heapTotal: {}, heapUsed: null, external: NaN, arrayBuffers: [huge] }),
  throws: () => {
    throw { toString: () => huge };
  },
  hangs: () => {
    for (;;);
  },
  'later-hangs': () => {
    while (++asked > 2);
    return { rss: 1, heapTotal: 1, heapUsed: 1, external: 1, arrayBuffers: 1 };
  },
};
if (answers[kind]) process.memoryUsage = answers[kind];
if (kind === 'clock') {
  performance.now = () => NaN;
  Date.now = () => -1;
  process.uptime = () => 'long';
  process.hrtime = () => null;
}
if (kind === 'frozen') {
  performance.eventLoopUtilization = () => ({ idle: 'a', active: -1 });
  Object.freeze(performance);
}
if (kind === 'measures') {
  for (let i = 0; i < 20_000; i++) performance.measure(`${i} ${huge.slice(0, 200)}`);
  setInterval(() => performance.measure('again', { start: 0 }), 200);
}
if (kind === 'console') {
  const get = () => writeSync(1, 'console used\n') && (() => {});
  globalThis.console = new Proxy({}, { get });
}
process.on('message', () => writeSync(1, 'alive\n'));
setInterval(() => {}, 1000);
writeSync(1, 'ready\n');
