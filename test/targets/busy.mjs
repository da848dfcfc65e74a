// Burns CPU in `burn`, 20 ms at a time, with a turn of the event loop in between.
import './lifeline.cjs';

function burn(durationMs) {
  const endMs = performance.now() + durationMs;
  let x = 0;
  while (performance.now() < endMs) for (let i = 0; i < 1e4; i++) x = (x * 31 + i) | 0;
  return x;
}

// The timer calls `burn` itself: V8 would inline it into a small caller, and a profiler that starts later names only the caller.
setInterval(burn, 5, 20);
console.log('ready');
