import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startDemo } from '../support/demo.ts';
import { isAlive } from '../support/is-alive.ts';
import { waitFor } from '../support/wait-for.ts';
import type { Backend } from './backend.ts';

describe('the shop', () => {
  let shop: Backend;
  beforeAll(async () => {
    shop = await startDemo({ load: false });
  });
  afterAll(() => shop[Symbol.asyncDispose]());

  it('lists products from the database, page by page', async () => {
    const rows = await getJson<{ id: number; name: string }[]>(`${shop.shopUrl}/products?after=40`);
    expect(rows).toHaveLength(20);
    expect(rows[0]).toMatchObject({ id: 41, name: 'Marble bowl No. 41' });
  });

  it('renders a report that has the product itself on top', async () => {
    const text = await getText(`${shop.shopUrl}/products/17/report`);
    expect(text.split('\n')[2]).toBe('1.000  Cedar clock No. 17');
  });

  it('answers 404 for a product that it does not have', async () => {
    expect((await fetch(`${shop.shopUrl}/products/9999/report`)).status).toBe(404);
  });

  it('searches in the database', async () => {
    const rows = await getJson<{ name: string; related: number }[]>(`${shop.shopUrl}/search?q=LAMP`);
    expect(rows).toHaveLength(20);
    expect(rows.every(({ name }) => name.includes('lamp'))).toBe(true);
  });

  it('remembers every session', async () => {
    const before = await metric(shop, 'shop_sessions');
    const answers = await Promise.all([1, 2, 3].map(() => fetch(`${shop.shopUrl}/sessions`, { method: 'POST' })));
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201]);
    expect(await metric(shop, 'shop_sessions')).toBe(before + 3);
  });

  it('signs invoices and checks their reference', async () => {
    expect(await getJson(`${shop.shopUrl}/invoices/5?ms=1&reference=aaaaaaaaaa!`)).toMatchObject({
      id: '5',
      seal: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      hasProperReference: false,
    });
  });

  it('answers while healthy', async () => {
    expect(await getJson(`${shop.shopUrl}/healthz`)).toEqual({ status: 'ok' });
  });

  it('shows its series on the metrics page', async () => {
    await getText(`${shop.shopUrl}/products`);
    const page = await getText(`${shop.shopUrl}/metrics`);
    expect(page).toContain(
      'http_request_duration_seconds_bucket{le="0.005",method="GET",route="/products",status="200"}',
    );
    expect(page).toContain('nodejs_eventloop_lag_seconds');
  });

  it('has its inspector open', async () => {
    const list = await getJson<{ url: string }[]>(`http://${shop.inspectorAddress}/json/list`);
    expect(list[0]?.url).toMatch(/test\/demo\/shop\/main\.ts$/);
  });
});

describe('startDemo', () => {
  it('sends spans of request, middleware and query to the collector it is told, and leaves no process behind', async () => {
    await using collector = await startCollector();
    let pids: number[];
    {
      await using demo = await startDemo({ load: true, otlpEndpoint: collector.url });
      pids = demo.processes.map(({ pid }) => pid);
      expect(pids.map(isAlive)).toEqual([true, true, true]);
      await getText(`${demo.shopUrl}/products`);
      // Read as text: the names stand in the protobuf bodies as they are.
      await waitFor(() => ['shop', 'GET /products', 'pg.query:SELECT', 'middleware'].every(collector.saw), {
        deadlineMs: 20_000,
        message: () => `spans; ${collector.describe()}`,
      });
    }
    expect(collector.paths).toEqual(new Set(['/v1/traces']));
    expect(pids.map(isAlive)).toEqual([false, false, false]);
  });
});

describe('npm run demo', () => {
  it('prints where everything is and ends with all its processes on SIGTERM', async () => {
    await using launcher = await startLauncher();
    expect(launcher.output()).toContain(`shop        ${launcher.shopUrl}`);
    launcher.kill('SIGTERM');
    expect(await launcher.exited).toEqual([0, null]);
    expect(launcher.output()).toContain('demo: stopping everything (SIGTERM)');
    expect(launcher.pids.map(isAlive)).toEqual([false, false, false]);
  });

  it('ends everything and says which process ended first', async () => {
    await using launcher = await startLauncher();
    process.kill(launcher.pids[1] ?? 0, 'SIGKILL');
    expect(await launcher.exited).toEqual([1, null]);
    expect(launcher.output()).toContain('demo: the shop was killed by SIGKILL; stopping everything');
    expect(launcher.pids.map(isAlive)).toEqual([false, false, false]);
  });

  it('stops what it has started so far when told to during the start', async () => {
    await using launcher = await startLauncher({ until: 'starting' });
    const [database] = await waitFor(() => childrenOf(launcher.pid), { message: 'the first process' });
    launcher.kill('SIGTERM');
    expect(await launcher.exited).toEqual([0, null]);
    expect(isAlive(database ?? 0)).toBe(false);
  });

  it('refuses an option that it does not have', async () => {
    await using launcher = await startLauncher({ args: ['--without-everything'], until: 'starting' });
    expect(await launcher.exited).toEqual([1, null]);
    expect(launcher.output()).toMatch(/^demo: .*--without-everything/);
  });

  it('runs the agent beside the shop and prints the address of the page with its token', async () => {
    await using folder = await temporaryFolder();
    await using launcher = await startLauncher({ args: ['--without-load'], agent: true, temporaryFolder: folder.path });
    const link = new URL(/Dashboard: (\S+)$/m.exec(launcher.output())?.[1] ?? 'none');
    const [, token] = link.hash.split('=');
    expect((await fetch(link)).status).toBe(200);
    const targets = await fetch(new URL('/api/v1/profiling/targets', link), {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(JSON.stringify(await targets.json())).toContain(launcher.inspectorAddress);
    launcher.kill('SIGINT');
    expect(await launcher.exited, launcher.output()).toEqual([0, null]);
    expect(launcher.pids.map(isAlive)).toEqual([false, false, false]);
    expect(await readdir(folder.path)).toEqual([]);
  });

  it('leaves no agent behind when it is killed itself', async () => {
    await using folder = await temporaryFolder();
    await using launcher = await startLauncher({ args: ['--without-load'], agent: true, temporaryFolder: folder.path });
    launcher.kill('SIGKILL');
    await waitFor(() => !launcher.pids.some(isAlive), {
      message: () =>
        `the end of ${launcher.pids.filter(isAlive).join(', ')} (database, shop, agent: ${launcher.pids.join(', ')})`,
    });
  });

  it('leaves no orphan when it is killed itself', async () => {
    await using launcher = await startLauncher();
    launcher.kill('SIGKILL');
    await launcher.exited;
    await waitFor(() => !launcher.pids.some(isAlive), {
      message: () =>
        `the end of ${launcher.pids.filter(isAlive).join(', ')} (database, shop, load: ${launcher.pids.join(', ')})`,
    });
  });
});

interface Addresses {
  readonly shopUrl: string;
  readonly inspectorAddress: string;
  readonly pids: readonly number[];
}

interface Launcher extends AsyncDisposable {
  readonly pid: number;
  readonly shopUrl: string;
  readonly inspectorAddress: string;
  readonly pids: readonly number[];
  readonly exited: Promise<unknown[]>;
  output(): string;
  kill(signal: NodeJS.Signals): void;
}

interface LauncherOptions {
  readonly args?: readonly string[];
  readonly agent?: boolean;
  readonly until?: 'starting' | 'ready';
  readonly temporaryFolder?: string;
}

async function startLauncher(options: LauncherOptions = {}): Promise<Launcher> {
  const { args = [], agent = false, until = 'ready', temporaryFolder = tmpdir() } = options;
  const main = join(import.meta.dirname, 'main.ts');
  const child = spawn(process.execPath, [main, ...(agent ? [] : ['--without-agent']), ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, TMPDIR: temporaryFolder },
  });
  let output = '';
  let ready = undefined as Addresses | undefined;
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.on('message', (message: { ready: Addresses }) => (ready = message.ready));
  const exited = once(child, 'exit');
  // `close` comes after the last output.
  const closed = once(child, 'close');
  await using stack = new AsyncDisposableStack();
  stack.defer(async () => {
    child.kill('SIGKILL');
    await closed;
  });
  await waitFor(() => (until === 'ready' ? ready : output), {
    deadlineMs: 30_000,
    message: () => `the demo to be ${until}; ${output}`,
  });
  const started = stack.move();
  return {
    pid: child.pid ?? 0,
    shopUrl: ready?.shopUrl ?? '',
    inspectorAddress: ready?.inspectorAddress ?? '',
    pids: ready?.pids ?? [],
    exited: exited.then(async (end) => {
      if (end[1] === null) await closed;
      return end as unknown[];
    }),
    output: () => output,
    kill: (signal) => child.kill(signal),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

async function startCollector(): Promise<
  AsyncDisposable & { url: string; paths: Set<string>; saw: (text: string) => boolean; describe: () => string }
> {
  const paths = new Set<string>();
  let text = '';
  const server = createServer((request, response) => {
    paths.add(request.url ?? '');
    request.setEncoding('latin1').on('data', (part: string) => (text += part));
    request.on('end', () => response.end());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    paths,
    saw: (wanted) => text.includes(wanted),
    describe: () => `${text.length} bytes at ${[...paths].join(' ')}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function temporaryFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'sidescope-test-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

function childrenOf(pid: number): number[] | undefined {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? undefined : text.split(' ').map(Number);
}

async function metric(shop: Backend, name: string): Promise<number> {
  const page = await getText(`${shop.shopUrl}/metrics`);
  const value = new RegExp(`^${name} (\\d+)$`, 'm').exec(page)?.[1];
  if (value === undefined) throw new Error(`no ${name} on the metrics page`);
  return Number(value);
}

async function getText(url: string): Promise<string> {
  const answer = await fetch(url);
  expect(answer.status, url).toBe(200);
  return await answer.text();
}

async function getJson<T>(url: string): Promise<T> {
  return JSON.parse(await getText(url)) as T;
}
