// On {ms, how}: blocks that long in `lastWords`, then ends: `exit` by process.exit(7), `natural` by having nothing to do, with that code.
require('./lifeline.cjs');

const timer = setInterval(() => {}, 1000);
function lastWords(endMs) {
  let x = 0;
  while (Date.now() < endMs) x = (x * 31 + 1) | 0;
  return x;
}

process.on('message', ({ ms, how }) => {
  console.log('blocking');
  lastWords(Date.now() + ms);
  if (how === 'exit') process.exit(7);
  process.exitCode = 7;
  process.removeAllListeners('disconnect');
  process.disconnect();
  clearInterval(timer);
});
console.log('ready');
