import fsp from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { SidescopeError } from '../../protocol/error.ts';
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
    const directory = await temporaryDirectory(temporaryRoot);
    options.log.warn(
      { directory, reason: error.message },
      'the default data directory cannot be used: profiles go to a temporary one and are removed with the agent',
    );
    return openTemporary({ ...storeOptions, directory, temporary: true }, error);
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
