// An ES module in strict mode: `require`, `module` and `this` do not exist at its top level. Burns CPU in `burnInModule`.
import './lifeline.cjs';

export function burnInModule(durationMs) {
  const endMs = performance.now() + durationMs;
  let x = 0;
  while (performance.now() < endMs) x = (x * 31 + 1) | 0;
  return x;
}

setInterval(burnInModule, 20, 10);
console.log(typeof require === 'undefined' && this === undefined ? 'ready' : 'not a module');
