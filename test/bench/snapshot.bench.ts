import type { Operation } from '../../protocol/rest/operation.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import { startAgentProcess, untilAttached, type AgentProcess } from '../support/agent-process.ts';
import { startTarget } from '../support/target.ts';
import { snapshotInProcess } from './snapshot-in-process.ts';
import { formatMiB, formatSpread, peakRssDuring, ratioOfPairs } from './support.ts';
import type { Bench } from './support.ts';

/** What does a snapshot through the agent take longer than one in the process, and what does the agent need for it? */
export const bench: Bench = async ({ quick, signal }) => {
  const heapMb = quick ? 40 : 100;
  const pairs = quick ? 1 : 5;
  await using target = await startTarget('big-heap', {
    args: [String(heapMb)],
    execArgv: ['--inspect=127.0.0.1:0', '--max-old-space-size=8192'],
  });
  await using agent = await startAgentProcess({ targets: [target.inspectorAddress], args: ['--disk-budget', '8GiB'] });
  await untilAttached(agent);
  const { a, b, ratio } = await ratioOfPairs({
    a: async () => (await snapshotInProcess(target)).wallMs / 1000,
    b: async () => ((await takeSnapshot(agent)).durationMs ?? 0) / 1000,
    pairs,
    signal,
  });
  const big = await streamOneBig(quick ? 150 : 290);
  return [
    {
      title: `Wall time of a heap snapshot, ${heapMb} MB of small objects, Node 24`,
      note: 'one process, pairs in turns; in the process: v8.writeHeapSnapshot to a file; through the agent: from the command to the last byte on disk, compressed',
      rows: [
        {
          'in the process, s': formatSpread(a),
          'through the agent, s': formatSpread(b),
          ratio: formatSpread(ratio, 3),
        },
      ],
    },
    {
      title: 'Memory of the agent (the bundle, a process of its own)',
      note: "the kernel's own peak; the download is plain (decompressed by the agent), then Range at its end",
      rows: [big],
    },
  ];
};

async function streamOneBig(heapMb: number): Promise<Record<string, string>> {
  await using target = await startTarget('big-heap', {
    args: [String(heapMb)],
    execArgv: ['--inspect=127.0.0.1:0', '--max-old-space-size=8192'],
  });
  await using agent = await startAgentProcess({ targets: [target.inspectorAddress], args: ['--disk-budget', '8GiB'] });
  await untilAttached(agent);
  let profile: Profile | undefined;
  const capture = await peakRssDuring(agent.pid, async () => {
    profile = await takeSnapshot(agent);
  });
  const path = `/profiles/${profile?.id}/download`;
  let downloadMs = 0;
  const download = await peakRssDuring(agent.pid, async () => {
    const startMs = performance.now();
    await drain(await agent.request(path, { headers: { 'accept-encoding': 'identity' } }));
    downloadMs = performance.now() - startMs;
    const range = `bytes=${(profile?.sizeBytes ?? 0) - 1000}-`;
    await drain(await agent.request(path, { headers: { range, 'accept-encoding': 'identity' } }));
  });
  return {
    'snapshot file': formatMiB(profile?.sizeBytes ?? 0),
    stored: formatMiB(profile?.storedBytes ?? 0),
    'rss before': formatMiB(capture.startBytes),
    'peak while capturing': formatMiB(capture.peakBytes),
    'peak while downloading': formatMiB(download.peakBytes),
    'download, s': (downloadMs / 1000).toFixed(1),
    'target paused, s': ((profile?.cost.pauseMs ?? 0) / 1000).toFixed(1),
    'predicted peak up to': formatMiB(profile?.snapshot?.predictedPeakBytes.high ?? 0),
    'actual peak': formatMiB(profile?.snapshot?.actualPeakBytes ?? 0),
  };
}

async function takeSnapshot(agent: AgentProcess): Promise<Profile> {
  const started = await agent.json<Operation>('/heap/snapshot?force=true', { method: 'POST' });
  const operation = await agent.operation(started.id, ({ endedAt }) => endedAt !== null, 600_000);
  if (operation.state !== 'succeeded') throw new Error(`the snapshot ${operation.state}: ${operation.error?.message}`);
  const profile = await agent.json<Profile>(`/profiles/${operation.profileIds[0]}`);
  return profile;
}

async function drain(response: Response): Promise<void> {
  for await (const _ of response.body ?? []) void _;
}
