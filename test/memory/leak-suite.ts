import { EventEmitter } from 'node:events';
import { parseInspectorAddress } from '../../agent/attach/address.ts';
import { Targets } from '../../agent/attach/targets.ts';
import type { Condition } from '../../agent/alerts/condition.ts';
import { ProfileWorker } from '../../agent/capture/profile-worker.ts';
import { LeakDetector } from '../../agent/memory/leak-detector.ts';
import { SamplingSearch } from '../../agent/memory/sampling-search.ts';
import { indexInMemory } from '../../agent/vitals/history.ts';
import { Monitor } from '../../agent/vitals/monitor.ts';
import type { LeakPool, LeakVerdict } from '../../protocol/rest/leaks.ts';
import { startTarget, type RunningTarget } from '../support/target.ts';

export interface LeakProgram {
  readonly name: string;
  /** Null: it does not leak. */
  readonly pool: LeakPool | null;
  /** Where a heap leak is allocated: function and its first line. */
  readonly site?: string;
}

/** Real programs below test/targets/leaks. */
export const leakPrograms: readonly LeakProgram[] = [
  { name: 'map', pool: 'heap', site: 'rememberSession map.mjs:6' },
  { name: 'set', pool: 'heap', site: 'markHandled set.mjs:6' },
  { name: 'array', pool: 'heap', site: 'appendAudit array.mjs:6' },
  { name: 'listener', pool: 'heap', site: 'subscribe listener.mjs:7' },
  { name: 'timer', pool: 'heap', site: 'startPolling timer.mjs:4' },
  { name: 'closure', pool: 'heap', site: 'wrapHandler closure.mjs:6' },
  { name: 'promise', pool: 'heap', site: 'waitForever promise.mjs:6' },
  { name: 'context', pool: 'heap', site: 'handleRequest context.mjs:8' },
  { name: 'buffer', pool: 'external' },
  { name: 'native', pool: 'native' },
  { name: 'lru', pool: null },
  { name: 'burst', pool: null },
  { name: 'warm-up', pool: null },
  { name: 'churn', pool: null },
];

export interface SuiteRun extends AsyncDisposable {
  readonly detector: LeakDetector;
  readonly search: SamplingSearch;
  readonly raised: readonly Condition[];
  /** By program: pools that were called leaks at any time, with the last verdict of each. */
  readonly leaks: ReadonlyMap<string, ReadonlyMap<LeakPool, LeakVerdict>>;
  targetId(name: string): string;
  target(name: string): RunningTarget;
  verdicts(name: string): readonly LeakVerdict[];
}

/** Runs programs at once, and the real detector over them, its windows made short. Nothing else differs from the agent. */
export async function runLeakSuite(
  programs: readonly LeakProgram[],
  {
    windowMs = 300,
    vitalsIntervalMs = 75,
    seed = 1,
    node = 24,
  }: { windowMs?: number; vitalsIntervalMs?: number; seed?: number; node?: number } = {},
): Promise<SuiteRun> {
  await using stack = new AsyncDisposableStack();
  const started = await Promise.all(
    programs.map(async ({ name }) => {
      const execArgv = ['--inspect=127.0.0.1:0', '--max-old-space-size=192'];
      const target = stack.use(await startTarget(`leaks/${name}`, { node, execArgv, args: [`--seed=${seed}`] }));
      return { name, target };
    }),
  );
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const targets = stack.use(new Targets(started.map(({ target }) => parseInspectorAddress(target.inspectorAddress))));
  const idOf = new Map(
    targets
      .list()
      .map(({ id, address }) => [started.find(({ target }) => target.inspectorAddress === address)!.name, id]),
  );
  const nameOf = new Map([...idOf].map(([name, id]) => [id, name]));
  const worker = stack.use(new ProfileWorker());
  const search = stack.use(
    new SamplingSearch({ targets, worker, sourceMapPaths: [], readEveryMs: 500, pauseShare: 0.1, log }),
  );
  const captures = Object.assign(new EventEmitter(), {
    get: () => {
      throw new Error('no operation');
    },
  });
  const monitor = stack.use(
    new Monitor({
      targets,
      captures: captures as never,
      search,
      store: undefined,
      budgetBytes: 2 ** 26,
      vitalsIntervalMs,
      stallThresholdMs: 0,
      stallIntervalMs: 0,
      log,
    }),
  );
  const raised: Condition[] = [];
  const leaks = new Map<string, Map<LeakPool, LeakVerdict>>();
  const index = stack.use(indexInMemory());
  const detector = stack.use(
    new LeakDetector({
      monitor,
      search,
      alerts: { raise: (condition) => void raised.push(condition), settle: () => undefined },
      index,
      windowMs,
      unlimitedWindows: 50,
      log,
    }),
  );
  const note = (verdict: LeakVerdict): void => {
    if (verdict.verdict !== 'leak') return;
    const name = nameOf.get(verdict.targetId) ?? verdict.targetId;
    if (!leaks.has(name)) leaks.set(name, new Map());
    leaks.get(name)?.set(verdict.pool, verdict);
  };
  detector.on('verdict', note);
  targets.start();
  const parts = stack.move();
  return {
    detector,
    search,
    raised,
    leaks,
    targetId: (name) => idOf.get(name) ?? '',
    target: (name) => started.find((each) => each.name === name)!.target,
    verdicts: (name) => {
      const verdicts = detector.verdicts(idOf.get(name) ?? '');
      verdicts.forEach(note);
      return verdicts;
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}
