import { expect, test } from 'vitest';
import { analyseHeap } from '../../protocol/heap-snapshot/analyse.ts';
import { SnapshotRedactor } from '../../protocol/heap-snapshot/redact.ts';
import { openInDevTools } from './devtools.ts';
import { readSnapshot } from './snapshots.ts';
import { takeSnapshots } from './take.ts';

test('a redacted snapshot is to DevTools the same graph, sizes, classes and retainers as the one it was made of', async () => {
  const snapshots = await Promise.all(
    [18, 26].map(async (node) => (await takeSnapshots('secrets', { node, args: ['CANARYcanary'] }))[0]!),
  );
  const views = await openInDevTools(snapshots.flatMap((plain) => [plain, redacted(plain)]));
  for (const [index, plain] of snapshots.entries()) {
    const [before, after] = views.slice(2 * index, 2 * index + 2);
    expect(after).toEqual(before);
    const { graph, histogram } = analyseHeap(readSnapshot(plain));
    expect(before!.nodeCount).toBe(graph.nodeCount);
    expect(before!.classes.find(([name]) => name === 'Account')?.slice(0, 3)).toEqual([
      'Account',
      200,
      histogram.find(({ name }) => name === 'Account')!.selfBytes,
    ]);
    expect(Object.values(before!.columns).map((column) => Number.parseInt(column, 10))).toContain(graph.nodeCount);
  }
});

function redacted(plain: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  const redactor = new SnapshotRedactor({ salt: Uint8Array.of(1, 2, 3), write: (bytes) => parts.push(bytes) });
  redactor.push(plain);
  redactor.finish();
  return Buffer.concat(parts);
}
