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
    const runs: AnalysisRun[] = [];
    for (const heapMb of quick ? [20] : [107, 507]) {
      const file = await writeSnapshot(join(folder, `${heapMb}.heapsnapshot`), heapMb);
      const ours = await measure<AnalysisRun>([join(import.meta.dirname, 'heap-analysis-run.ts'), file], signal);
      const { sizeBytes, partsMs } = ours;
      totals.push({ tool: 'sidescope', ...row(ours), 'parse, MB/s': (sizeBytes / 1e3 / partsMs['parse']!).toFixed(0) });
      runs.push(ours);
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
        note: 'all are linear but for cache misses: parse in bytes, retainers, dominators and paths in edges, classes in nodes',
        rows: partRows(runs),
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

/** With two sizes a last row says how much more the larger took. */
function partRows(runs: readonly AnalysisRun[]): Record<string, string | number>[] {
  const rows: Record<string, string | number>[] = runs.map(({ sizeBytes, nodes, edges, partsMs }) => ({
    file: `${(sizeBytes / 1e6).toFixed(0)} MB`,
    nodes,
    edges,
    ...seconds(partsMs),
  }));
  const [small, large] = runs;
  if (small === undefined || large === undefined) return rows;
  const times = (a: number, b: number): string => `x ${(b / a).toFixed(1)}`;
  rows.push({
    file: times(small.sizeBytes, large.sizeBytes),
    nodes: times(small.nodes, large.nodes),
    edges: times(small.edges, large.edges),
    ...Object.fromEntries(
      Object.entries(small.partsMs).map(([part, ms]) => [part, times(ms, large.partsMs[part] ?? 0)]),
    ),
  });
  return rows;
}

function seconds(partsMs: AnalysisRun['partsMs']): Record<string, string> {
  return Object.fromEntries(Object.entries(partsMs).map(([part, ms]) => [part, (ms / 1_000).toFixed(2)]));
}
