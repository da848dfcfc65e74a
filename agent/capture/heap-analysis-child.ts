import { createReadStream, writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { createGunzip } from 'node:zlib';
import { pipeline } from 'node:stream/promises';
import { SidescopeError } from '../../protocol/error.ts';
import { analysisOf } from '../../protocol/heap-snapshot/analyse.ts';
import type { HeapAnalysis } from '../../protocol/heap-snapshot/analyse.ts';
import { asDiffBase, diffSnapshots } from '../../protocol/heap-snapshot/diff.ts';
import type { DiffBase } from '../../protocol/heap-snapshot/diff.ts';
import { SnapshotReader } from '../../protocol/heap-snapshot/read.ts';
import { summarizeHeap } from '../../protocol/heap-snapshot/summary.ts';
import { childFailureOf } from './child-failure.ts';
import type { AnalysisLine, AnalysisRequest, AnalysisResult } from './heap-analysis-process.ts';

const chunkBytes = 512 * 1024;
const listed = 100;
const classesKept = 1_000;
/** Strings are shown, not stored: of a long one its beginning. */
const textMax = 200;

preferThisProcessToEnd();
const request = JSON.parse(await text(process.stdin)) as AnalysisRequest;
try {
  say({ result: await analyseAll(request) });
} catch (error) {
  say({ failure: childFailureOf(error) });
}

async function analyseAll({ snapshot, against = [], memoryLimitBytes }: AnalysisRequest): Promise<AnalysisResult> {
  const parts = against.length + 1;
  const bases: DiffBase[] = [];
  // One after the other: only what a comparison needs of the earlier ones is kept.
  for (const [part, file] of against.entries())
    bases.push(asDiffBase(await analyse(file, { memoryLimitBytes, part, parts })));
  const analysis = await analyse(snapshot, { memoryLimitBytes, part: parts - 1, parts });
  const { classes: _listed, ...summary } = summarizeHeap(analysis, listed);
  const [first, middle] = bases;
  const diff = first && diffSnapshots(middle === undefined ? [first] : [first, middle], analysis);
  return {
    summary: {
      ...summary,
      biggest: summary.biggest.map((object) => ({ ...object, name: cut(object.name) })),
      duplicates: summary.duplicates.map((string) => ({ ...string, text: cut(string.text) })),
    },
    classes: analysis.histogram.slice(0, classesKept),
    diff: diff && {
      ...diff,
      classes: diff.classes.slice(0, classesKept),
      grown: diff.grown.slice(0, listed),
    },
  };
}

async function analyse(
  { path, sizeBytes }: AnalysisRequest['snapshot'],
  { memoryLimitBytes, part, parts }: { memoryLimitBytes: number; part: number; parts: number },
): Promise<HeapAnalysis> {
  const reader = new SnapshotReader({ sizeBytes });
  const show = (phase: string, fraction: number): void =>
    say({ progress: { phase, fraction: (part + fraction) / parts, bytes: reader.bytesRead } });
  let shown = 0;
  await pipeline(
    createReadStream(path, { highWaterMark: chunkBytes }),
    createGunzip({ chunkSize: chunkBytes }),
    async (source: AsyncIterable<Uint8Array>) => {
      for await (const chunk of source) {
        reader.push(chunk);
        if (reader.bytesRead - shown < sizeBytes / 20) continue;
        shown = reader.bytesRead;
        refuseOver(memoryLimitBytes);
        show('reading', Math.min(1, reader.bytesRead / sizeBytes) * 0.6);
      }
    },
  );
  const steps = analysisOf(reader.finish());
  for (let done = 0; ; done++) {
    const step = steps.next();
    if (step.done === true) return step.value;
    refuseOver(memoryLimitBytes);
    show(step.value, 0.6 + done * 0.1);
  }
}

/** The columns lie outside of V8's heap, which its own limit does not count. */
function refuseOver(memoryLimitBytes: number): void {
  const rssBytes = process.memoryUsage.rss();
  if (rssBytes <= memoryLimitBytes) return;
  throw new SidescopeError('analysis-limit', `it takes ${rssBytes} bytes of memory, its limit is ${memoryLimitBytes}`);
}

/** Where the container is out of memory after all, the kernel ends this process and not the agent. */
function preferThisProcessToEnd(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000');
  } catch {
    // Not on Linux, or not allowed: the prediction is what protects the agent then.
  }
}

function say(line: AnalysisLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function cut(value: string): string {
  return value.length <= textMax ? value : `${value.slice(0, textMax)}…`;
}
