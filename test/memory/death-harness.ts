import type { Condition } from '../../agent/alerts/condition.ts';
import { DeathRecords } from '../../agent/memory/death-records.ts';
import { MemoryMonitor } from '../../agent/memory/monitor.ts';
import { SamplingSearch } from '../../agent/memory/sampling-search.ts';
import { ProfileWorker } from '../../agent/capture/profile-worker.ts';
import { deathSchema, type Death } from '../../protocol/rest/deaths.ts';
import type { RunningTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { openMonitored, type MonitoredHarness } from '../vitals/harness.ts';

export interface DeathHarness extends AsyncDisposable {
  readonly monitored: MonitoredHarness;
  readonly deaths: DeathRecords;
  readonly limits: MemoryMonitor;
  readonly search: SamplingSearch;
  readonly raised: readonly Condition[];
  readonly settled: readonly { problem: string; key?: string | undefined; why: string }[];
  /** Every record as it was told; each fits the contract. */
  readonly told: readonly Death[];
  readonly complaints: readonly string[];
  readonly warnings: readonly string[];
  death(message: string): Promise<Death>;
}

/** The target remembers the exception that ends it from now on. */
export async function untilWatched(target: RunningTarget): Promise<void> {
  await waitFor(
    async () => {
      await target.send('listeners');
      return target.stdout.includes('listeners 1');
    },
    { message: () => `the watch for exceptions; ${target.stdout}` },
  );
}

/** Death records, memory limits and heap sampling over attached targets, with a reading every 100 ms. */
export async function openDeaths(
  addresses: readonly string[],
  options: {
    unsureMs?: number;
    directory?: string;
    intervalMs?: number;
    /** A history that cannot be written throws here. */
    beforeWrite?: () => void;
  } = {},
): Promise<DeathHarness> {
  const { unsureMs, directory, intervalMs = 1_000, beforeWrite } = options;
  await using stack = new AsyncDisposableStack();
  const monitored = stack.use(
    await openMonitored(addresses, { vitalsIntervalMs: 100, ...(directory !== undefined && { directory }) }),
  );
  const { monitor, harness } = monitored;
  const { targets, store } = harness;
  const raised: Condition[] = [];
  const settled: { problem: string; key?: string | undefined; why: string }[] = [];
  const complaints: string[] = [];
  const warnings: string[] = [];
  const alerts = {
    raise: (condition: Condition) => void raised.push(condition),
    settle: ({ problem, key }: Pick<Condition, 'problem' | 'key'>, why: string) =>
      void settled.push({ problem, key, why }),
  };
  const log = {
    info: () => undefined,
    warn: (_facts: object, message: string) => void warnings.push(message),
    error: (_facts: object, message: string) => void complaints.push(message),
  };
  const worker = stack.use(new ProfileWorker());
  const search = stack.use(new SamplingSearch({ targets, worker, sourceMapPaths: [], log }));
  const limits = stack.use(
    new MemoryMonitor({
      targets,
      monitor,
      sampling: search,
      alerts,
      history: (targetId) => monitor.vitals({ targetId }).points,
      intervalMs,
      threshold: 0.9,
      log,
    }),
  );
  const deaths = stack.use(
    new DeathRecords({
      targets,
      monitor,
      alerts,
      index: {
        inIndex: (attempt, work) => {
          if (attempt.startsWith('writing')) beforeWrite?.();
          return store.inIndex(attempt, work);
        },
      },
      budgetBytes: 2e9,
      ...(unsureMs !== undefined && { unsureMs }),
      log,
      sources: {
        points: (targetId, times) => monitor.vitals({ targetId, ...times }).points,
        limitOf: (targetId) => limits.limitOf(targetId).nearerLimit,
        usesOf: (vitals) => limits.usesOf(vitals),
        sampling: async (targetId) => {
          await limits.idle(targetId);
          return search.latest(targetId);
        },
        openAlerts: () => [],
      },
    }),
  );
  const told: Death[] = [];
  deaths.on('death', (death) => told.push(deathSchema.parse(death)));
  const moved = stack.move();
  return {
    monitored,
    deaths,
    limits,
    search,
    raised,
    settled,
    told,
    complaints,
    warnings,
    death: (message) =>
      waitFor(() => told.at(-1), {
        deadlineMs: 20_000,
        message: () => `${message}; complaints: ${complaints.join('; ')}`,
      }),
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}

/** One step of growth of `dies`, and the readings after it: no more is asked for before what follows from them was done. */
async function grow(target: RunningTarget, watched: DeathHarness, how: 'fill' | 'fillHalf' | 'more') {
  const { readings, harness } = watched.monitored;
  const grown = target.stdout.length;
  await target.send(how);
  await waitFor(() => target.stdout.length > grown, { message: `the target to have done ${how}` });
  // Those that failed, on a machine that is busy enough, tell nothing of it.
  const told = () => readings.filter(({ error }) => error === null).length;
  const seen = told();
  // The first of them may have been under way.
  await waitFor(() => told() > seen + 1, { message: 'the next readings' });
  await watched.limits.idle(harness.targets.list()[0]?.id ?? '');
}

/** So slowly that no machine is too busy to look on the way. */
export async function growUntilSampled(target: RunningTarget, watched: DeathHarness, first: 'fill' | 'fillHalf') {
  const targetId = watched.monitored.harness.targets.list()[0]?.id ?? '';
  await grow(target, watched, first);
  await waitFor(
    async () => {
      await grow(target, watched, 'more');
      return watched.search.latest(targetId)?.sites.length;
    },
    { deadlineMs: 25_000, message: () => `sites near the limit; ${watched.warnings.join('; ')}; ${target.stderr}` },
  );
}
