// Burns CPU in `burn`, 20 ms at a time, with a turn of the event loop in between.
import './lifeline.cjs';

function burn(durationMs) {
  const endMs = performance.now() + durationMs;
  let x = 0;
  while (performance.now() < endMs) for (let i = 0; i < 1e4; i++) x = (x * 31 + i) | 0;
  return x;
}

setInterval(function turn() {
  burn(20);
}, 5);
console.log('ready');
