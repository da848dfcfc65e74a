import { spawn } from 'node:child_process';
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { join } from 'node:path';

export interface DemoProcessOptions {
  readonly name: string;
  /** Arguments of Node, from the script on. */
  readonly args: readonly string[];
  readonly execArgv?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly terminal?: boolean;
}

/** Disposal sends SIGTERM, after 5 s SIGKILL, and waits for the end. */
export interface DemoProcess extends AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  /** Resolves with a sentence that says how it ended. */
  readonly ended: Promise<string>;
  /** Waits for the `{ready}` message. Rejects when it ends before, after 15 s, and with the signal's reason. */
  ready<T>(signal?: AbortSignal): Promise<T>;
}

/**
 * Starts one process of the demo on this Node. It ends with us: by disposal, and through the preloaded lifeline when we
 * cannot say goodbye. In a session of its own, so that Ctrl-C reaches only the launcher and the order of the end is ours.
 */
export function startDemoProcess(options: DemoProcessOptions): DemoProcess {
  const { name, args, execArgv = [], env = {}, terminal = false } = options;
  const stdio: StdioOptions = terminal
    ? ['inherit', 'inherit', 'inherit', 'ipc']
    : ['ignore', 'inherit', 'inherit', 'ipc'];
  const lifeline = new URL('lifeline.ts', import.meta.url).href;
  const child = spawn(process.execPath, ['--import', lifeline, ...execArgv, ...args], {
    stdio,
    detached: true,
    // Not for them: an inspector or a preload that somebody put into the environment of every Node.
    env: { ...process.env, NODE_OPTIONS: '', ...env },
  });
  const ended = endOf(child, name);
  const ready = readyMessage(child);
  return {
    name,
    pid: child.pid ?? -1,
    ended,
    async ready<T>(signal?: AbortSignal) {
      const deadline = AbortSignal.timeout(readyDeadlineMs);
      const gaveUp = rejectionOf(signal === undefined ? deadline : AbortSignal.any([deadline, signal]));
      const endedEarly = ended.then((how) => Promise.reject(new Error(`${how} before it was ready`)));
      try {
        return (await Promise.race([ready, endedEarly, gaveUp])) as T;
      } catch (error) {
        if (error !== deadline.reason) throw error;
        throw new Error(`the ${name} was not ready in ${readyDeadlineMs} ms`, { cause: error });
      }
    },
    [Symbol.asyncDispose]: () => stop(child, ended),
  };
}

export const demoFolder = import.meta.dirname;
export const repositoryFolder = join(demoFolder, '..', '..');

// PGlite compiles 10 MB of WebAssembly: 2 s alone, over 15 s were seen on a busy machine.
const readyDeadlineMs = 60_000;
const stopDeadlineMs = 5_000;

function endOf(child: ChildProcess, name: string): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(`the ${name} could not be started: ${error.message}`));
    child.once('exit', (code, signal) =>
      resolve(signal === null ? `the ${name} ended with code ${code}` : `the ${name} was killed by ${signal}`),
    );
  });
}

function readyMessage(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve) => {
    child.on('message', (message: { ready?: unknown }) => {
      if (message.ready !== undefined) resolve(message.ready);
    });
  });
}

function rejectionOf(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const fail = (): void => reject(signal.reason as Error);
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });
}

async function stop(child: ChildProcess, ended: Promise<string>): Promise<void> {
  const timer = setTimeout(() => child.kill('SIGKILL'), stopDeadlineMs);
  child.kill('SIGTERM');
  await ended;
  clearTimeout(timer);
  // The child is gone, its end of the channel may not be noticed yet.
  if (child.connected) child.disconnect();
}
