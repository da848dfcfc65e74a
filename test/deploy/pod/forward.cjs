// Runs in a pod's network namespace, and does what the container runtime does for `kubectl port-forward`: dials localhost
// there. Unix sockets cross network namespaces; one connection to argv[2] is one connection to port argv[3].
'use strict';

const { connect, createServer } = require('node:net');

const [, , path, port] = process.argv;
const server = createServer({ allowHalfOpen: true }, (outside) => {
  const inside = connect({ port: Number(port), host: '127.0.0.1', allowHalfOpen: true });
  for (const [from, to] of [
    [outside, inside],
    [inside, outside],
  ]) {
    from.on('error', () => to.destroy());
    from.pipe(to);
  }
});
server.listen(path, () => console.log('ready'));
// Whoever started this is gone.
process.stdin.resume().on('end', () => process.exit());
