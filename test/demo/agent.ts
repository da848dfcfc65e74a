import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scopes } from '../../protocol/rest/route.ts';
import { freePort } from '../support/free-port.ts';
import { waitFor } from '../support/wait-for.ts';
import { demoFolder, repositoryFolder, startDemoProcess } from './processes.ts';
import type { DemoProcess } from './processes.ts';

export interface DemoAgent extends AsyncDisposable {
  readonly process: DemoProcess;
  readonly adminUrl: string;
  /** With its token. Undefined on a terminal: there the agent makes a token and prints the address itself. */
  readonly dashboardUrl: string | undefined;
}

/**
 * Starts the built agent beside the shop, and resolves when it is live. Profiles are kept in a temporary directory that
 * goes with the demo.
 */
export async function startAgent(options: {
  inspectorAddress: string;
  /** Where the shop sends its spans. */
  otlpAddress: string;
  /** The shop's own page. */
  metricsUrl: string;
  signal: AbortSignal;
}): Promise<DemoAgent> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'sidescope-demo-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  // Into a pipe or a file the agent prints nothing secret, so there the token must be ours.
  const token = process.stderr.isTTY ? undefined : randomBytes(24).toString('base64url');
  const [adminPort, opsPort] = [await freePort(), await freePort()];
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  const agent = stack.use(
    startDemoProcess({
      name: 'agent',
      execArgv: ['--disable-sigusr1'],
      args: [
        join(repositoryFolder, 'dist', 'agent', 'main.mjs'),
        '--strict',
        ...['--config', join(demoFolder, 'sidescope.yaml')],
        ...['--target', options.inspectorAddress],
        ...['--admin-address', `127.0.0.1:${adminPort}`],
        ...['--ops-address', `127.0.0.1:${opsPort}`],
        ...['--otlp-address', options.otlpAddress],
        ...['--metrics-url', options.metricsUrl, '--metrics-interval', '15s'],
        ...['--data-dir', join(folder, 'data')],
        ...(token === undefined ? [] : ['--token-file', await writeTokenFile(folder, token)]),
      ],
      terminal: true,
    }),
  );
  const answered = new AbortController();
  try {
    const signal = AbortSignal.any([options.signal, answered.signal]);
    await Promise.race([isLive(`http://127.0.0.1:${opsPort}/livez`, signal), agent.ended.then(failEarly)]);
  } finally {
    answered.abort();
  }
  const started = stack.move();
  return {
    process: agent,
    adminUrl,
    dashboardUrl: token === undefined ? undefined : `${adminUrl}/api/v1/profiling/ui#token=${token}`,
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

async function writeTokenFile(folder: string, token: string): Promise<string> {
  const file = join(folder, 'tokens.json');
  const sha256 = createHash('sha256').update(token).digest('hex');
  await writeFile(file, JSON.stringify({ tokens: [{ name: 'demo', sha256, scopes }] }), { mode: 0o600 });
  return file;
}

async function isLive(url: string, signal: AbortSignal): Promise<void> {
  await waitFor(async () => (await fetch(url, { signal: AbortSignal.timeout(1_000) })).ok, {
    deadlineMs: 15_000,
    message: `the agent to answer at ${url}`,
    signal,
  });
}

function failEarly(how: string): never {
  throw new Error(`${how} before it was ready`);
}

/** For what has to be known before it listens: the shop is started before the agent, and told where spans go. */
export async function freeAddress(): Promise<string> {
  return `127.0.0.1:${await freePort()}`;
}
