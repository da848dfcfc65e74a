import { setTimeout as delay } from 'node:timers/promises';
import { startAgentProcess, untilAttached } from '../support/agent-process.ts';
import { nodeVersions } from '../support/node-versions.ts';
import { startTarget } from '../support/target.ts';
import { formatSpread, ratioOfPairs, readProcess, spreadOf } from './support.ts';
import type { Bench } from './support.ts';

const off = ['--vitals-interval', '0', '--stall-threshold', '0'];

/** What do vitals every 5 s and a heartbeat every 500 ms cost the target? */
export const bench: Bench = async ({ quick, signal }) => {
  const pairs = quick ? 2 : 9;
  const idleMs = quick ? 20_000 : 60_000;
  const majors = quick ? [24] : [18, 20, 24, 26];
  const rows = [];
  for (const { major, version } of nodeVersions.filter((each) => majors.includes(each.major))) {
    const busy = await ratioOfPairs({
      a: () => cpuOfFixedWork(major, off),
      b: () => cpuOfFixedWork(major, []),
      pairs,
      signal,
    });
    const [without, withBoth] = await Promise.all([idleCpuMs(major, off, idleMs), idleCpuMs(major, [], idleMs)]);
    rows.push({
      node: version,
      'fixed work, on / off': formatSpread(busy.ratio, 3),
      'idle, off: % of a core': formatSpread(spreadOf([(without / idleMs) * 100]), 3),
      'idle, on: % of a core': formatSpread(spreadOf([(withBoth / idleMs) * 100]), 3),
    });
  }
  return [
    {
      title: 'CPU time of the target with vitals and stall watch',
      note: 'attached in both cases; fixed work: a fresh process per run, pairs in turns, median (min-max); idle: user and system time over one minute, kernel resolution 10 ms',
      rows,
    },
  ];
};

async function cpuOfFixedWork(node: number, args: readonly string[]): Promise<number> {
  await using target = await startTarget('fixed-work', { node });
  await using agent = await startAgentProcess({ targets: [target.inspectorAddress], args });
  await untilAttached(agent);
  await target.send('work');
  return Number((await target.waitForOutput(/^worked ([\d.]+)$/m, 120_000))[1]);
}

async function idleCpuMs(node: number, args: readonly string[], forMs: number): Promise<number> {
  await using target = await startTarget('forever', { node });
  await using agent = await startAgentProcess({ targets: [target.inspectorAddress], args });
  await untilAttached(agent);
  // The first readings compile what the later ones use.
  await delay(6_000);
  const before = await readProcess(target.pid);
  await delay(forMs);
  return (await readProcess(target.pid)).cpuMs - before.cpuMs;
}
