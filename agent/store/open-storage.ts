import { SidescopeError } from '../../protocol/error.ts';
import type { Feature } from '../../protocol/rest/info.ts';
import { openStoreOrFallBack } from './open-or-fall-back.ts';
import type { ProfileStore, StoreOptions } from './store.ts';

export interface Storage extends AsyncDisposable {
  readonly store: ProfileStore | undefined;
  readonly problem: SidescopeError | undefined;
  readonly feature: Feature;
}

/** The store, or why there is none: never rejects for a directory that cannot be used. */
export async function openStorage(options: StoreOptions & { readonly explicit: boolean }): Promise<Storage> {
  const remedy = 'Set --data-dir to a writable directory of this agent alone.';
  try {
    const opened = await openStoreOrFallBack(options);
    const reason = opened.fallbackReason;
    return {
      store: opened.store,
      problem: undefined,
      feature: {
        name: 'storage',
        state: 'on',
        reason:
          reason === undefined
            ? null
            : `profiles go to a temporary directory and are lost with the agent: ${reason.message}`,
        remedy: reason === undefined ? null : remedy,
      },
      [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
    };
  } catch (error) {
    if (!(error instanceof SidescopeError)) throw error;
    options.log.error({ code: error.code }, error.message);
    return {
      store: undefined,
      problem: error,
      feature: { name: 'storage', state: 'failed', reason: error.message, remedy },
      async [Symbol.asyncDispose]() {},
    };
  }
}
