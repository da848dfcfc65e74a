import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { nodePath } from '../support/node-versions.ts';

const run = promisify(execFile);

/** Runs `test/targets/heap-snapshots/<name>.mjs FILE...`, which writes a snapshot to each, on one version of Node; resolves with their bytes. */
export async function takeSnapshots(
  name: string,
  { node = 24, count = 1, args = [] }: { node?: number; count?: number; args?: readonly string[] } = {},
): Promise<Buffer[]> {
  const folder = await mkdtemp(join(tmpdir(), 'sidescope-snapshots-'));
  try {
    const files = Array.from({ length: count }, (_, index) => join(folder, `${index}.heapsnapshot`));
    const program = join(import.meta.dirname, '../targets/heap-snapshots', `${name}.mjs`);
    await run(nodePath(node), ['--expose-gc', program, ...files, ...args], { env: {}, timeout: 60_000 });
    return await Promise.all(files.map((file) => readFile(file)));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
