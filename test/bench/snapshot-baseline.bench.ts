import { nodeVersions } from '../support/node-versions.ts';
import { startTarget } from '../support/target.ts';
import { snapshotInProcess } from './snapshot-in-process.ts';
import { formatMiB, formatSpread, peakRssDuring, spreadOf } from './support.ts';
import type { Bench } from './support.ts';

/** What does a heap snapshot cost a process that takes it by itself? The yardstick for the one over the inspector. */
export const bench: Bench = async ({ quick, signal }) => {
  const heapMb = quick ? 40 : 100;
  const runs = quick ? 1 : 3;
  const rows = [];
  for (const { major, version } of quick ? nodeVersions.slice(-2) : nodeVersions) {
    await using target = await startTarget('big-heap', {
      node: major,
      args: [String(heapMb)],
      execArgv: ['--max-old-space-size=8192'],
    });
    const wallsMs: number[] = [];
    let sizeBytes = 0;
    const { startBytes, peakBytes } = await peakRssDuring(target.pid, async () => {
      for (let run = 0; run < runs; run++) {
        signal.throwIfAborted();
        const snapshot = await snapshotInProcess(target);
        wallsMs.push(snapshot.wallMs);
        sizeBytes = snapshot.sizeBytes;
      }
    });
    rows.push({
      node: version,
      'wall s': formatSpread(spreadOf(wallsMs.map((ms) => ms / 1000))),
      file: formatMiB(sizeBytes),
      'rss before': formatMiB(startBytes),
      'rss peak': formatMiB(peakBytes),
    });
  }
  return [
    {
      title: `v8.writeHeapSnapshot in the process, ${heapMb} MB of small objects`,
      note: 'one process per version, its snapshots one after the other; the peak is the kernel’s own',
      rows,
    },
  ];
};
