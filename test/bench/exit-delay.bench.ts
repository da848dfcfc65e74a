import { setTimeout as delay } from 'node:timers/promises';
import type { Operation } from '../../protocol/rest/operation.ts';
import { startAgentProcess, untilAttached } from '../support/agent-process.ts';
import { nodeVersions } from '../support/node-versions.ts';
import { startTarget } from '../support/target.ts';
import { formatSpread, spreadOf } from './support.ts';
import type { Bench } from './support.ts';

type Mode = 'alone' | 'attached' | 'profiled' | 'profiled-with-workers' | 'workers-alone';

/** How much later does a target end because we are there? */
export const bench: Bench = async ({ quick, signal }) => {
  const runs = quick ? 3 : 15;
  const rows = [];
  for (const { major, version } of nodeVersions) {
    const row: Record<string, string> = { node: version };
    for (const mode of ['alone', 'attached', 'profiled', 'workers-alone', 'profiled-with-workers'] as const) {
      const delays: number[] = [];
      for (let run = 0; run < runs; run++) {
        signal.throwIfAborted();
        delays.push(await exitMs(major, mode));
      }
      row[`${mode}, ms`] = formatSpread(spreadOf(delays), 0);
    }
    rows.push(row);
  }
  return [
    {
      title: 'process.exit() until the process has ended',
      note: 'from the message that makes the target call process.exit; profiled: a CPU profile at 1 ms runs and is saved (on main and three workers in the last column)',
      rows,
    },
  ];
};

async function exitMs(node: number, mode: Mode): Promise<number> {
  const hasWorkers = mode === 'workers-alone' || mode === 'profiled-with-workers';
  await using target = await startTarget(hasWorkers ? 'with-workers' : 'exits-while-profiled', { node });
  await using stack = new AsyncDisposableStack();
  if (mode !== 'alone' && mode !== 'workers-alone') {
    const agent = stack.use(await startAgentProcess({ targets: [target.inspectorAddress] }));
    await untilAttached(agent);
    if (mode !== 'attached') {
      const { id } = await agent.json<Operation>(`/cpu/start?duration=600000&thread=${hasWorkers ? 'all' : 'main'}`, {
        method: 'POST',
      });
      await agent.operation(id, ({ progress }) => progress.phase === 'sampling');
    }
  }
  // The kernel delays the acknowledgement of the last answer by 40 ms; an exit within that time waits for it.
  await delay(300);
  const startMs = performance.now();
  await target.send({ exit: 7 });
  const { atMs, code, signal } = await target.exited;
  if (code !== 7) throw new Error(`the target ended with ${code ?? signal}`);
  return atMs - startMs;
}
