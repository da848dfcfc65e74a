import type { Operation } from '../../protocol/rest/operation.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import type { ProfileSummary } from '../../protocol/rest/summary.ts';
import { startAgentProcess, untilAttached } from '../support/agent-process.ts';
import { nodeVersions } from '../support/node-versions.ts';
import { startTarget } from '../support/target.ts';
import { formatSpread, spreadOf } from './support.ts';
import type { Bench } from './support.ts';

/** Does a profile name the function that was hot before it began, and what does the target pay for that? */
export const bench: Bench = async ({ quick, signal }) => {
  const majors = quick ? [24] : nodeVersions.map(({ major }) => major);
  const runs = quick ? 3 : 7;
  const named = [];
  for (const major of majors) {
    const shares = { no: [] as number[], yes: [] as number[] };
    for (let run = 0; run < runs; run++) {
      signal.throwIfAborted();
      shares.no.push(await shareOfBurn(major, false));
      shares.yes.push(await shareOfBurn(major, true));
    }
    named.push({
      node: major,
      'without, median': formatSpread(spreadOf(shares.no), 2),
      'with, median': formatSpread(spreadOf(shares.yes), 2),
    });
  }
  const pauses = [];
  for (const major of quick ? [24] : [18, 24, 26]) {
    for (const megabytes of [20, 200, 800]) {
      const pause = { no: [] as number[], yes: [] as number[] };
      await using target = await startTarget('big-heap', {
        node: major,
        args: [String(megabytes)],
        execArgv: ['--inspect=127.0.0.1:0', '--max-old-space-size=4000'],
      });
      await using agent = await startAgentProcess({ targets: [target.inspectorAddress] });
      await untilAttached(agent);
      for (let run = 0; run < 3; run++) {
        signal.throwIfAborted();
        pause.no.push((await profileOf(agent, false)).cost.pauseMs ?? 0);
        pause.yes.push((await profileOf(agent, true)).cost.pauseMs ?? 0);
      }
      pauses.push({
        node: major,
        'heap, MB': megabytes,
        'pause without, ms': formatSpread(spreadOf(pause.no)),
        'with, ms': formatSpread(spreadOf(pause.yes)),
      });
    }
  }
  return [
    {
      title: 'Share of the samples in a function that was hot before the profile began',
      note: `${runs} fresh targets each, half a second old, median (min-max)`,
      rows: named,
    },
    { title: 'Pause at the start of a CPU profile', note: 'idle target, n=3, median (min-max)', rows: pauses },
  ];
};

type Agent = Awaited<ReturnType<typeof startAgentProcess>>;

async function shareOfBurn(node: number, deoptimize: boolean): Promise<number> {
  await using target = await startTarget('busy', { node });
  await using agent = await startAgentProcess({ targets: [target.inspectorAddress] });
  await untilAttached(agent);
  const { id } = await profileOf(agent, deoptimize);
  const { functions } = await agent.json<ProfileSummary>(`/profiles/${id}/summary`);
  const burn = functions.find(({ functionName }) => functionName === 'burn');
  return burn !== undefined && 'selfShare' in burn ? burn.selfShare : 0;
}

async function profileOf(agent: Agent, deoptimize: boolean): Promise<Profile> {
  const path = `/cpu/start?duration=500&wait=true&deoptimize=${deoptimize}`;
  const { profileIds } = await agent.json<Operation>(path, { method: 'POST' });
  return await agent.json<Profile>(`/profiles/${profileIds[0]}`);
}
