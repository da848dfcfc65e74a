// Once asked: spins for a minute, 100 calls deep.
const { writeSync } = require('node:fs');
require('./lifeline.cjs');

function descend(depth, endMs) {
  if (depth > 0) return descend(depth - 1, endMs) + 1;
  let x = 0;
  while (Date.now() < endMs) x = (x * 31 + 1) | 0;
  return x;
}

process.on('message', () => {
  writeSync(1, 'stuck\n');
  descend(100, Date.now() + 60_000);
});
setInterval(() => {}, 1000);
console.log('ready');
