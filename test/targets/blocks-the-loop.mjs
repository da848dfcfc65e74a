// On {ms}, or {cpuMs} of a CPU's time: prints `blocking`, spins that long in `spinUntil`, prints `turned`.
import { writeSync } from 'node:fs';
import './lifeline.cjs';

function spinUntil(endMs) {
  let x = 0;
  while (performance.now() < endMs) x = (x * 31 + 1) | 0;
  return x;
}

const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

process.on('message', ({ ms = 0, cpuMs: wanted = 0 }) => {
  // console.log to a pipe may wait for the loop that is about to be blocked.
  writeSync(1, 'blocking\n');
  spinUntil(performance.now() + ms);
  for (const endMs = cpuMs() + wanted; cpuMs() < endMs;) spinUntil(performance.now() + 50);
  writeSync(1, 'turned\n');
});
setInterval(() => {}, 1000);
console.log('ready');
