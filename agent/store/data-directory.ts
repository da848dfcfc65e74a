import fs from 'node:fs';
import fsp from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SidescopeError } from '../../protocol/error.ts';
import type { ProfileKind } from '../../protocol/rest/profile.ts';
import { kindFacts } from './artifact.ts';
import { isId } from './id.ts';
import type { StoreLog } from './log.ts';
import { isDiskFull, reasonOf, sqliteErrorCode, systemCode } from './storage-error.ts';

const sqliteBusy = 5;

/**
 * Makes, checks and locks the data directory. Rejects with `data-directory-unusable` or `data-directory-locked`.
 *
 *     <directory>/profiles/<id>.<extension>[.gz]   artifacts, and beside each its metadata, <id>.json
 *     <directory>/tmp/                             what is being written
 *     <directory>/aside/                           what could not be used; emptied at the next start
 *     <directory>/index.sqlite                     index and history
 *     <directory>/lock.sqlite                      held while the store is open
 *     <directory>/control/                         the agent's local socket, http/control-socket.ts
 */
export async function openDataDirectory(directory: string, log: StoreLog): Promise<DataDirectory> {
  try {
    const isNew = await makeWithParents(path.resolve(directory));
    const root = await fsp.realpath(directory);
    await protect(root, { isNew, log });
    for (const name of ['profiles', 'tmp', 'aside']) await makePrivate(path.join(root, name));
    for (const name of ['index.sqlite', 'lock.sqlite']) await refuseForeignKind(path.join(root, name), 'isFile');
    const lock = takeLock(path.join(root, 'lock.sqlite'));
    try {
      await tryWriting(path.join(root, 'tmp'));
      return new DataDirectory(root, lock);
    } catch (error) {
      lock.close();
      throw error;
    }
  } catch (error) {
    if (error instanceof SidescopeError) throw error;
    throw new SidescopeError('data-directory-unusable', `data directory ${directory}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

export class DataDirectory {
  readonly root: string;
  readonly profiles: string;
  readonly temporary: string;
  readonly aside: string;
  readonly indexPath: string;
  readonly #lock: DatabaseSync;

  constructor(root: string, lock: DatabaseSync) {
    this.root = root;
    this.profiles = path.join(root, 'profiles');
    this.temporary = path.join(root, 'tmp');
    this.aside = path.join(root, 'aside');
    this.indexPath = path.join(root, 'index.sqlite');
    this.#lock = lock;
  }

  /** The only place where an id becomes part of a path. */
  artifact(id: string, kind: ProfileKind): string {
    return path.join(this.profiles, artifactName(id, kind));
  }

  temporaryArtifact(id: string, kind: ProfileKind): string {
    return path.join(this.temporary, artifactName(id, kind));
  }

  metadata(id: string): string {
    return path.join(this.profiles, `${checked(id)}.json`);
  }

  temporaryMetadata(id: string): string {
    return path.join(this.temporary, `${checked(id)}.json`);
  }

  async sync(): Promise<void> {
    const handle = await fsp.open(this.profiles, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  unlock(): void {
    if (this.#lock.isOpen) this.#lock.close();
  }
}

function artifactName(id: string, kind: ProfileKind): string {
  const { extension, compressed } = kindFacts[kind];
  return `${checked(id)}.${extension}${compressed ? '.gz' : ''}`;
}

function checked(id: string): string {
  if (!isId(id))
    throw new SidescopeError('unknown-profile', `no profile has the id ${JSON.stringify(id.slice(0, 64))}`);
  return id;
}

/**
 * Node's own recursive mkdir never ends where an existing parent answers ENOENT, as in /proc and under an automounter.
 * Resolves with whether it is new.
 */
async function makeWithParents(directory: string): Promise<boolean> {
  const make = async (): Promise<boolean> => {
    await fsp.mkdir(directory, { mode: 0o700 });
    return true;
  };
  try {
    return await make();
  } catch (error) {
    const exists = (await fsp.stat(directory).catch(() => undefined))?.isDirectory() === true;
    if (exists) return false;
    const parent = path.dirname(directory);
    if (systemCode(error) !== 'ENOENT' || parent === directory) throw error;
    await makeWithParents(parent);
    // Somebody else may have been quicker.
    return make().catch((failure: unknown) => {
      if (systemCode(failure) !== 'EEXIST') throw failure;
      return false;
    });
  }
}

/**
 * Ours, empty, or new: 0700. Anything else is left as it is, because `--data-dir /tmp` must not close /tmp for everybody;
 * the directories in it are private all the same.
 */
async function protect(root: string, { isNew, log }: { isNew: boolean; log: StoreLog }): Promise<void> {
  const names = await fsp.readdir(root);
  if (isNew || names.length === 0 || names.includes('lock.sqlite')) {
    try {
      await fsp.chmod(root, 0o700);
    } catch (error) {
      // A volume that belongs to root and is writable through its group, as emptyDir with fsGroup is, cannot be changed by us.
      if (systemCode(error) !== 'EPERM') throw error;
    }
  }
  const { mode } = await fsp.stat(root);
  if ((mode & 0o077) !== 0) {
    log.warn(
      { directory: root, mode: (mode & 0o777).toString(8) },
      'the data directory is open to others; the files in it are private',
    );
  }
}

async function makePrivate(directory: string): Promise<void> {
  await fsp.mkdir(directory, { recursive: true, mode: 0o700 });
  await refuseForeignKind(directory, 'isDirectory');
  await fsp.chmod(directory, 0o700);
}

async function refuseForeignKind(file: string, kind: 'isFile' | 'isDirectory'): Promise<void> {
  const stat = await fsp.lstat(file).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (stat !== undefined && !stat[kind]()) {
    const what = stat.isSymbolicLink() ? 'a symbolic link' : 'not of the kind that belongs there';
    throw new Error(`${file} is ${what}; remove it`);
  }
}

/**
 * An exclusive SQLite transaction is a lock of the kernel: it is gone with the process, however that dies. The file is
 * never opened in another way here, because closing any descriptor of it would drop this process's lock (POSIX).
 */
function takeLock(file: string): DatabaseSync {
  try {
    fs.closeSync(fs.openSync(file, 'wx', 0o600));
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
  }
  const lock = new DatabaseSync(file, { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    if (sqliteErrorCode(error) !== sqliteBusy) throw error;
    throw new SidescopeError('data-directory-locked', `another agent uses ${path.dirname(file)}`, { cause: error });
  }
}

/** A directory can be listed and locked and still take no file. A full disk is no reason to stay away: profiles can be deleted. */
async function tryWriting(directory: string): Promise<void> {
  const file = path.join(directory, 'probe');
  try {
    await fsp.writeFile(file, 'probe', { mode: 0o600 });
  } catch (error) {
    if (!isDiskFull(error)) throw error;
  } finally {
    await fsp.rm(file, { force: true });
  }
}
