import { spawn } from 'node:child_process';
import { chmod, chown, constants, copyFile, cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { waitFor } from './wait-for.ts';

const bundle = join(import.meta.dirname, '../../dist/agent');

export interface ProcessOptions {
  readonly args: readonly string[];
  /** Nothing is inherited but PATH. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Needs root; see `userOfItsOwn`. */
  readonly uid?: number | undefined;
}

/** Disposal sends SIGTERM, after 10 s SIGKILL, and waits for the end. */
export interface BundleProcess extends AsyncDisposable {
  readonly pid: number;
  /** Its stdout so far. */
  readonly printed: string;
  /** Its stderr so far. */
  readonly log: string;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Waits for a line of its log. Fails at once when it ends before. */
  logged(pattern: RegExp): Promise<RegExpExecArray>;
  kill(signal: NodeJS.Signals): void;
}

/** Where Node and the built bundle lie for every user: the clone, or its parents, may be closed to others. */
export interface PublicBundle extends AsyncDisposable {
  /** Node and its arguments, up to those of `sidescope`. */
  readonly command: readonly string[];
  /** Starts `sidescope` with these arguments as it is. */
  start(options: ProcessOptions): BundleProcess;
  /** Runs one to its end. */
  run(options: ProcessOptions): Promise<{ code: number | null; stdout: string; stderr: string }>;
  /** A new directory that this user owns; removed with the rest. */
  directory(uid?: number): Promise<string>;
}

export async function copyBundle(): Promise<PublicBundle> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'sidescope-bundle-'));
  stack.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  await chmod(folder, 0o755);
  const node = join(folder, 'node');
  await copyFile(process.execPath, node, constants.COPYFILE_FICLONE);
  await cp(bundle, join(folder, 'agent'), { recursive: true, filter: (file) => !file.endsWith('.map') });
  const command = [node, join(folder, 'agent/main.mjs')];
  const begin = ({ args, env = {}, cwd = '/', uid }: ProcessOptions) =>
    spawn(node, [...command.slice(1), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], ...env },
      cwd,
      ...(uid !== undefined && { uid, gid: uid }),
    });
  const resources = stack.move();
  return {
    command,
    start: (options) => watch(begin(options)),
    async run(options) {
      const child = begin(options);
      const exit = new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
      const [code, stdout, stderr] = await Promise.all([exit, text(child.stdout), text(child.stderr)]);
      return { code, stdout, stderr };
    },
    async directory(uid) {
      const directory = await mkdtemp(join(folder, 'd-'));
      if (uid !== undefined) await chown(directory, uid, uid);
      return directory;
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** A user that no other test uses, so that only its own agents are found; undefined, the present one, without root. */
export function userOfItsOwn(): number | undefined {
  return process.getuid?.() === 0 ? 100_000 + Math.floor(Math.random() * 900_000) : undefined;
}

function watch(child: ReturnType<typeof spawn>): BundleProcess {
  let printed = '';
  let log = '';
  let end: { code: number | null; signal: NodeJS.Signals | null } | undefined;
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (printed += chunk));
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (log += chunk));
  const exited = new Promise<NonNullable<typeof end>>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve((end = { code, signal })));
  });
  return {
    pid: child.pid ?? -1,
    get printed() {
      return printed;
    },
    get log() {
      return log;
    },
    exited,
    async logged(pattern) {
      const seen = await waitFor(() => pattern.exec(log) ?? (end === undefined ? undefined : 'ended'), {
        message: () => `${pattern} in the log: ${log}`,
      });
      if (seen !== 'ended') return seen;
      throw new Error(`it ended (${JSON.stringify(end)}) before it logged ${pattern}: ${log}`);
    },
    kill: (signal) => void child.kill(signal),
    async [Symbol.asyncDispose]() {
      // First the way that leaves no temporary directory and no child of its own behind.
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await exited;
      clearTimeout(timer);
    },
  };
}
