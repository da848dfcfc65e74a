import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTarget } from '../support/target.ts';
import type { AnalysisRun } from './heap-analysis-run.ts';
import { formatMiB, runChild } from './support.ts';
import type { Bench } from './support.ts';

const memlab = join(import.meta.dirname, '../memlab');

/** What do parsing, dominators, exact sizes of classes, retainer index and paths of a snapshot take, beside memlab? */
export const bench: Bench = async ({ quick, signal }) => {
  const folder = await mkdtemp(join(tmpdir(), 'sidescope-bench-'));
  const hasMemlab = existsSync(join(memlab, 'node_modules/@memlab/core'));
  try {
    const totals: Record<string, string | number>[] = [];
    const parts: Record<string, string | number>[] = [];
    for (const heapMb of quick ? [20] : [107, 507]) {
      const file = await writeSnapshot(join(folder, `${heapMb}.heapsnapshot`), heapMb);
      const ours = await measure<AnalysisRun>([join(import.meta.dirname, 'heap-analysis-run.ts'), file], signal);
      const { sizeBytes, partsMs } = ours;
      totals.push({ tool: 'sidescope', ...row(ours), 'parse, MB/s': (sizeBytes / 1e3 / partsMs['parse']!).toFixed(0) });
      parts.push({ nodes: ours.nodes, edges: ours.edges, ...seconds(partsMs) });
      if (hasMemlab) {
        const args = ['--max-old-space-size=12000', join(memlab, 'analyse.cjs'), file];
        totals.push({
          tool: 'memlab',
          ...row({ ...(await measure<Omit<AnalysisRun, 'sizeBytes'>>(args, signal)), sizeBytes }),
        });
      }
      await rm(file);
    }
    return [
      {
        title:
          'Analysis of a heap snapshot: parse, dominators, exact class sizes, retainers (and, ours, shortest paths)',
        note: hasMemlab
          ? 'one run each, in a process of its own, from the file in the page cache; small live objects of Node 24'
          : 'one run each, in a process of its own; small live objects of Node 24; memlab is not installed: npm ci in test/memlab',
        rows: totals,
      },
      {
        title: 'Its parts, s',
        note: 'parse and retainers grow with edges, dominators with edges and cache misses, the rest with nodes',
        rows: parts,
      },
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

async function writeSnapshot(file: string, heapMb: number): Promise<string> {
  await using target = await startTarget('big-heap', {
    args: [String(heapMb)],
    execArgv: ['--inspect=127.0.0.1:0', '--max-old-space-size=12000'],
  });
  await target.send({ snapshot: file });
  await target.waitForOutput(/^wrote [\d.]+$/m, 600_000);
  return file;
}

async function measure<Run>(args: readonly string[], signal: AbortSignal): Promise<Run> {
  const { code, stdout, stderr } = await runChild(process.execPath, args, signal);
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}: ${stderr}`);
  return JSON.parse(stdout) as Run;
}

function row({
  sizeBytes,
  wallMs,
  cpuMs,
  peakRssBytes,
}: Pick<AnalysisRun, 'sizeBytes' | 'wallMs' | 'cpuMs' | 'peakRssBytes'>) {
  return {
    file: `${(sizeBytes / 1e6).toFixed(0)} MB`,
    'time, s': (wallMs / 1_000).toFixed(1),
    'CPU, s': (cpuMs / 1_000).toFixed(1),
    'peak RSS': formatMiB(peakRssBytes),
  };
}

function seconds(partsMs: AnalysisRun['partsMs']): Record<string, string> {
  return Object.fromEntries(Object.entries(partsMs).map(([part, ms]) => [part, (ms / 1_000).toFixed(2)]));
}
