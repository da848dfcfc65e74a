import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface TargetProcess {
  readonly pid: number;
  /** Where its inspector listens: the pid then is what the target says of itself, and has to be proved. Null: it is known to be the target's here. */
  readonly inspectorPort: number | null;
  /** Whether the address that the agent reaches it at is one of this machine, or pod. */
  readonly isLocal: boolean;
}

/**
 * The root of the target's file system as this process sees it, when the pid is really the target's: a process with that number in our PID
 * namespace has the inspector's socket open, in our network namespace. Else why not, for a person. Needs the target's UID and GID.
 */
export function findTargetRoot(process: TargetProcess): { path: string } | { problem: string } {
  const { pid, inspectorPort, isLocal } = process;
  if (!isLocal) return { problem: 'the target is not of this machine or pod' };
  const directory = `/proc/${pid}`;
  try {
    if (inspectorPort === null) {
      readlinkSync(`${directory}/root`);
      return { path: `${directory}/root` };
    }
    if (readlinkSync(`${directory}/ns/net`) !== readlinkSync('/proc/self/ns/net')) {
      return { problem: `process ${pid} here is not the target: it has another network` };
    }
    const sockets = listeningSockets(directory, inspectorPort);
    const owns = readdirSync(`${directory}/fd`).some((name) => sockets.has(linkOf(`${directory}/fd/${name}`)));
    if (owns) return { path: `${directory}/root` };
    return { problem: `process ${pid} here is not the target: port ${inspectorPort} is not its own` };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return { problem: `process ${pid} is not visible from here` };
    if (code === 'EACCES' || code === 'EPERM') return { problem: `process ${pid} is not readable from here (${code})` };
    throw error;
  }
}

/** As their links read in /proc/<pid>/fd. */
function listeningSockets(directory: string, port: number): ReadonlySet<string> {
  const sockets = new Set<string>();
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
  for (const table of ['tcp', 'tcp6']) {
    for (const line of readTable(`${directory}/net/${table}`).split('\n').slice(1)) {
      // sl, local address:port, remote, state (0A: listening), queues, timer, retransmits, uid, timeout, inode
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
      if (state === '0A' && local.endsWith(`:${hexPort}`)) sockets.add(`socket:[${inode}]`);
    }
  }
  return sockets;
}

function readTable(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    // A kernel without IPv6 has no tcp6.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch (error) {
    // Closed since it was listed.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
