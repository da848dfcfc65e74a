// The CommonJS twin of es-module.
require('./lifeline.cjs');

function burnInScript(durationMs) {
  const endMs = performance.now() + durationMs;
  let x = 0;
  while (performance.now() < endMs) x = (x * 31 + 1) | 0;
  return x;
}

setInterval(burnInScript, 20, 10);
console.log('ready');
