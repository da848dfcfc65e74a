// Run with --expose-gc. Remembers weakly each histogram and GC profiler that is made in it; on any message collects garbage and prints how many there were
// and how many are left: `probes MADE LEFT`.
const hooks = require('node:perf_hooks');
const v8 = require('node:v8');
require('./lifeline.cjs');

const made = [];
const { monitorEventLoopDelay } = hooks;
hooks.monitorEventLoopDelay = (options) => {
  const histogram = monitorEventLoopDelay(options);
  made.push(new WeakRef(histogram));
  return histogram;
};
v8.GCProfiler = class extends v8.GCProfiler {
  constructor() {
    super();
    made.push(new WeakRef(this));
  }
};
process.on('message', () => {
  // A weak reference is kept alive until the end of the turn that read it.
  setTimeout(() => {
    global.gc();
    console.log(`probes ${made.length} ${made.filter((each) => each.deref() !== undefined).length}`);
  }, 10);
});
setInterval(() => {}, 1000);
console.log('ready');
