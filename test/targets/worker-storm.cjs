// On any message: starts 200 workers, eight at a time, that each burn a little and end; then prints `calm`.
const { Worker } = require('node:worker_threads');
require('./lifeline.cjs');

const code = 'let x = 0; for (let i = 0; i < 1e6; i++) x = (x * 31 + i) | 0;';
process.on('message', () => {
  let started = 0;
  let ended = 0;
  const start = () => {
    if (started++ >= 200) return;
    new Worker(code, { eval: true }).on('exit', () => {
      if (++ended === 200) console.log('calm');
      start();
    });
  };
  for (let i = 0; i < 8; i++) start();
});
setInterval(() => {}, 1000);
console.log('ready');
