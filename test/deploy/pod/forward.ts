import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pod } from './pod.ts';

export interface Forwarding extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` on this machine. */
  readonly url: string;
}

/** `kubectl port-forward`: a port of this machine to localhost of the pod, whatever runs there at the time. */
export async function forwardPort(pod: Pod, port: number): Promise<Forwarding> {
  await using stack = new AsyncDisposableStack();
  const directory = mkdtempSync(join(tmpdir(), 'sidescope-forward-'));
  stack.defer(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'socket');
  const script = join(import.meta.dirname, 'forward.cjs');
  const inside = spawn('nsenter', ['-t', String(pod.networkPid), '-n', process.execPath, script, path, String(port)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  stack.defer(async () => {
    if (inside.exitCode !== null) return;
    inside.kill();
    await once(inside, 'exit');
  });
  await once(inside.stdout, 'data');

  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const tunnel = connect({ path, allowHalfOpen: true });
    for (const [from, to] of [
      [client, tunnel],
      [tunnel, client],
    ] as const) {
      open.add(from);
      from.once('close', () => open.delete(from));
      from.on('error', () => to.destroy());
      from.pipe(to);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stack.defer(async () => {
    for (const socket of open) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  const resources = stack.move();
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
