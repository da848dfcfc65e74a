import fsp from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseInspectorAddress } from '../../agent/attach/address.ts';
import { Targets } from '../../agent/attach/targets.ts';
import { Captures, type CapturesOptions } from '../../agent/capture/captures.ts';
import { ProfileWorker } from '../../agent/capture/profile-worker.ts';
import { ProfileStore } from '../../agent/store/store.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import { waitFor } from '../support/wait-for.ts';

export interface Harness extends AsyncDisposable {
  readonly targets: Targets;
  readonly store: ProfileStore;
  readonly captures: Captures;
  readonly worker: ProfileWorker;
  readonly directory: string;
  /** What the log was told at warn and error. */
  readonly complaints: readonly { level: string; message: string; facts: object }[];
  ended(operation: Operation): Promise<Operation>;
  /** The artifact's plain text. */
  read(profileId: string): Promise<string>;
}

/** Attachment, store and captures as the agent wires them, without its HTTP. Returns when all targets are attached. */
export async function openHarness(
  addresses: readonly string[],
  options: Partial<Omit<CapturesOptions, 'targets' | 'store' | 'worker'>> & {
    budgetBytes?: number;
    directory?: string;
    keepsSourceLines?: boolean;
  } = {},
): Promise<Harness> {
  await using stack = new AsyncDisposableStack();
  const directory = options.directory ?? (await fsp.mkdtemp(path.join(os.tmpdir(), 'sidescope-capture-')));
  if (options.directory === undefined) stack.defer(() => fsp.rm(directory, { recursive: true, force: true }));
  const complaints: { level: string; message: string; facts: object }[] = [];
  const log = {
    info: () => undefined,
    warn: (facts: object, message: string) => void complaints.push({ level: 'warn', message, facts }),
    error: (facts: object, message: string) => void complaints.push({ level: 'error', message, facts }),
  };
  const store = stack.use(
    await ProfileStore.open({
      directory,
      budgetBytes: options.budgetBytes ?? 2e9,
      retentionCount: 0,
      retentionAgeMs: 0,
      log,
    }),
  );
  const worker = stack.use(new ProfileWorker({ keepsSourceLines: options.keepsSourceLines }));
  const targets = stack.use(new Targets(addresses.map(parseInspectorAddress)));
  const captures = new Captures({
    concurrency: 1,
    queueMax: 4,
    livenessBudgetMs: 20_000,
    environment: { pod: 'test-pod' },
    log,
    ...options,
    targets,
    store,
    worker,
  });
  stack.defer(() => captures.close({ graceMs: 5_000 }));
  targets.start();
  await waitFor(() => targets.list().every(({ state }) => state.state === 'attached'), {
    message: () => `all targets attached: ${JSON.stringify(targets.list().map(({ state }) => state))}`,
  });
  const moved = stack.move();
  return {
    targets,
    store,
    captures,
    worker,
    directory,
    complaints,
    ended: ({ id }) => captures.waitFor(id, { timeoutMs: 60_000 }),
    async read(profileId) {
      await using reader = await store.open(profileId);
      return (await reader.plain().toArray()).map((chunk: Buffer) => chunk.toString('latin1')).join('');
    },
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}
