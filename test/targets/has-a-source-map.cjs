// Spins for a minute in `spinMapped` once asked; its source map says that all of it is line 1 of original.ts.
require('./lifeline.cjs');

function spinMapped(endMs) {
  let x = 0;
  while (Date.now() < endMs) x = (x * 31 + 1) | 0;
  return x;
}

process.on('message', () => {
  require('node:fs').writeSync(1, 'stuck\n');
  spinMapped(Date.now() + 60_000);
});
setInterval(() => {}, 1000);
console.log('ready');
//# sourceMappingURL=data:application/json;base64,eyJ2ZXJzaW9uIjozLCJzb3VyY2VzIjpbIm9yaWdpbmFsLnRzIl0sIm5hbWVzIjpbXSwibWFwcGluZ3MiOiJBQUFBO0FBQUE7QUFBQTtBQUFBO0FBQUE7QUFBQTtBQUFBO0FBQUE7QUFBQTtBQUFBO0FBQUE7QUFBQTtBQUFBO0FBQUE7QUFBQTtBQUFBIn0=
