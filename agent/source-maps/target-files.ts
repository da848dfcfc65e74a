import { closeSync, constants, fstatSync, openSync, readlinkSync, readSync } from 'node:fs';
import { posix } from 'node:path';
import { findTargetRoot, type TargetProcess } from './target-root.ts';

/** A directory of the target, as this process has it mounted. */
export interface PathMapping {
  readonly from: string;
  readonly to: string;
}

export interface TargetFile {
  readonly bytes: Uint8Array;
  readonly modifiedAtMs: number;
}

const linksMax = 40;
/** Linux; Node does not list it. Opening so reads nothing, and starts no device. */
const openPath = 0o10000000;

/**
 * Reads files of the target by the path that the target has for them, through `--source-map-path` or its root in /proc. Links are followed as
 * the target would: never out of its root, or out of what is mounted. Only regular files are read, and nothing of /proc, /sys and /dev.
 * Synchronous: for a worker thread.
 */
export class TargetFiles {
  /** Why the target's own root is not read; undefined when it is. */
  readonly rootProblem: string | undefined;
  readonly #roots: readonly PathMapping[];

  constructor({ process, mappings }: { process: TargetProcess; mappings: readonly PathMapping[] }) {
    const found = findTargetRoot(process);
    this.rootProblem = 'problem' in found ? found.problem : undefined;
    // The longest first: `/app/dist` before `/app` before `/`.
    const given = mappings.toSorted((a, b) => b.from.length - a.from.length);
    this.#roots = 'path' in found ? [...given, { from: '/', to: found.path }] : given;
  }

  /** Whether a path of the target can be found here at all. */
  covers(path: string): boolean {
    return this.#rootOf(path) !== undefined;
  }

  /** Undefined when it is not there. Throws with a reason for a person when it is there and cannot be read. */
  read(path: string, maxBytes: number): TargetFile | undefined {
    try {
      return this.#readWithin(posix.normalize(path), maxBytes);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
      throw error instanceof Error && code === undefined
        ? error
        : new Error(`cannot be read (${code})`, { cause: error });
    }
  }

  #readWithin(path: string, maxBytes: number): TargetFile | undefined {
    let wanted = path;
    for (let links = 0; links <= linksMax; links++) {
      if (/^\/(proc|sys|dev)(\/|$)/.test(wanted)) throw new Error('is no file of the target');
      const root = this.#rootOf(wanted);
      if (root === undefined) return undefined;
      const found = walk(root, wanted);
      if ('descriptor' in found) {
        try {
          return readRegular(found.descriptor, maxBytes);
        } finally {
          closeSync(found.descriptor);
        }
      }
      wanted = found.path;
    }
    throw new Error(`has more than ${linksMax} links on its way`);
  }

  #rootOf(path: string): PathMapping | undefined {
    return this.#roots.find(({ from }) => from === '/' || path === from || path.startsWith(`${from}/`));
  }
}

/**
 * Goes down name by name, each relative to the directory opened before: a directory that becomes a link meanwhile is not followed. Returns the
 * file, opened by path only, or where a link leads, as a path of the target.
 */
function walk(root: PathMapping, path: string): { descriptor: number } | { path: string } {
  const names = path.slice(root.from === '/' ? 1 : root.from.length + 1).split('/');
  let directory = openSync(root.to, openPath | constants.O_DIRECTORY);
  try {
    for (const [index, name] of names.entries()) {
      const here = `/proc/self/fd/${directory}/${name}`;
      const next = openSync(here, openPath | constants.O_NOFOLLOW);
      if (fstatSync(next).isSymbolicLink()) {
        closeSync(next);
        const parent = posix.join(root.from, ...names.slice(0, index));
        return { path: posix.resolve(parent, readlinkSync(here), ...names.slice(index + 1)) };
      }
      closeSync(directory);
      directory = next;
    }
    const descriptor = directory;
    directory = -1;
    return { descriptor };
  } finally {
    if (directory !== -1) closeSync(directory);
  }
}

function readRegular(descriptor: number, maxBytes: number): TargetFile {
  const stat = fstatSync(descriptor);
  if (!stat.isFile()) throw new Error('is no regular file');
  if (stat.size > maxBytes) throw new Error(`has ${stat.size} B, the limit is ${maxBytes} B`);
  const file = openSync(`/proc/self/fd/${descriptor}`, constants.O_RDONLY);
  try {
    // A file that grows meanwhile is cut where it ended: it is of no use then, and bounded.
    const bytes = new Uint8Array(stat.size);
    let length = 0;
    while (length < bytes.length) {
      const read = readSync(file, bytes, length, bytes.length - length, null);
      if (read === 0) break;
      length += read;
    }
    return { bytes: bytes.subarray(0, length), modifiedAtMs: stat.mtimeMs };
  } finally {
    closeSync(file);
  }
}
