import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodePprof } from '../../protocol/cpu-profile/pprof.ts';
import { parseCpuProfile } from '../../protocol/cpu-profile/parse.ts';
import { fileOf } from '../cpu-profile/profiles.ts';
import { formatSpread, spreadOf } from './support.ts';
import type { Bench } from './support.ts';

/** What 50 pods' profiles cost whoever merges them: in a process of its own, so that the memory is that of merging. */
export const bench: Bench = async ({ quick, signal }) => {
  const folder = await mkdtemp(join(tmpdir(), 'sidescope-merge-'));
  try {
    const rows: Record<string, string | number>[] = [];
    for (const stacks of [1_000, 5_000]) {
      let sizeBytes = 0;
      const paths = Array.from({ length: 50 }, (_, replica) => {
        const bytes = encodePprof(parseCpuProfile(fileOf(...replicaStacks(replica, stacks))));
        const path = join(folder, `${stacks}-${replica}.pb`);
        writeFileSync(path, bytes);
        sizeBytes += bytes.length;
        return path;
      });
      const runs = [];
      for (let run = 0; run < (quick ? 3 : 7); run++) {
        signal.throwIfAborted();
        runs.push(await mergeApart(paths));
      }
      rows.push({
        'stacks each': stacks,
        'plain MB in': (sizeBytes / 1e6).toFixed(1),
        'plain MB out': (runs[0]!.outBytes / 1e6).toFixed(1),
        ms: formatSpread(spreadOf(runs.map(({ ms }) => ms)), 0),
        'RSS grows by MiB': formatSpread(spreadOf(runs.map(({ grownBytes }) => grownBytes / 2 ** 20)), 0),
        'peak RSS MiB': formatSpread(spreadOf(runs.map(({ peakBytes }) => peakBytes / 2 ** 20)), 0),
      });
    }
    return [
      {
        title: 'merge of 50 pprof files of 30 s at 1 ms, each with its pod as a label',
        note: 'Reading from disk included, gzip not. Stacks of 10 to 30 frames; of every four stacks three are those of all replicas, one is its own.',
        rows,
      },
    ];
  } finally {
    await rm(folder, { recursive: true });
  }
};

/** 30,000 samples in so many stacks. */
function replicaStacks(replica: number, stacks: number): string[] {
  return Array.from({ length: stacks }, (_, index) => {
    let random = (index % 4 === 0 ? (replica + 1) * 7_919 : 0) + index * 104_729 + 1;
    const next = (below: number): number => {
      random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0;
      return (random >>> 8) % below;
    };
    const frames = Array.from({ length: 10 + next(20) }, (__, depth) => {
      const fn = depth * 40 + next(1 + depth);
      return `function${fn}@file:///app/dist/module${fn % 97}.js:${fn + 1}`;
    });
    return `${frames.join(';')} ${Math.round(30_000 / stacks)}`;
  });
}

interface Merged {
  readonly ms: number;
  readonly outBytes: number;
  readonly grownBytes: number;
  readonly peakBytes: number;
}

async function mergeApart(paths: readonly string[]): Promise<Merged> {
  const child = fork(join(import.meta.dirname, 'merge-run.ts'), [...paths], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const exit = once(child, 'exit');
  const [merged] = (await Promise.race([once(child, 'message'), exit])) as [Merged | number];
  await exit;
  if (typeof merged === 'object') return merged;
  throw new Error(`merging ended with ${merged}`);
}
