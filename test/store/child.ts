import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';

const deadlineMs = 20_000;

export interface Child extends AsyncDisposable {
  readonly process: ChildProcessWithoutNullStreams;
  /** The next line of its standard output. */
  line(): Promise<string>;
  /** Resolves when it has ended, with everything it wrote that was not read. */
  end(): Promise<string[]>;
  kill(): Promise<string[]>;
}

/** Runs a program of `programs/` in a process of its own. */
export function startProgram(name: string, args: readonly string[]): Child {
  return startProgramAt(programPath(name), args);
}

export function startProgramAt(path: string, args: readonly string[]): Child {
  return start(process.execPath, [path, ...args]);
}

/**
 * Runs a program on a directory after `mount`, shell commands with the directory as $1, in a mount namespace that goes with
 * the process: nothing is left to unmount. Works as root, and as a user where user namespaces are allowed.
 */
export function startOnMount(name: string, { directory, mount }: { directory: string; mount: string }): Child {
  const namespaces = process.getuid?.() === 0 ? ['-m'] : ['-r', '-m'];
  const script = `${mount} && exec "$2" "$3" "$1"`;
  return start('unshare', [...namespaces, 'sh', '-c', script, 'sh', directory, process.execPath, programPath(name)]);
}

function programPath(name: string): string {
  return path.join(import.meta.dirname, 'programs', `${name}.ts`);
}

function start(command: string, args: readonly string[]): Child {
  const child = spawn(command, args, { stdio: 'pipe' });
  let errors = '';
  child.stderr.on('data', (bytes: Buffer) => (errors += bytes.toString()));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const within = async <T>(work: Promise<T>, what: string): Promise<T> => {
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => reject(new Error(`${what} did not come in ${deadlineMs} ms: ${errors}`)),
      deadlineMs,
    );
    return await Promise.race([work, promise]).finally(() => clearTimeout(timer));
  };
  const rest = async (): Promise<string[]> => {
    const found: string[] = [];
    for (let next = await lines.next(); next.done !== true; next = await lines.next()) found.push(next.value);
    await ended;
    return found;
  };
  const kill = (): Promise<string[]> => {
    child.kill('SIGKILL');
    return within(rest(), 'the end of a killed process');
  };
  return {
    process: child,
    async line() {
      const next = await within(lines.next(), 'a line');
      if (next.done === true) throw new Error(`${command} ended without another line: ${errors}`);
      return next.value;
    },
    async end() {
      const found = await within(rest(), 'the end');
      if (child.exitCode !== 0) throw new Error(`${command} ended with ${child.exitCode}: ${errors}`);
      return found;
    },
    kill,
    async [Symbol.asyncDispose]() {
      await kill();
    },
  };
}
