import type { Saturation } from '../../agent/vitals/stall-watch.ts';
import { Monitor } from '../../agent/vitals/monitor.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import { stallSchema } from '../../protocol/rest/stalls.ts';
import type { Vitals } from '../../protocol/rest/vitals.ts';
import { vitalsSchema } from '../../protocol/rest/vitals.ts';
import { ProfileWorker } from '../../agent/capture/profile-worker.ts';
import { FrameOriginals } from '../../agent/source-maps/frame-originals.ts';
import type { RequestRoutes } from '../../agent/vitals/stall-ledger.ts';
import { openHarness, type Harness } from '../capture/harness.ts';
import { waitFor } from '../support/wait-for.ts';

export interface MonitoredHarness extends AsyncDisposable {
  readonly harness: Harness;
  readonly monitor: Monitor;
  /** Every reading and every state of a stall, as they were told; each fits the contract. */
  readonly readings: readonly Vitals[];
  readonly stalls: readonly Stall[];
  reading(condition: (vitals: Vitals) => boolean, message: string): Promise<Vitals>;
  stall(condition: (stall: Stall) => boolean, message: string): Promise<Stall>;
}

/** A monitor over attached targets, quicker than the agent's by default: a reading every 300 ms. */
export async function openMonitored(
  addresses: readonly string[],
  options: {
    vitalsIntervalMs?: number;
    stallThresholdMs?: number;
    stallIntervalMs?: number;
    saturation?: Saturation;
    directory?: string;
    requests?: RequestRoutes;
  } = {},
): Promise<MonitoredHarness> {
  const { directory, ...rest } = options;
  await using stack = new AsyncDisposableStack();
  const worker = stack.use(new ProfileWorker());
  const originals = new FrameOriginals({ worker, mappings: [] });
  const watching: { monitor?: Monitor } = {};
  const harness = stack.use(
    await openHarness(addresses, {
      ...(directory !== undefined && { directory }),
      frameOriginals: originals,
      turnOf: async (target, thread) =>
        (await watching.monitor?.turnOf(target, thread)) ?? { unknown: 'no monitor yet' },
    }),
  );
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const { targets, captures, store } = harness;
  const monitor = stack.use(
    new Monitor({
      targets,
      captures,
      store,
      originals,
      worker,
      budgetBytes: 2e9,
      vitalsIntervalMs: 300,
      stallThresholdMs: 1_000,
      stallIntervalMs: 500,
      log,
      ...rest,
    }),
  );
  watching.monitor = monitor;
  const readings: Vitals[] = [];
  const stalls: Stall[] = [];
  monitor.on('vitals', (vitals) => readings.push(vitalsSchema.parse(vitals)));
  monitor.on('stall', (stall) => stalls.push(stallSchema.parse(stall)));
  const moved = stack.move();
  return {
    harness,
    monitor,
    readings,
    stalls,
    reading: (condition, message) =>
      waitFor(() => readings.findLast(condition), {
        message: () => `${message}; the last reading: ${JSON.stringify(readings.at(-1))}`,
      }),
    stall: (condition, message) =>
      waitFor(() => stalls.findLast(condition), {
        deadlineMs: 20_000,
        message: () => `${message}; told: ${stalls.map(({ state, summary }) => `${state}: ${summary}`).join('; ')}`,
      }),
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}
