import type { Operation } from '../../protocol/rest/operation.ts';
import { startAgentProcess, untilAttached } from '../support/agent-process.ts';
import { startTarget } from '../support/target.ts';
import { formatSpread, ratioOfPairs } from './support.ts';
import type { Bench } from './support.ts';

/** What does reading the active span 20 times a second add to a CPU profile at 1 ms? */
export const bench: Bench = async ({ quick, signal }) => {
  const rows = [];
  for (const node of quick ? [24] : [18, 24]) {
    const pairs = quick ? 3 : 7;
    const off = (): Promise<number> => cpuOfRequests(node, 0);
    const alone = (): Promise<number> => cpuOfRequests(node, 'alone');
    const added = await ratioOfPairs({ a: off, b: () => cpuOfRequests(node, 20), pairs, signal });
    const whole = await ratioOfPairs({ a: alone, b: () => cpuOfRequests(node, 20), pairs, signal });
    rows.push({
      node,
      'profiled, cpu ms': formatSpread(added.a, 0),
      'with readings / without': formatSpread(added.ratio, 3),
      'with readings / no profile': formatSpread(whole.ratio, 3),
    });
  }
  return [
    {
      title: 'CPU time of the target for fixed work inside spans, profiled at 1 ms',
      note: 'a fresh process per run, pairs in turns, median (min-max); real OpenTelemetry API; the agent is a process of its own on the same cores',
      rows,
    },
  ];
};

async function cpuOfRequests(node: number, rateHz: number | 'alone'): Promise<number> {
  await using target = await startTarget('fixed-work-in-spans', { node });
  if (rateHz === 'alone') return await measure(target);
  await using agent = await startAgentProcess({
    targets: [target.inspectorAddress],
    args: ['--span-reading-rate', String(rateHz)],
  });
  await untilAttached(agent);
  const { id } = await agent.json<Operation>('/cpu/start?duration=600000', { method: 'POST' });
  await agent.operation(id, ({ progress }) => progress.phase === 'sampling');
  return await measure(target);
}

async function measure(target: Awaited<ReturnType<typeof startTarget>>): Promise<number> {
  await target.send('work');
  return Number((await target.waitForOutput(/^worked ([\d.]+)$/m, 120_000))[1]);
}
