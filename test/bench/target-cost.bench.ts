import type { Operation } from '../../protocol/rest/operation.ts';
import { startAgentProcess, untilAttached } from '../support/agent-process.ts';
import { nodeVersions } from '../support/node-versions.ts';
import { startTarget } from '../support/target.ts';
import { formatSpread, ratioOfPairs } from './support.ts';
import type { Bench } from './support.ts';

/** What does the target pay for being attached, and for a CPU profile? */
export const bench: Bench = async ({ quick, signal }) => {
  const pairs = quick ? 2 : 7;
  const majors = quick ? [24] : [20, 24, 26];
  const rows = [];
  for (const { major, version } of nodeVersions.filter((each) => majors.includes(each.major))) {
    const alone = (): Promise<number> => cpuOfFixedWork(major);
    const attached = await ratioOfPairs({ a: alone, b: () => cpuOfFixedWork(major, 'attached'), pairs, signal });
    const profiled = await ratioOfPairs({ a: alone, b: () => cpuOfFixedWork(major, 'profiled'), pairs, signal });
    rows.push({
      node: version,
      'alone, cpu s': formatSpread({
        ...attached.a,
        median: attached.a.median / 1000,
        min: attached.a.min / 1000,
        max: attached.a.max / 1000,
      }),
      'attached / alone': formatSpread(attached.ratio, 3),
      'profiled at 1 ms / alone': formatSpread(profiled.ratio, 3),
    });
  }
  return [
    {
      title: 'CPU time of the target for fixed work',
      note: 'a fresh process per run, pairs in turns, median (min-max); the agent is a process of its own on the same two cores',
      rows,
    },
  ];
};

async function cpuOfFixedWork(node: number, mode: 'alone' | 'attached' | 'profiled' = 'alone'): Promise<number> {
  await using target = await startTarget('fixed-work', { node });
  if (mode === 'alone') return await measure(target);
  await using agent = await startAgentProcess({ targets: [target.inspectorAddress] });
  await untilAttached(agent);
  if (mode === 'profiled') {
    const { id } = await agent.json<Operation>('/cpu/start?duration=600000', { method: 'POST' });
    await agent.operation(id, ({ progress }) => progress.phase === 'sampling');
  }
  return await measure(target);
}

async function measure(target: Awaited<ReturnType<typeof startTarget>>): Promise<number> {
  await target.send('work');
  return Number((await target.waitForOutput(/^worked ([\d.]+)$/m, 120_000))[1]);
}
