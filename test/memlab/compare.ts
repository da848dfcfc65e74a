// node test/memlab/compare.ts: class counts, self and retained sizes beside memlab's, on snapshots of every Node version.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { analyseHeap } from '../../protocol/heap-snapshot/analyse.ts';
import type { HeapClass } from '../../protocol/heap-snapshot/classes.ts';
import { readSnapshot } from '../heap-snapshot/snapshots.ts';
import { takeSnapshots } from '../heap-snapshot/take.ts';
import { nodeVersions } from '../support/node-versions.ts';

const folder = mkdtempSync(join(tmpdir(), 'sidescope-memlab-'));
try {
  for (const { major, version } of nodeVersions) {
    for (const program of ['planted', 'leaks']) {
      const [bytes = Buffer.alloc(0)] = await takeSnapshots(program, { node: major });
      const file = join(folder, `${program}-${major}.heapsnapshot`);
      writeFileSync(file, bytes);
      const output = execFileSync(process.execPath, [join(import.meta.dirname, 'analyse.cjs'), file], {
        encoding: 'utf8',
        maxBuffer: 2 ** 28,
      });
      const { classes } = JSON.parse(output) as { classes: HeapClass[] };
      console.log(`Node ${version}, ${program}: ${compare(analyseHeap(readSnapshot(bytes)).histogram, classes)}`);
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}

function compare(ours: readonly HeapClass[], theirs: readonly HeapClass[]): string {
  const byName = new Map(ours.map((entry) => [entry.name, entry]));
  const different = theirs.filter(({ name, count, selfBytes }) => {
    const own = byName.get(name);
    return own?.count !== count || own.selfBytes !== selfBytes;
  });
  const errors = theirs
    .slice(0, 20)
    .map(({ name, retainedBytes }) => Math.abs((byName.get(name)?.retainedBytes ?? 0) / retainedBytes - 1));
  if (different.length > 0 || theirs.length !== ours.length || Math.max(...errors) > 0.01) process.exitCode = 1;
  return `${theirs.length} classes, ${different.length} with another count or self size; retained sizes of the top 20 differ by ${(100 * Math.max(...errors)).toFixed(3)} % at most`;
}
