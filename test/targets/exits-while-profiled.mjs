// Burns CPU in `burn`; on any message: process.exit(7).
import './lifeline.cjs';

function burn(durationMs) {
  const endMs = performance.now() + durationMs;
  let x = 0;
  while (performance.now() < endMs) for (let i = 0; i < 1e4; i++) x = (x * 31 + i) | 0;
  return x;
}

setInterval(burn, 5, 10);
process.on('message', () => process.exit(7));
console.log('ready');
