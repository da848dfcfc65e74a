import { setTimeout as delay } from 'node:timers/promises';
import { startAgentProcess, untilAttached } from '../support/agent-process.ts';
import { startTarget } from '../support/target.ts';
import { formatMiB, formatSpread, readProcess, spreadOf } from './support.ts';
import type { Bench } from './support.ts';

/** How soon is the built bundle attached, and what does it hold while nothing happens? */
export const bench: Bench = async ({ quick, signal }) => {
  const runs = quick ? 3 : 15;
  const attachedMs: number[] = [];
  const rssBytes: number[] = [];
  const peakBytes: number[] = [];
  const cpuMsPerMinute: number[] = [];
  await using target = await startTarget('forever');
  for (let run = 0; run < runs; run++) {
    signal.throwIfAborted();
    const startMs = performance.now();
    await using agent = await startAgentProcess({ targets: [target.inspectorAddress] });
    await untilAttached(agent);
    attachedMs.push(performance.now() - startMs);
    const settleMs = quick ? 1_000 : 5_000;
    const before = await readProcess(agent.pid);
    await delay(settleMs);
    const after = await readProcess(agent.pid);
    rssBytes.push(after.rssBytes);
    peakBytes.push(after.peakRssBytes);
    cpuMsPerMinute.push(((after.cpuMs - before.cpuMs) / settleMs) * 60_000);
  }
  return [
    {
      title: 'The agent alone: dist/agent/main.mjs, one target, nothing asked',
      note: 'start: from spawn until its API says attached, polling included; RSS some seconds later',
      rows: [
        {
          'start to attached, ms': formatSpread(spreadOf(attachedMs), 0),
          'idle RSS': formatMiB(spreadOf(rssBytes).median),
          'peak RSS': formatMiB(spreadOf(peakBytes).median),
          'idle CPU, ms per minute': formatSpread(spreadOf(cpuMsPerMinute), 0),
        },
      ],
    },
  ];
};
