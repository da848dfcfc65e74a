// Burns CPU in `burn`; on any message: the event loop empties and the process ends with code 0.
import './lifeline.cjs';

function burn(durationMs) {
  const endMs = performance.now() + durationMs;
  let x = 0;
  while (performance.now() < endMs) for (let i = 0; i < 1e4; i++) x = (x * 31 + i) | 0;
  return x;
}

const timer = setInterval(burn, 5, 10);
process.on('message', () => clearInterval(timer));
console.log('ready');
