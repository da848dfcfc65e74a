import { startAgentProcess, untilAttached } from '../support/agent-process.ts';
import { startTarget } from '../support/target.ts';
import { parseInspectorAddress } from '../../agent/attach/address.ts';
import { Targets } from '../../agent/attach/targets.ts';
import { ProfileWorker } from '../../agent/capture/profile-worker.ts';
import { SamplingSearch } from '../../agent/memory/sampling-search.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import { waitFor } from '../support/wait-for.ts';
import { formatSpread, ratioOfPairs, spreadOf, type Bench } from './support.ts';

/** What does heap sampling cost the target while it runs, and what does a reading? */
export const bench: Bench = async ({ quick, signal }) => {
  const pairs = quick ? 2 : 7;
  const cost = await ratioOfPairs({ a: () => cpuOfFixedWork(false), b: () => cpuOfFixedWork(true), pairs, signal });
  const readings = [];
  for (const heapMb of [100, 500]) readings.push(await readingsOf(heapMb, quick ? 3 : 9));
  return [
    {
      title: 'CPU time of the target for fixed work, heap sampling at 512 KiB',
      note: 'a fresh process per run, pairs in turns, median (min-max); both attached with vitals and stall watch',
      rows: [{ 'attached, cpu ms': formatSpread(cost.a, 0), 'sampling / attached': formatSpread(cost.ratio, 3) }],
    },
    {
      title: 'Pause of the target for one reading of the sampler',
      note: 'on the target, by its own clock; median (min-max); the heap is arrays of small objects, idle meanwhile',
      rows: readings,
    },
  ];
};

async function cpuOfFixedWork(isSampling: boolean): Promise<number> {
  await using target = await startTarget('fixed-work');
  await using agent = await startAgentProcess({ targets: [target.inspectorAddress] });
  await untilAttached(agent);
  if (isSampling) {
    const { id } = await agent.json<Operation>('/heap/sampling/start?duration=600000', { method: 'POST' });
    await agent.operation(id, ({ progress }) => progress.phase === 'sampling');
  }
  await target.send('work');
  return Number((await target.waitForOutput(/^worked ([\d.]+)$/m, 120_000))[1]);
}

async function readingsOf(heapMb: number, count: number): Promise<Record<string, string | number>> {
  await using target = await startTarget('big-heap', {
    args: [String(heapMb)],
    execArgv: ['--inspect=127.0.0.1:0', '--max-old-space-size=2048'],
  });
  await using targets = new Targets([parseInspectorAddress(target.inspectorAddress)]);
  await using worker = new ProfileWorker();
  const log = { info: () => undefined, warn: () => undefined };
  await using search = new SamplingSearch({ targets, worker, sourceMapPaths: [], log });
  targets.start();
  const [view] = targets.list();
  if (view === undefined) throw new Error('no target');
  await waitFor(() => targets.list()[0]?.state.state === 'attached', { message: 'the target', deadlineMs: 60_000 });
  await search.begin(view.id, 'near-limit');
  const pausesMs: number[] = [];
  for (let index = 0; index < count; index++) {
    const reading = await search.read(view.id, 'near-limit', AbortSignal.timeout(60_000));
    if (reading === undefined || reading.costMs === null) throw new Error('a reading failed');
    pausesMs.push(reading.costMs);
  }
  return { 'heap, MB': heapMb, 'pause, ms': formatSpread(spreadOf(pausesMs), 0) };
}
