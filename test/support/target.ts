import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { nodePath } from './node-versions.ts';
import { waitFor } from './wait-for.ts';

export interface TargetOptions {
  /** Major version, one of `test/node-versions`. 24 unless told. */
  readonly node?: number;
  readonly args?: readonly string[];
  /** `--inspect=127.0.0.1:0` unless told; `[]` starts it without an inspector. */
  readonly execArgv?: readonly string[];
  /** Added to a minimal environment: targets never see the NODE_OPTIONS of the test run. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface TargetExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** `performance.now()` of this process when the exit was seen. */
  readonly atMs: number;
}

export interface RunningTarget extends AsyncDisposable {
  readonly pid: number;
  /** Throws when the target was started without `--inspect`. */
  readonly inspectorPort: number;
  /** `127.0.0.1:PORT`, as `--target` takes it. */
  readonly inspectorAddress: string;
  /** What it printed so far. */
  readonly stdout: string;
  readonly stderr: string;
  readonly exited: Promise<TargetExit>;
  /** Waits until stdout or stderr matches. 20 s unless told. */
  waitForOutput(pattern: RegExp, deadlineMs?: number): Promise<RegExpExecArray>;
  /** Sends one message over IPC; targets get it as `process.on('message')`. */
  send(message: unknown): Promise<void>;
  kill(signal?: NodeJS.Signals): void;
}

/**
 * Starts `test/targets/<name>.mjs` or `.cjs`, or the file at an absolute path, as a real process and returns once its inspector listens and it printed
 * `ready`. Disposal kills it hard and waits for its end; the end of this process kills it too.
 */
export async function startTarget(name: string, options: TargetOptions = {}): Promise<RunningTarget> {
  const { node = 24, args = [], execArgv = ['--inspect=127.0.0.1:0'], env = {}, cwd } = options;
  const child = spawn(nodePath(node), [...execArgv, targetFile(name), ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { PATH: process.env['PATH'], ...env },
    cwd,
  });
  const target = watch(child, `target ${name} on Node ${node}`);
  try {
    await target.waitForOutput(/^ready$/m);
    // Two pipes: `ready` may arrive before the earlier line of the other one.
    if (execArgv.some((argument) => argument.startsWith('--inspect')))
      await target.waitForOutput(/Debugger listening on /);
    return target;
  } catch (error) {
    await target[Symbol.asyncDispose]();
    throw error;
  }
}

const children = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

function targetFile(name: string): string {
  const base = resolve(import.meta.dirname, '..', 'targets', name);
  const file = [base, `${base}.mjs`, `${base}.cjs`].find((candidate) => existsSync(candidate));
  if (file === undefined) throw new Error(`no test target ${base}.mjs or .cjs`);
  return file;
}

function watch(child: ChildProcess, what: string): RunningTarget {
  let stdout = '';
  let stderr = '';
  let ended: TargetExit | undefined;
  let failure: Error | undefined;
  /** Behind its end: all that it printed was read. */
  let isRead = false;
  const { promise: exited, resolve } = Promise.withResolvers<TargetExit>();
  children.add(child);
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.once('exit', (code, signal) => {
    children.delete(child);
    resolve((ended = { code, signal, atMs: performance.now() }));
  });
  child.once('close', () => (isRead = true));
  child.on('error', (error) => {
    failure = error;
    // A process that never started has no exit event.
    if (child.pid === undefined) {
      children.delete(child);
      isRead = true;
      resolve((ended = { code: null, signal: null, atMs: performance.now() }));
    }
  });

  const inspectorPort = (): number => {
    // The last one: an inspector that was closed and opened again has a new port.
    const port = [...stderr.matchAll(/Debugger listening on ws:\/\/[^/]+:(\d+)\//g)].at(-1)?.[1];
    if (port === undefined) throw new Error(`${what} has no inspector; stderr: ${stderr}`);
    return Number(port);
  };

  return {
    get pid() {
      return child.pid ?? -1;
    },
    get inspectorPort() {
      return inspectorPort();
    },
    get inspectorAddress() {
      return `127.0.0.1:${inspectorPort()}`;
    },
    get stdout() {
      return stdout;
    },
    get stderr() {
      return stderr;
    },
    exited,
    async waitForOutput(pattern, deadlineMs = 20_000) {
      const seen = await waitFor(
        () => {
          const match = pattern.exec(stdout) ?? pattern.exec(stderr);
          return match ?? (isRead ? ('ended' as const) : undefined);
        },
        { deadlineMs, message: () => `${pattern} from ${what}; stdout: ${stdout}; stderr: ${stderr}` },
      );
      if (seen !== 'ended') return seen;
      throw new Error(
        `${what} ended (code ${ended?.code}, signal ${ended?.signal}) before it printed ${pattern}; stdout: ${stdout}; stderr: ${stderr}`,
        { cause: failure },
      );
    },
    send: (message) =>
      new Promise((done, failed) => {
        child.send(message as object, (error) => (error === null ? done() : failed(error)));
      }),
    kill(signal = 'SIGKILL') {
      child.kill(signal);
    },
    async [Symbol.asyncDispose]() {
      if (ended === undefined) child.kill('SIGKILL');
      await exited;
      child.stdout?.destroy();
      child.stderr?.destroy();
    },
  };
}
