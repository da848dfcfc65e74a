import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { LeakSnapshots } from '../../agent/memory/leak-snapshots.ts';
import { Leaks } from '../../agent/memory/leaks.ts';
import { RecordTable } from '../../agent/store/record-table.ts';
import { indexInMemory } from '../../agent/vitals/history.ts';
import { SidescopeError } from '../../protocol/error.ts';
import type { HeapGrowth } from '../../protocol/rest/leak-snapshots.ts';
import { leakListSchema, type LeakInvestigation, type LeakList } from '../../protocol/rest/leaks.ts';
import { operationSchema } from '../../protocol/rest/operation.ts';
import { openAgent, type RunningAgent } from '../support/agent.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';

it('tells of a leak which classes grew and what holds them, from two snapshots that an investigation compares', async () => {
  const execArgv = ['--inspect=127.0.0.1:0', '--max-old-space-size=192'];
  await using target = await startTarget('leaks/map', { execArgv });
  await using agent = await openAgent({
    targets: [target.inspectorAddress],
    args: ['--heap-analysis', '--vitals-interval', '1s'],
    leakHurry: { windowMs: 1_000, readEveryMs: 500, pauseShare: 0.5 },
  });
  const before = await takeSnapshot(agent);
  const early = await investigate(agent);
  expect(early.heap).toMatchObject({ growth: null, note: expect.stringContaining('take two') as string });
  const after = await takeSnapshot(agent);

  const { heap } = await investigate(agent);
  expect(heap?.growth).toMatchObject({ before, after });
  const [top] = heap!.growth!.paths;
  expect(top).toMatchObject({ className: 'Object', path: expect.stringMatching(/\bsessions\.table\[\]$/) as string });
  expect(top!.count).toBeGreaterThan(20);
  expect(top!.share).toBeGreaterThan(0.5);
  expect(heap!.growth!.classes).toContainEqual(expect.objectContaining({ name: 'Object' }));

  const growing = await waitFor(
    async () => (await leaksOf(agent)).verdicts.find(({ pool, verdict }) => pool === 'heap' && verdict !== 'settled'),
    { deadlineMs: 40_000, message: 'a suspicion' },
  );
  expect(growing.heap).toEqual(heap);
});

const run = { targetId: 't1', instanceId: 'run-1' };
const growth: HeapGrowth = {
  before: 'first',
  after: 'second',
  beforeAt: '2026-01-05T00:00:00.000Z',
  afterAt: '2026-01-05T00:10:00.000Z',
  warning: null,
  newBytes: 100,
  freedBytes: 0,
  classes: [],
  paths: [{ className: 'Session', path: 'global.sessions.table[]', count: 1, retainedBytes: 90, share: 0.9 }],
};

it('starts no analysis for a list, and says for each state what to do', () => {
  const noteOf = (isOn: boolean, ...snapshots: readonly object[]) =>
    snapshotsOf({ isOn, snapshots }).evidence(run).note;
  expect(noteOf(false, taken('second'), taken('first'))).toContain('set --heap-analysis');
  expect(noteOf(true, taken('first'))).toContain('take two heap snapshots');
  expect(noteOf(true, taken('second'), taken('first'))).toContain('POST /profiles/second/analyse?against=first');
  // Those of a run before, of a worker, and those that were cut short do not count.
  const others = [
    { ...taken('other'), target: { instanceId: 'run-0' } },
    { ...taken('worker'), thread: { id: 'worker-1' } },
    { ...taken('cut'), complete: false },
  ];
  expect(noteOf(true, taken('second'), ...others)).toContain('take two heap snapshots');
});

it('a growth whose objects could not be told apart says so', () => {
  const told = snapshotsOf({
    isOn: true,
    snapshots: [],
    growths: [{ ...growth, paths: [], warning: 'two processes' }],
  });
  expect(told.evidence(run).note).toBe('two processes');
});

it('an analysis that is refused, fails, or takes too long is a note, and what was compared before stays', async () => {
  const snapshots = [taken('third'), taken('second'), taken('first')];
  const compare = (part: Parts, signal = new AbortController().signal) =>
    snapshotsOf({ isOn: true, snapshots, growths: [growth], ...part }).compare(run, { startedBy: 'ada', signal });
  const refuse = () => {
    throw new SidescopeError('heap-analysis-refused', 'it takes 400, the container has 100');
  };
  expect(await compare({ start: refuse })).toEqual({
    growth,
    note: 'The snapshots could not be compared: it takes 400, the container has 100',
  });
  const failed = await compare({ waitFor: async () => ({ error: { message: 'it is damaged' } }) });
  expect(failed).toEqual({ growth, note: 'The snapshots could not be compared: it is damaged' });
  const late = await compare({ waitFor: async () => ({ error: null }) });
  expect(late.note).toContain('GET /profiles/third/diff/second when it is done');

  const cancelled: string[] = [];
  const search = new AbortController();
  const ended = await compare(
    {
      waitFor: async () => {
        search.abort(new Error('cancelled'));
        throw search.signal.reason;
      },
      cancel: async (id) => void cancelled.push(id),
    },
    search.signal,
  );
  expect([ended.growth, ended.note, cancelled]).toEqual([
    growth,
    'The search ended before the snapshots were compared.',
    ['analysis-1'],
  ]);
});

it('what is in a heap is not told to who may not read one', async () => {
  using index = indexInMemory();
  const table = new RecordTable<LeakInvestigation>({
    index,
    kind: 'leak-investigation',
    maxRecords: 1,
    atMs: () => 0,
  });
  const found = { id: 'search-1', ...run, heap: { growth, note: 'compared' } };
  table.save(found as LeakInvestigation);
  const nothing = Object.assign(new EventEmitter(), { vitals: () => ({ points: [] }) });
  await using leaks = new Leaks({
    monitor: nothing,
    search: nothing,
    index,
    snapshots: snapshotsOf({}),
    vitalsIntervalMs: 1_000,
  } as unknown as ConstructorParameters<typeof Leaks>[0]);
  const told = (mayReadHeap: boolean): LeakList['investigations'] => leaks.list({ mayReadHeap }).investigations;
  expect(told(true)[0]?.heap?.growth).toEqual(growth);
  expect(told(false)[0]?.heap).toEqual({ growth: null, note: expect.stringContaining('scope "heap"') as string });
});

interface Parts {
  isOn?: boolean;
  snapshots?: readonly object[];
  growths?: HeapGrowth[];
  start?: () => object;
  waitFor?: () => Promise<object>;
  cancel?: (id: string) => Promise<void>;
}

function snapshotsOf(parts: Parts): LeakSnapshots {
  const { isOn = true, snapshots = [], growths = [], start = () => ({ id: 'analysis-1' }) } = parts;
  const unexpected = () => Promise.reject(new Error('nothing was started'));
  return new LeakSnapshots({
    store: { list: () => ({ profiles: snapshots }) },
    analyses: { isOn, start, growths: () => growths },
    captures: { waitFor: parts.waitFor ?? unexpected, cancel: parts.cancel ?? unexpected },
  } as unknown as ConstructorParameters<typeof LeakSnapshots>[0]);
}

function taken(id: string): object {
  return { id, complete: true, target: { instanceId: run.instanceId }, thread: { id: 'main' } };
}

async function takeSnapshot(agent: RunningAgent): Promise<string> {
  const take = async () => {
    const response = await call(agent, '/heap/snapshot?force=true&wait=true', 'POST');
    if (!response.ok) throw new Error(await response.text());
    return operationSchema.parse(await response.json());
  };
  // Not before the agent has attached.
  const { state, profileIds } = await waitFor(take, { message: 'a snapshot to be taken' });
  expect(state).toBe('succeeded');
  return profileIds[0] ?? '';
}

async function investigate(agent: RunningAgent): Promise<LeakInvestigation> {
  const started = await call(agent, '/memory/leaks/investigate?duration=1000&settle=0&wait=true', 'POST');
  const operation = operationSchema.parse(await started.json());
  expect([operation.state, operation.error]).toEqual(['succeeded', null]);
  const [found] = (await leaksOf(agent)).investigations;
  expect(found?.id).toBe(operation.id);
  return found!;
}

async function leaksOf(agent: RunningAgent): Promise<LeakList> {
  return leakListSchema.parse(await (await call(agent, '/memory/leaks')).json());
}

function call({ url, token }: RunningAgent, path: string, method = 'GET'): Promise<Response> {
  return fetch(`${url}/api/v1/profiling${path}`, { method, headers: { authorization: `Bearer ${token}` } });
}
