import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Operation } from '../../protocol/rest/operation.ts';
import { waitFor } from './wait-for.ts';

const bundle = join(import.meta.dirname, '../../dist/agent/main.mjs');

export interface AgentProcess extends AsyncDisposable {
  readonly pid: number;
  /** `http://127.0.0.1:PORT/api/v1/profiling`. */
  readonly api: string;
  readonly opsUrl: string;
  readonly token: string;
  /** Its stderr so far. */
  readonly log: string;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** With the token; `path` begins with a slash, below the API. */
  request(
    path: string,
    options?: { method?: string; headers?: Record<string, string>; signal?: AbortSignal },
  ): Promise<Response>;
  json<T>(path: string, options?: { method?: string }): Promise<T>;
  /** Polls an operation until `condition` holds. */
  operation(id: string, condition: (operation: Operation) => boolean, deadlineMs?: number): Promise<Operation>;
  kill(signal: NodeJS.Signals): void;
}

export interface AgentProcessOptions {
  readonly targets: readonly string[];
  readonly args?: readonly string[];
  /** Kept by the caller; one of its own, removed at the end, unless told. */
  readonly dataDirectory?: string;
  /** Run before the agent in a mount namespace of its own, as `sh`: `$DATA` is the data directory. */
  readonly mount?: string;
}

/** The built bundle as a process of its own, with free ports. Returns when it says that it is ready. */
export async function startAgentProcess(options: AgentProcessOptions): Promise<AgentProcess> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'sidescope-agent-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const token = `sst_${randomBytes(32).toString('base64url')}`;
  const tokenFile = join(folder, 'tokens.json');
  const sha256 = createHash('sha256').update(token).digest('hex');
  await writeFile(tokenFile, JSON.stringify({ tokens: [{ name: 'tester', sha256, scopes: ['admin'] }] }));
  const dataDirectory = options.dataDirectory ?? join(folder, 'data');
  const command = [
    process.execPath,
    '--disable-sigusr1',
    bundle,
    ...options.targets.flatMap((target) => ['--target', target]),
    ...['--data-dir', dataDirectory, '--token-file', tokenFile],
    ...['--admin-address', '127.0.0.1:0', '--ops-address', '127.0.0.1:0'],
    ...otlpAddress(options.args),
    ...(options.args ?? []),
  ];
  const { mount } = options;
  // As root a mount namespace is enough; other users need a user namespace around it.
  const namespace = process.getuid?.() === 0 ? ['-m'] : ['-r', '-m'];
  const [file = '', ...args] =
    mount === undefined ? command : ['unshare', ...namespace, 'sh', '-ec', `${mount}; exec "$@"`, 'sh', ...command];
  const child = spawn(file, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'], DATA: dataDirectory },
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
  let hasExited = false;
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('exit', (code, signal) => {
      hasExited = true;
      resolve({ code, signal });
    });
  });
  stack.defer(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  const ready = await waitFor(
    () => {
      if (hasExited) throw new Error(`the agent ended: ${log}`);
      return /"admin":"([^"]+)","ops":"([^"]+)","msg":"sidescope is ready"/.exec(log);
    },
    { message: () => `the agent to be ready; its log: ${log}` },
  );
  const api = `${ready[1]}/api/v1/profiling`;
  const request: AgentProcess['request'] = (path, init = {}) =>
    fetch(`${api}${path}`, { ...init, headers: { authorization: `Bearer ${token}`, ...init.headers } });
  const json = async <T>(path: string, init?: { method?: string }): Promise<T> =>
    (await (await request(path, init)).json()) as T;
  const resources = stack.move();
  return {
    pid: child.pid ?? -1,
    api,
    opsUrl: ready[2] ?? '',
    token,
    get log() {
      return log;
    },
    exited,
    request,
    json,
    operation: (id, condition, deadlineMs = 30_000) =>
      waitFor(
        async () => {
          const operation = await json<Operation>(`/operations/${id}`);
          return condition(operation) && operation;
        },
        { deadlineMs, message: `operation ${id}` },
      ),
    kill: (signal) => void child.kill(signal),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Attached to its first target. */
export async function untilAttached(
  agent: AgentProcess,
  { index = 0, deadlineMs }: { index?: number; deadlineMs?: number } = {},
): Promise<void> {
  await waitFor(
    async () => {
      const { targets } = await agent.json<{ targets: { state: { state: string } }[] }>('/targets');
      return targets[index]?.state.state === 'attached';
    },
    { message: `target ${index} attached`, deadlineMs },
  );
}

/** Off unless the test names one: two agents at once cannot both have the default port. */
export function otlpAddress(args: readonly string[] = []): string[] {
  return args.includes('--otlp-address') ? [] : ['--otlp-address', 'off'];
}
