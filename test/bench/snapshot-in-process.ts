import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunningTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';

/**
 * Wall time of `v8.writeHeapSnapshot` inside a running `big-heap` target: what a snapshot costs without us. The
 * file lies on the temporary directory's disk.
 */
export async function snapshotInProcess(target: RunningTarget): Promise<{ wallMs: number; sizeBytes: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'sidescope-bench-'));
  try {
    const file = join(folder, 'baseline.heapsnapshot');
    const wallsMs = (): number[] => [...target.stdout.matchAll(/^wrote ([\d.]+)$/gm)].map(([, ms]) => Number(ms));
    const before = wallsMs().length;
    await target.send({ snapshot: file });
    const wallMs = await waitFor(() => wallsMs()[before], {
      deadlineMs: 600_000,
      message: 'the snapshot to be written',
    });
    return { wallMs, sizeBytes: (await stat(file)).size };
  } finally {
    await rm(folder, { recursive: true });
  }
}
