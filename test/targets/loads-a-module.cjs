// Requires the file named by its argument, then waits.
require('./lifeline.cjs');
require(process.argv[2]);
setInterval(() => {}, 1000);
console.log('ready');
