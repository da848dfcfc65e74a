import fsp from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { SidescopeError } from '../../protocol/error.ts';
import { openDataDirectory } from './data-directory.ts';
import type { StoreLog } from './log.ts';
import { reasonOf, systemCode } from './storage-error.ts';
import { ProfileStore } from './store.ts';
import type { StoreOptions } from './store.ts';

export interface OpenedStore extends AsyncDisposable {
  readonly store: ProfileStore;
  /** Why the default directory could not be used; undefined when the store is where it was asked to be. */
  readonly fallbackReason: SidescopeError | undefined;
}

/**
 * Opens the store. When `directory` is the default one and cannot be used, opens it in a new temporary directory that is
 * removed with it; an explicit one that cannot be used rejects with `data-directory-unusable` or `data-directory-locked`.
 */
export async function openStoreOrFallBack(
  options: StoreOptions & { readonly explicit: boolean; readonly temporaryRoot?: string },
): Promise<OpenedStore> {
  const { explicit, temporaryRoot = os.tmpdir(), ...storeOptions } = options;
  try {
    const store = await ProfileStore.open(storeOptions);
    return { store, fallbackReason: undefined, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
  } catch (error) {
    if (explicit || !(error instanceof SidescopeError)) throw error;
    await removeAbandoned(temporaryRoot, options.log);
    const directory = await temporaryDirectory(temporaryRoot);
    options.log.warn(
      { directory, reason: error.message },
      'the default data directory cannot be used: profiles go to a temporary one and are removed with the agent',
    );
    return openTemporary({ ...storeOptions, directory, temporary: true }, error);
  }
}

const temporaryName = /^sidescope-[A-Za-z0-9]{6}$/;
const otherPeoples = new Set(['ENOENT', 'EACCES', 'EPERM']);

/**
 * An agent that was killed could not remove its temporary directory, and a few of those fill a disk. Only directories of
 * this user that hold a store's lock file, and whose lock is free, are taken for such.
 */
async function removeAbandoned(root: string, log: StoreLog): Promise<void> {
  // An unreadable root is reported when the new directory is made.
  const entries = await fsp.readdir(root, { withFileTypes: true }).catch(() => []);
  for (const { name } of entries.filter((entry) => entry.isDirectory() && temporaryName.test(entry.name))) {
    const directory = path.join(root, name);
    try {
      const { uid } = await fsp.lstat(path.join(directory, 'lock.sqlite'));
      if (uid !== process.geteuid?.()) continue;
      const abandoned = await openDataDirectory(directory, log);
      try {
        await fsp.rm(directory, { recursive: true, force: true });
      } finally {
        abandoned.unlock();
      }
      log.info({ directory }, 'removed the temporary directory of an agent that was killed');
    } catch (error) {
      // Nothing depends on it: a lock that is held, or a directory that is no store or not ours, is the ordinary case.
      if (!(error instanceof SidescopeError) && !otherPeoples.has(systemCode(error))) {
        log.warn({ directory, reason: reasonOf(error) }, 'a temporary directory could not be removed');
      }
    }
  }
}

async function temporaryDirectory(root: string): Promise<string> {
  try {
    return await fsp.mkdtemp(path.join(root, 'sidescope-'));
  } catch (error) {
    throw new SidescopeError('data-directory-unusable', `no temporary directory can be made in ${root}`, {
      cause: error,
    });
  }
}

async function openTemporary(options: StoreOptions, fallbackReason: SidescopeError): Promise<OpenedStore> {
  const remove = (): Promise<void> => fsp.rm(options.directory, { recursive: true, force: true });
  try {
    const store = await ProfileStore.open(options);
    return {
      store,
      fallbackReason,
      async [Symbol.asyncDispose]() {
        await store[Symbol.asyncDispose]();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}
