import { DatabaseSync } from 'node:sqlite';
import { FlightRecorder, type FlightRecorderOptions } from '../../agent/capture/recorder.ts';
import { ProfileWorker } from '../../agent/capture/profile-worker.ts';
import { Captures } from '../../agent/capture/captures.ts';
import type { RecorderTarget } from '../../protocol/rest/recorder.ts';
import { waitFor } from '../support/wait-for.ts';
import { openHarness, type Harness } from './harness.ts';

export interface RecorderHarness extends AsyncDisposable {
  readonly harness: Harness;
  readonly recorder: FlightRecorder;
  /** With the recorder, unlike the harness's own. */
  readonly captures: Captures;
  readonly targetId: string;
  view(): RecorderTarget;
  /** Until it records. */
  recording(): Promise<void>;
}

/** A target, its captures and its flight recorder, as the agent wires them. */
export async function openRecorder(
  address: string,
  options: Partial<FlightRecorderOptions> = {},
): Promise<RecorderHarness> {
  await using stack = new AsyncDisposableStack();
  const harness = stack.use(await openHarness([address]));
  const worker = stack.use(new ProfileWorker());
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const recorder = stack.use(
    new FlightRecorder({
      targets: harness.targets,
      store: harness.store,
      index: harness.store,
      budgetBytes: 2e9,
      worker,
      sourceMapPaths: [],
      environment: {},
      isOn: true,
      log,
      ...options,
    }),
  );
  const captures = new Captures({
    targets: harness.targets,
    store: harness.store,
    worker,
    recorder,
    concurrency: 1,
    queueMax: 4,
    livenessBudgetMs: 20_000,
    environment: {},
    log,
  });
  stack.defer(() => captures.close({ graceMs: 5_000 }));
  const targetId = harness.targets.list()[0]?.id ?? '';
  const view = (): RecorderTarget => {
    const [found] = recorder.status(targetId).targets;
    if (found === undefined) throw new Error('there is no target');
    return found;
  };
  const resources = stack.move();
  return {
    harness,
    recorder,
    captures,
    targetId,
    view,
    recording: async () => {
      await waitFor(() => view().state === 'recording', { message: () => `a recording: ${JSON.stringify(view())}` });
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** An index without a store. */
export function openIndexInMemory(): FlightRecorderOptions['index'] & Disposable {
  const database = new DatabaseSync(':memory:');
  return { inIndex: (_attempt, work) => work(database), [Symbol.dispose]: () => database.close() };
}
