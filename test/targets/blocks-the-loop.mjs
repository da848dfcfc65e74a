// On {ms}: prints `blocking`, spins that long in `spinUntil`, prints `turned`.
import { writeSync } from 'node:fs';
import './lifeline.cjs';

function spinUntil(endMs) {
  let x = 0;
  while (performance.now() < endMs) x = (x * 31 + 1) | 0;
  return x;
}

process.on('message', ({ ms }) => {
  // console.log to a pipe may wait for the loop that is about to be blocked.
  writeSync(1, 'blocking\n');
  spinUntil(performance.now() + ms);
  writeSync(1, 'turned\n');
});
setInterval(() => {}, 1000);
console.log('ready');
