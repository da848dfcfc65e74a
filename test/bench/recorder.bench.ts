import { setTimeout as delay } from 'node:timers/promises';
import { cpuIntervalUs } from '../../protocol/rest/limits.ts';
import { openRecorder, type RecorderHarness } from '../capture/recorder-harness.ts';
import { startAgentProcess, untilAttached } from '../support/agent-process.ts';
import { nodeVersions } from '../support/node-versions.ts';
import { startTarget, type RunningTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { formatSpread, ratioOfPairs, spreadOf } from './support.ts';
import type { Bench } from './support.ts';

/** What does the flight recorder cost: CPU all the time, and stalls when windows change and profiles start? */
export const bench: Bench = async ({ quick, signal }) => {
  const majors = quick ? [24] : [18, 20, 24, 26];
  const versions = nodeVersions.filter(({ major }) => majors.includes(major));
  const costs = [];
  const stalls = [];
  for (const { major, version } of versions) {
    const pairs = quick ? 3 : 7;
    const off = (): Promise<number> => cpuOfFixedWork(major, false);
    const { ratio } = await ratioOfPairs({ a: off, b: () => cpuOfFixedWork(major, true), pairs, signal });
    costs.push({ node: version, 'recorder on / off': formatSpread(ratio, 3) });
    stalls.push({ node: version, ...(await measureStalls(major, quick ? 3 : 9)) });
  }
  return [
    {
      title: 'CPU time of the target for fixed work with the flight recorder on, over attached without it',
      note: 'a fresh process per run, pairs in turns, median (min-max); the agent is a process of its own on the same cores',
      rows: costs,
    },
    {
      title: 'Stall of a target with 10 MB of compiled code, ms',
      note: "by the target's own timer of 1 ms, median (min-max); `nothing` is the same wait without a capture",
      rows: stalls,
    },
  ];
};

async function cpuOfFixedWork(node: number, isRecorded: boolean): Promise<number> {
  await using target = await startTarget('fixed-work', { node });
  const args = isRecorded ? ['--flight-recorder'] : [];
  await using agent = await startAgentProcess({ targets: [target.inspectorAddress], args });
  await untilAttached(agent);
  if (isRecorded)
    await waitFor(
      async () => {
        const { targets } = await agent.json<{ targets: { state: string }[] }>('/recorder');
        return targets[0]?.state === 'recording';
      },
      { message: 'the recorder', deadlineMs: 30_000 },
    );
  await target.send('work');
  return Number((await target.waitForOutput(/^worked ([\d.]+)$/m, 120_000))[1]);
}

async function measureStalls(node: number, rounds: number): Promise<Record<string, string>> {
  await using target = await startTarget('loads-code', { node });
  const worst = worstOf(target);
  const nothing: number[] = [];
  const cold: number[] = [];
  {
    await using opened = await openRecorder(target.inspectorAddress, { isOn: false });
    for (let round = 0; round < rounds; round++) {
      nothing.push(await worst(() => delay(300)));
      cold.push(await stallOfStart(opened, { worst, intervalUs: cpuIntervalUs.default }));
    }
  }
  await using opened = await openRecorder(target.inspectorAddress);
  await opened.recording();
  const rotation: number[] = [];
  const warm: number[] = [];
  for (let round = 0; round < rounds; round++) {
    rotation.push(await worst(() => opened.recorder.recording(opened.targetId)?.flush() ?? Promise.resolve()));
    warm.push(await stallOfStart(opened, { worst }));
  }
  const clocked = opened.view().windows.flatMap(({ pauseMs }) => pauseMs ?? []);
  return {
    'nothing (0.3 s)': formatSpread(spreadOf(nothing), 1),
    'start of a profile, recorder off': formatSpread(spreadOf(cold), 1),
    'start of a profile, recorder on': formatSpread(spreadOf(warm), 1),
    'rotation of a window': formatSpread(spreadOf(rotation), 1),
    "a rotation by the target's clock": formatSpread(spreadOf(clocked), 2),
  };
}

function worstOf(target: RunningTarget): (work: () => Promise<unknown>) => Promise<number> {
  let asked = 0;
  const ask = async (): Promise<number> => {
    asked += 1;
    await target.send({});
    const lines = await waitFor(
      () => {
        const found = [...target.stdout.matchAll(/^worst ([\d.]+)$/gm)];
        return found.length >= asked ? found : undefined;
      },
      { message: 'the answer', deadlineMs: 60_000 },
    );
    return Number(lines.at(-1)?.[1]);
  };
  return async (work) => {
    await ask();
    await work();
    return await ask();
  };
}

/** Of the start alone: saving a profile wakes other processes, which share the cores. */
async function stallOfStart(
  { captures }: RecorderHarness,
  { worst, intervalUs }: { worst: ReturnType<typeof worstOf>; intervalUs?: number },
): Promise<number> {
  let id = '';
  const stallMs = await worst(async () => {
    ({ id } = await captures.startCpu({ startedBy: 'bench', durationMs: 60_000, intervalUs }));
    await waitFor(() => captures.get(id).progress.phase === 'sampling', { message: 'sampling', deadlineMs: 60_000 });
  });
  await captures.cancel(id, 'bench');
  return stallMs;
}
