// Stands in for kubectl before the pod of a test: `get` tells of it, `exec` goes into the container, `port-forward` to the port that is forwarded.
//   node kubectl-command.cjs CLUSTER.json …kubectl's arguments
'use strict';

const { spawn } = require('node:child_process');
const { readFileSync } = require('node:fs');
const { connect, createServer } = require('node:net');

const [, , file, ...argv] = process.argv;
const { execCommands, environment, forwardedPorts, pods } = JSON.parse(readFileSync(file, 'utf8'));

if (argv.includes('exec')) {
  const container = argv.find((word) => word.startsWith('--container=')).slice('--container='.length);
  const [command, ...args] = [...execCommands[container], ...argv.slice(argv.indexOf('--') + 1)];
  const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, ...environment } });
  child.on('exit', (code) => (process.exitCode = code ?? 1));
} else if (argv.includes('get')) {
  console.log(JSON.stringify(pods));
} else {
  const [local, remote] = argv.at(-1).split(':');
  const server = createServer((socket) => {
    const pod = connect(forwardedPorts[remote], '127.0.0.1');
    socket.on('error', () => pod.destroy()).pipe(pod);
    pod.on('error', () => socket.destroy()).pipe(socket);
  });
  server.listen(Number(local), '127.0.0.1', () =>
    console.log(`Forwarding from 127.0.0.1:${server.address().port} -> ${remote}`),
  );
}
