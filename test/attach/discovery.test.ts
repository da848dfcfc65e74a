import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { discoverInspector } from '../../agent/attach/discovery.ts';

const fixture = (name: string): Buffer => readFileSync(join(import.meta.dirname, '../fixtures/tls', name));

test.for<[string, Server, string, RegExp]>([
  [
    'TLS',
    createTlsServer({ key: fixture('key.pem'), cert: fixture('certificate.pem') }),
    'inspector-unreachable',
    / ended the connection without an answer \(ECONNRESET\): an inspector speaks HTTP without TLS/,
  ],
  [
    'another protocol',
    createServer((socket) => socket.on('data', () => socket.end('SSH-2.0-OpenSSH\r\n'))),
    'inspector-bad-answer',
    / does not speak HTTP \(HPE_\w+\): another server has this port/,
  ],
])('a port where %s is spoken is told to be no inspector', async ([, server, code, message]) => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    const { signal } = new AbortController();
    const failure = expect(discoverInspector({ host: '127.0.0.1', port }, { timeoutMs: 10_000, signal })).rejects;
    await failure.toMatchObject({ code, message: expect.stringMatching(message) as string });
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});
