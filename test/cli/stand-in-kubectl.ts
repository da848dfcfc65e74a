// Stands in for kubectl and the cluster behind it: `exec` runs the command here, `port-forward` forwards to a port here.
//   node stand-in-kubectl.ts CLUSTER.json …kubectl's arguments
import { spawn } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

export interface Cluster {
  /** Where each call is noted, one JSON line with its pid and arguments. */
  readonly calls: string;
  /** Environment of what exec runs: that of the container. */
  readonly environment: Readonly<Record<string, string>>;
  /** What the verb says instead of doing anything. */
  readonly refuses: { readonly exec?: string; readonly 'port-forward'?: string };
}

const [clusterFile = '', ...argv] = process.argv.slice(2);
const cluster = JSON.parse(readFileSync(clusterFile, 'utf8')) as Cluster;
appendFileSync(cluster.calls, `${JSON.stringify({ pid: process.pid, argv })}\n`);
const verb = argv.find((word) => !word.startsWith('-'));
const refusal = verb === 'exec' || verb === 'port-forward' ? cluster.refuses[verb] : `no verb ${verb ?? ''} here`;

if (refusal !== undefined) {
  process.stderr.write(`${refusal}\n`);
  process.exitCode = 1;
} else if (verb === 'exec') {
  const [command = '', ...args] = argv.slice(argv.indexOf('--') + 1);
  const child = spawn(command, args, { stdio: 'inherit', env: { ...cluster.environment } });
  child.on('exit', (code) => {
    if (code !== 0) process.stderr.write(`command terminated with exit code ${code}\n`);
    process.exitCode = code ?? 1;
  });
} else {
  const [local = '', remote = ''] = (argv.at(-1) ?? '').split(':');
  const server = createServer((socket) => {
    const upstream = connect(Number(remote), '127.0.0.1');
    socket.pipe(upstream).pipe(socket);
    socket.on('error', () => upstream.destroy());
    upstream.on('error', () => {
      process.stderr.write('error: lost connection to pod\n');
      process.exit(1);
    });
  });
  server.listen(Number(local), '127.0.0.1', () => {
    process.stdout.write(`Forwarding from 127.0.0.1:${(server.address() as AddressInfo).port} -> ${remote}\n`);
  });
}
