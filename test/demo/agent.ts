import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '../support/wait-for.ts';
import { repositoryFolder, startDemoProcess } from './processes.ts';
import type { DemoProcess } from './processes.ts';

/**
 * Starts the built agent beside the shop, on the terminal, where it prints its address and token. Resolves when it is
 * live. Profiles are kept in a temporary directory that goes with the demo.
 */
export async function startAgent(options: { inspectorAddress: string; signal: AbortSignal }): Promise<DemoProcess> {
  await using stack = new AsyncDisposableStack();
  const dataFolder = await mkdtemp(join(tmpdir(), 'sidescope-demo-'));
  stack.defer(() => rm(dataFolder, { recursive: true, force: true }));
  const opsAddress = `127.0.0.1:${await freePort()}`;
  const agent = stack.use(
    startDemoProcess({
      name: 'agent',
      execArgv: ['--disable-sigusr1'],
      args: [
        join(repositoryFolder, 'dist', 'agent', 'main.mjs'),
        ...['--target', options.inspectorAddress],
        ...['--admin-address', '127.0.0.1:0'],
        ...['--ops-address', opsAddress],
        ...['--data-dir', dataFolder],
      ],
      terminal: true,
    }),
  );
  const answered = new AbortController();
  try {
    const signal = AbortSignal.any([options.signal, answered.signal]);
    await Promise.race([isLive(opsAddress, signal), agent.ended.then(failEarly)]);
  } finally {
    answered.abort();
  }
  const started = stack.move();
  return { ...agent, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

async function isLive(opsAddress: string, signal: AbortSignal): Promise<void> {
  await waitFor(async () => (await fetch(`http://${opsAddress}/livez`, { signal: AbortSignal.timeout(1_000) })).ok, {
    deadlineMs: 15_000,
    message: `the agent to answer at ${opsAddress}/livez`,
    signal,
  });
}

function failEarly(how: string): never {
  throw new Error(`${how} before it was ready`);
}

async function freePort(): Promise<number> {
  await using server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
