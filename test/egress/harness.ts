import { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { Egress, type EgressOptions } from '../../agent/egress/egress.ts';
import type { EgressDestination } from '../../protocol/rest/egress.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import type { ProfileStore, StoreOptions } from '../../agent/store/store.ts';
import { openStore, put, recordingLog, scratchDirectory } from '../store/sample.ts';
import { writeConfigFile } from '../support/config-file.ts';
import { waitFor } from '../support/wait-for.ts';

export const variables: Readonly<Record<string, string>> = {
  AWS_ACCESS_KEY_ID: 'test:tester',
  AWS_SECRET_ACCESS_KEY: 'testing',
};

/** Everything beside the store and the destinations: nothing converts, nothing redacts, no target is attached. */
export function surroundings(): Omit<EgressOptions, 'urls' | 'configPath' | 'store'> {
  return {
    diskBudgetBytes: 64 * 2 ** 20,
    recorder: Object.assign(new EventEmitter(), { window: () => undefined }) as unknown as EgressOptions['recorder'],
    worker: {
      // A pprof without anything in it.
      convert: async () => gzipSync(''),
      windowPprof: async () => gzipSync(''),
    },
    joins: {
      queryOf: async () => ({ readings: undefined, requests: [], wallOffsetMs: null, isMainThread: true }),
    },
    redactions: { open: () => Readable.from([gzipSync('redacted')], { objectMode: false }) },
    identities: { identityOf: () => ({ name: 'shop', version: '1.4.2', source: 'package' }) },
    targets: {
      view: () => ({}) as never,
      watcher: () => ({ view: { address: '127.0.0.1:9229', identity: null } }) as never,
    },
    sourceMapPaths: [],
    environment: { namespace: 'prod', pod: 'shop-7d4b9c6f5d-x2x9z' },
    variable: (name) => variables[name],
    log: recordingLog(),
    settleMs: 0,
    pauses: { firstMs: 20, longestMs: 60 },
    times: { idleMs: 400 },
  };
}

export interface EgressHarness extends AsyncDisposable {
  readonly store: ProfileStore;
  readonly egress: Egress;
  readonly directory: string;
  /** Stores a CPU profile of that many bytes. */
  capture(sizeBytes?: number, draft?: Parameters<typeof put>[2]): Promise<Profile>;
  view(): EgressDestination;
  until(what: string, condition: (view: EgressDestination) => boolean): Promise<EgressDestination>;
}

export async function openEgress(
  /** Of the configuration file, as YAML; or what `--egress-url` says. */
  config: string,
  options: Partial<EgressOptions> & { directory?: string; storeOptions?: Partial<StoreOptions> } = {},
): Promise<EgressHarness> {
  await using stack = new AsyncDisposableStack();
  const { directory = stack.use(scratchDirectory()).path, storeOptions, ...rest } = options;
  const store = stack.use(await openStore(directory, storeOptions));
  const isUrl = !config.includes('\n');
  const file = isUrl ? undefined : stack.use(await writeConfigFile(config));
  const urls = isUrl && config !== '' ? [config] : [];
  const egress = await Egress.open({ ...surroundings(), urls, configPath: file?.path, store, ...rest });
  stack.defer(() => egress.close({ graceMs: 0 }));
  const view = (): EgressDestination => {
    const [first] = egress.view().destinations;
    if (first === undefined) throw new Error(`there is no destination: ${egress.feature().reason}`);
    return first;
  };
  let minute = 0;
  const resources = stack.move();
  return {
    store,
    egress,
    directory,
    capture: (sizeBytes = 1_000, draft = {}) => {
      const startedAt = new Date(Date.UTC(2026, 0, 31, 12, minute++)).toISOString();
      return put(store, Buffer.alloc(sizeBytes, `${minute} `), { startedAt, ...draft });
    },
    view,
    until: async (what, condition) => {
      await waitFor(() => condition(view()), { message: () => `${what}: ${JSON.stringify(view())}` });
      return view();
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
