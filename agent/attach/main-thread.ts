import { readdir } from 'node:fs/promises';
import { commandOf, link, readText } from './process.ts';

/**
 * What a process's main thread does by the kernel's account. `lock` is a futex: `Atomics.wait`, which V8 can interrupt, or a native lock, which nobody can.
 * `native`: a system call in which no JavaScript and no signal of ours gets its turn; `what` is for people.
 */
export type MainThreadState =
  | { readonly kind: 'running' | 'event-loop' | 'lock' | 'unknown' }
  | { readonly kind: 'native'; readonly what: string; readonly systemCall: string; readonly child: ChildFacts | null };

export interface ChildFacts {
  readonly pid: number;
  readonly command: string;
}

/** Reads it once. Needs the process's UID and GID for the system call; without them `unknown` where it waits. */
export async function readMainThread(pid: number): Promise<MainThreadState> {
  const path = `/proc/${pid}`;
  const [stat, wchan, syscall] = await Promise.all(
    ['stat', 'wchan', 'syscall'].map((name) => readText(`${path}/task/${pid}/${name}`)),
  );
  const state = (stat ?? '').slice((stat ?? '').lastIndexOf(')') + 2).charAt(0);
  if (state === 'R') return { kind: 'running' };
  if (state === 'T' || state === 't') return native('is stopped by a signal (SIGSTOP) or a tracer', 'stopped');
  // Linux calls the function of the kernel that it sleeps in; "0" where it tells nobody.
  const place = wchan?.trim() ?? '0';
  if (place.startsWith('futex')) return { kind: 'lock' };
  const [number, firstArgument] = (syscall ?? '').split(' ');
  if (/epoll|ep_poll/.test(place)) return (await waitsForChild(pid, firstArgument)) ?? { kind: 'event-loop' };
  if (place === '0' || place === '') return { kind: 'unknown' };
  const file = isFileCall(number) ? await link(`${path}/fd/${Number(firstArgument)}`) : undefined;
  const name = callNames.find(({ pattern }) => pattern.test(place))?.name ?? 'a system call';
  const where = file === undefined ? '' : ` of ${file.slice(0, 200)}`;
  return native(`waits in ${name}${where}${state === 'D' ? ', uninterruptibly' : ''}`, place);
}

/** The same answer each time that it was asked, over 60 ms, else undefined: a loop that turns is in no place for long. */
export async function readSteadyNativeCall(
  pid: number,
  pause: () => Promise<unknown>,
): Promise<Extract<MainThreadState, { kind: 'native' }> | undefined> {
  let first: Extract<MainThreadState, { kind: 'native' }> | undefined;
  for (let count = 0; count < 4; count++) {
    const state = await readMainThread(pid);
    if (state.kind !== 'native' || (first !== undefined && state.what !== first.what)) return undefined;
    first = state;
    await pause();
  }
  return first;
}

/** The processes that it started and that still run. */
export async function readChildren(pid: number): Promise<ChildFacts[]> {
  // Children belong to the thread that made them; workers make some too.
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const lists = await Promise.all(threads.slice(0, 256).map((id) => readText(`/proc/${pid}/task/${id}/children`)));
  const pids = lists.flatMap((list) => (list ?? '').split(' ').filter((id) => id !== ''));
  return Promise.all(
    pids.slice(0, 256).map(async (id) => {
      const [cmdline, comm] = await Promise.all([readText(`/proc/${id}/cmdline`), readText(`/proc/${id}/comm`)]);
      const argv = (cmdline ?? '').split('\0').filter((word) => word !== '');
      return { pid: Number(id), command: commandOf({ argv, name: comm?.trimEnd() ?? '' }) };
    }),
  );
}

/**
 * `execSync` and `spawnSync` turn an event loop of their own until the child ends, so the kernel shows the same wait as for the real one. Node makes three epoll
 * descriptors at its start (18-26), the last for the main loop: a main thread that waits on a later one, and has a child, is in such a call.
 */
async function waitsForChild(pid: number, descriptor: string | undefined): Promise<MainThreadState | undefined> {
  const waited = Number(descriptor);
  if (descriptor === undefined || !Number.isInteger(waited)) return undefined;
  const names = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const links = await Promise.all(names.map((name) => link(`/proc/${pid}/fd/${name}`)));
  const polls = names.filter((_, index) => links[index] === 'anon_inode:[eventpoll]').map(Number);
  const isLater = polls.toSorted((a, b) => a - b).indexOf(waited) >= 3;
  if (!isLater) return undefined;
  const child = (await readChildren(pid)).at(-1);
  if (child === undefined) return undefined;
  return {
    ...native(`waits for its child process ${child.pid} (${child.command}) in execSync or spawnSync`, 'epoll_wait'),
    child,
  };
}

function native(what: string, systemCall: string): Extract<MainThreadState, { kind: 'native' }> {
  return { kind: 'native', what, systemCall, child: null };
}

/** read, write, pread64, pwrite64, flock, fsync on x64 and arm64: their first argument is a descriptor. */
function isFileCall(number: string | undefined): boolean {
  const calls = process.arch === 'arm64' ? ['63', '64', '67', '68', '32', '82'] : ['0', '1', '17', '18', '73', '74'];
  return number !== undefined && calls.includes(number);
}

const callNames: readonly { readonly pattern: RegExp; readonly name: string }[] = [
  { pattern: /^wait_for_partner$/, name: 'open of a FIFO whose other end nobody has open' },
  { pattern: /pipe_read/, name: 'a synchronous read of a pipe' },
  { pattern: /pipe_write/, name: 'a synchronous write to a pipe' },
  { pattern: /do_wait/, name: 'wait for a child process' },
  { pattern: /nfs|rpc_wait|fuse|cifs|request_wait_answer/, name: 'a call to a network file system' },
  { pattern: /lock/, name: 'a file lock' },
  { pattern: /io_schedule|wait_on_page|folio_wait|blk_|jbd2|ext4|xfs/, name: 'disk I/O' },
  { pattern: /sk_wait|inet_|unix_|sock_/, name: 'a synchronous socket call' },
  { pattern: /nanosleep|hrtimer/, name: 'a native sleep' },
  { pattern: /tty|n_tty/, name: 'a synchronous read or write of a terminal' },
];
