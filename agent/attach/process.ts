import { readdir, readFile, readlink } from 'node:fs/promises';
import { SidescopeError } from '../../protocol/error.ts';

/** One process as /proc shows it to us. What needs its UID and GID is undefined where we have others. */
export interface ProcessFacts {
  readonly pid: number;
  /** Its id in the innermost PID namespace: what it calls itself. */
  readonly innerPid: number;
  readonly parentPid: number;
  /** In clock ticks since boot: with the pid it names one process for good. */
  readonly startTicks: string;
  readonly uid: number;
  /** The main thread's, which is what `process.title` sets. */
  readonly name: string;
  readonly executable: string | undefined;
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>> | undefined;
  readonly threadNames: readonly string[];
  readonly catchesSigusr1: boolean;
  readonly networkNamespace: string | undefined;
}

/** SIGUSR1 is signal 10. */
const sigusr1Bit = 0x200n;
const maxBytes = 256 * 1024;

/** Rejects with `no-such-process`, also for one that has ended and only waits to be reaped. */
export async function readProcess(pid: number): Promise<ProcessFacts> {
  const path = `/proc/${pid}`;
  const [stat, status] = await Promise.all([readText(`${path}/stat`), readText(`${path}/status`)]);
  if (stat === undefined || status === undefined) throw new SidescopeError('no-such-process', `no process ${pid} here`);
  // The name stands in parentheses and may hold any byte, parentheses too.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') throw new SidescopeError('no-such-process', `process ${pid} has ended`);
  const field = (name: string): string => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '';
  const [argv, environ, threadNames, executable, networkNamespace] = await Promise.all([
    readText(`${path}/cmdline`),
    readText(`${path}/environ`),
    readThreadNames(pid),
    link(`${path}/exe`),
    link(`${path}/ns/net`),
  ]);
  return {
    pid,
    innerPid: Number(field('NSpid').split(/\s+/).at(-1)) || pid,
    parentPid: Number(fields[1]),
    startTicks: fields[19] ?? '',
    uid: Number(field('Uid').split(/\s+/)[1]),
    name: field('Name'),
    executable: executable?.replace(/ \(deleted\)$/, ''),
    argv: (argv ?? '').split('\0').filter((word) => word !== ''),
    environment: environ === undefined ? undefined : readEnvironment(environ),
    threadNames,
    catchesSigusr1: (BigInt(`0x${field('SigCgt') || '0'}`) & sigusr1Bit) !== 0n,
    networkNamespace,
  };
}

/**
 * Whether it runs Node by a sign that no other program has: its executable, else the name of its main thread where that cannot be read, or the thread that waits
 * for SIGUSR1 (>= 24).
 */
export function isNode({ executable, name, threadNames }: ProcessFacts): boolean {
  if (threadNames.includes('SignalInspector')) return true;
  if (executable !== undefined) return /\/(?:node|nodejs|node-?\d+(?:\.\d+)*)$/.test(executable);
  return ['node', 'nodejs', 'MainThread', 'node-MainThread'].includes(name);
}

/** `node server.js`, bounded and without control characters. */
export function commandOf({ argv, name }: Pick<ProcessFacts, 'argv' | 'name'>): string {
  const [program = name, ...rest] = argv;
  const words = [program.replace(/^.*\//, ''), ...rest].join(' ');
  const plain = words.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
  return plain.length > 80 ? `${plain.slice(0, 79)}…` : plain;
}

/** The flags of Node that it was started with, from its command line and NODE_OPTIONS. */
export function nodeFlags({ argv, environment }: Pick<ProcessFacts, 'argv' | 'environment'>): string[] {
  const words = argv.slice(1);
  const script = words.findIndex((word) => !word.startsWith('-'));
  const options = environment?.['NODE_OPTIONS']?.split(/\s+/) ?? [];
  return [...(script === -1 ? words : words.slice(0, script)), ...options];
}

/** Every process whose /proc entry we can see. */
export async function listPids(): Promise<number[]> {
  const names = await readdir('/proc').catch(() => []);
  return names.filter((name) => /^\d+$/.test(name)).map(Number);
}

/** Undefined when it is gone, or not ours to read. */
export async function readText(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'latin1')).slice(0, maxBytes);
  } catch {
    // Gone, or of another user: for the caller there is nothing to read either way.
    return undefined;
  }
}

export async function link(path: string): Promise<string | undefined> {
  // As in readText.
  return readlink(path).catch(() => undefined);
}

async function readThreadNames(pid: number): Promise<string[]> {
  const ids = await readdir(`/proc/${pid}/task`).catch(() => []);
  const names = await Promise.all(ids.slice(0, 256).map((id) => readText(`/proc/${pid}/task/${id}/comm`)));
  return names.flatMap((name) => (name === undefined ? [] : [name.trimEnd()]));
}

function readEnvironment(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split('\0').flatMap((line) => {
      const at = line.indexOf('=');
      return at < 1 ? [] : [[line.slice(0, at), line.slice(at + 1)]];
    }),
  );
}
