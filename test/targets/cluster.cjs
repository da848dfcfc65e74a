// The primary of a cluster with one worker; prints `worker PID` when that is online, and `ready`.
const cluster = require('node:cluster');
require('./lifeline.cjs');

if (cluster.isPrimary) {
  // Any free port, not 9229.
  cluster.setupPrimary({ execArgv: ['--debug-port=0'], inspectPort: 0 });
  const worker = cluster.fork();
  worker.on('online', () => console.log(`worker ${worker.process.pid}\nready`));
  worker.on('exit', () => process.exit(1));
} else {
  setInterval(() => {}, 1000);
}
