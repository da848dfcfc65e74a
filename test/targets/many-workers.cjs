// Starts 20 workers that wait for ever. On any message: ends with code 5.
const { Worker } = require('node:worker_threads');
require('./lifeline.cjs');

const workers = Array.from({ length: 20 }, () => new Worker('setInterval(() => {}, 1000)', { eval: true }));
process.on('message', () => process.exit(5));
void Promise.all(workers.map((worker) => new Promise((online) => worker.once('online', online)))).then(() =>
  console.log('ready'),
);
