// node test/bench/heap-analysis-run.ts FILE: analyses one snapshot in a process of its own; time per part and peak memory as JSON.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { analysisOf } from '../../protocol/heap-snapshot/analyse.ts';
import { SnapshotReader } from '../../protocol/heap-snapshot/read.ts';

export interface AnalysisRun {
  readonly sizeBytes: number;
  readonly nodes: number;
  readonly edges: number;
  readonly peakRssBytes: number;
  /** By part; `parse` first. */
  readonly partsMs: Readonly<Record<string, number>>;
  readonly wallMs: number;
  /** Of all threads: what a busy machine changes least. */
  readonly cpuMs: number;
}

const file = openSync(process.argv[2] ?? '', 'r');
const sizeBytes = fstatSync(file).size;
const startMs = performance.now();
const partsMs: Record<string, number> = {};
const reader = new SnapshotReader({ sizeBytes });
const buffer = Buffer.allocUnsafe(1024 * 1024);
for (let read = readSync(file, buffer); read > 0; read = readSync(file, buffer)) reader.push(buffer.subarray(0, read));
closeSync(file);
const graph = reader.finish();
let part = 'parse';
let partStartMs = startMs;
const endPart = (): void => {
  partsMs[part] = performance.now() - partStartMs;
  partStartMs = performance.now();
};
for (const step of analysisOf(graph)) {
  endPart();
  part = step;
}
endPart();
const run: AnalysisRun = {
  sizeBytes,
  nodes: graph.nodeCount,
  edges: graph.edgeCount,
  peakRssBytes: process.resourceUsage().maxRSS * 1024,
  partsMs,
  wallMs: performance.now() - startMs,
  cpuMs: process.resourceUsage().userCPUTime / 1_000 + process.resourceUsage().systemCPUTime / 1_000,
};
process.stdout.write(JSON.stringify(run));
