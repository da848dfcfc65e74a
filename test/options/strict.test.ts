import { mkdtempDisposable } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startAgent } from '../../agent/agent.ts';
import { resolveOptions } from '../../agent/options.ts';
import { readSmallFile } from '../../agent/options/config-file.ts';
import { createLog } from '../../agent/telemetry/log.ts';

it.each([
  [['--disk-budget', 'nonsense'], ['options']],
  [['--token-file', '/nonexistent/tokens'], ['authentication']],
])('with --strict and %j nothing listens, not even for a moment, and no target is touched', async (args, expected) => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'sidescope-strict-'));
  await using inspector = await countingServer();
  const { features, logged } = await startedWith([
    ...['--strict', '--data-dir', directory.path, '--target', `127.0.0.1:${inspector.port}`, ...args],
  ]);
  expect(features.filter(({ state }) => state === 'failed').map(({ name }) => name)).toEqual(expected);
  for (const name of ['admin', 'ops', 'control-socket', 'otlp'])
    expect(features.find((feature) => feature.name === name)?.state, name).toBe('off');
  expect(logged.join('')).not.toMatch(/OTLP is received|listening/);
  expect(inspector.connections()).toBe(0);
});

it('with --strict and a taken port no span is received', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'sidescope-strict-'));
  await using taken = await countingServer();
  const { features, logged } = await startedWith([
    ...['--strict', '--data-dir', directory.path, '--ops-address', `127.0.0.1:${taken.port}`],
  ]);
  expect(features.filter(({ state }) => state === 'failed').map(({ name }) => name)).toEqual(['ops']);
  expect(logged.join('')).not.toMatch(/OTLP is received/);
});

async function startedWith(args: readonly string[]) {
  const logged: string[] = [];
  const log = createLog({ level: 'info', destination: { write: (line) => logged.push(line) } });
  const usual = ['--admin-address', '--ops-address', '--otlp-address'].flatMap((name) =>
    args.includes(name) ? [] : [name, '127.0.0.1:0'],
  );
  const resolved = await resolveOptions({
    argv: [...args, ...usual],
    environment: {},
    readFile: readSmallFile,
    isTerminal: false,
  });
  const agent = await startAgent(resolved, { log, environment: {} });
  const features = agent.features();
  await agent.close({ graceMs: 0 });
  return { features, logged };
}

async function countingServer() {
  let count = 0;
  const server = net.createServer((socket) => {
    count++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as net.AddressInfo).port,
    connections: () => count,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => void server.close(() => resolve())),
  };
}
