// Compiles and runs some megabytes of code (argument), then asks its timer every millisecond whether it is late. On {}: prints the `worst` lateness since the last time, in ms.
const { writeSync } = require('node:fs');
const vm = require('node:vm');
require('./lifeline.cjs');

let loaded = 0;
for (let part = 0; loaded < Number(process.argv[2] ?? 10) * 1e6; part++) {
  let source = '';
  for (let index = 0; index < 400; index++)
    source += `function f${part}_${index}(a, b) { let s = 0; for (let i = 0; i < b; i++) { s += (a * i) % 7; if (s > 100) s -= b; } return [s, a, b, "text ${index}"].join("-"); }\nf${part}_${index}(1, 2);\n`;
  vm.runInThisContext(source, { filename: `/srv/part-${part}.js` });
  loaded += source.length;
}

let lastMs = performance.now();
let worstMs = 0;
setInterval(() => {
  const nowMs = performance.now();
  worstMs = Math.max(worstMs, nowMs - lastMs - 1);
  lastMs = nowMs;
}, 1);
process.on('message', () => {
  writeSync(1, `worst ${worstMs.toFixed(2)}\n`);
  worstMs = 0;
});
console.log('ready');
