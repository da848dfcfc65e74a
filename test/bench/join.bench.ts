import { appendFile, mkdtemp, rm, stat } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { ProfileWorker } from '../../agent/capture/profile-worker.ts';
import type { WindowSource } from '../../agent/capture/write-joined.ts';
import type { Bench } from './support.ts';

const functions = 2_000;
const nodes = 6_000;
/** Of the process that reads profiles, in a container of 256 MiB. */
const podHeapMb = 128;

/** What does a profile of hours cost the agent: to join its windows, and to read the result? */
export const bench: Bench = async ({ quick, signal }) => {
  const shapes = [
    { hours: 1, intervalUs: 1_000, windowMs: 100_000 },
    { hours: 3, intervalUs: 1_000, windowMs: 100_000 },
    ...(quick ? [] : [{ hours: 24, intervalUs: 10_000, windowMs: 600_000 }]),
  ];
  const rows = [];
  for (const shape of shapes) {
    signal.throwIfAborted();
    rows.push(await joinHours(shape));
  }
  return [
    {
      title: 'A long profile: its windows joined, and the result read',
      note: `fabricated windows of ${functions} functions in ${nodes} nodes; memory is the highest RSS of the process that reads profiles (${podHeapMb} MB of heap, as in a pod of 256 MiB), and how much that of this one grew`,
      rows,
    },
  ];
};

async function joinHours(shape: { hours: number; intervalUs: number; windowMs: number }) {
  const directory = await mkdtemp(join(tmpdir(), 'sidescope-bench-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const spill = join(directory, 'windows');
  const sources: WindowSource[] = [];
  const windows = (shape.hours * 3_600_000) / shape.windowMs;
  let at = 0;
  for (let index = 0; index < windows; index++) {
    const gzip = gzipSync(windowText({ ...shape, index }), { level: 1 });
    await appendFile(spill, gzip);
    sources.push({ path: spill, at, length: gzip.length });
    at += gzip.length;
  }
  const joined = join(directory, 'joined.cpuprofile');
  const worker = stack.use(new ProfileWorker({ timeoutMs: 600_000, memoryLimitMb: podHeapMb }));
  const before = process.memoryUsage.rss();
  const highest = watchChildren();
  const startMs = performance.now();
  await worker.join(joined, sources);
  const joinedMs = performance.now();
  const joinBytes = highest.bytes();
  const { facts } = await worker.facts(joined, {});
  const readMs = performance.now();
  return {
    profile: `${shape.hours} h at ${shape.intervalUs / 1000} ms`,
    windows,
    samples: facts.samples,
    'windows, compressed': megabytes(at),
    file: megabytes((await stat(joined)).size),
    'join s': seconds(joinedMs - startMs),
    'join RSS': megabytes(joinBytes),
    'read s': seconds(readMs - joinedMs),
    'read RSS': megabytes(highest.stop()),
    'agent grew by': megabytes(Math.max(0, process.memoryUsage.rss() - before)),
  };
}

/** As V8 writes it: a tree of chains, samples that move about in it. */
function windowText({ index, intervalUs, windowMs }: { index: number; intervalUs: number; windowMs: number }): string {
  const places = Array.from({ length: nodes }, (_, node) => ({
    id: node + 1,
    callFrame: frameOf(node),
    hitCount: 0,
    children: [node * 3 + 2, node * 3 + 3, node * 3 + 4].filter((child) => child <= nodes),
  }));
  const samples = (windowMs * 1000) / intervalUs;
  let random = index + 1;
  const ids = new Array<number>(samples);
  for (let sample = 0; sample < samples; sample++) {
    random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0;
    ids[sample] = 1 + ((random >>> 8) % nodes);
  }
  const startTime = 1e9 + index * windowMs * 1000;
  const timeDeltas = new Array<number>(samples).fill(intervalUs);
  timeDeltas[0] = 0;
  return JSON.stringify({ nodes: places, startTime, endTime: startTime + windowMs * 1000, samples: ids, timeDeltas });
}

function frameOf(node: number): object {
  if (node === 0) return { functionName: '(root)', scriptId: '0', url: '', lineNumber: -1, columnNumber: -1 };
  const name = node % functions;
  const url = `file:///app/src/module-${name % 100}.js`;
  return { functionName: `function${name}`, scriptId: '12', url, lineNumber: name, columnNumber: 4 };
}

/** The highest RSS of any child of this process, as the kernel counted it. */
function watchChildren(): { bytes(): number; stop(): number } {
  let highest = 0;
  const look = (): void => {
    for (const pid of childrenOfThis()) highest = Math.max(highest, highestRssOf(pid));
  };
  const timer = setInterval(look, 20);
  return {
    bytes: () => {
      look();
      return highest;
    },
    stop: () => {
      clearInterval(timer);
      look();
      return highest;
    },
  };
}

function childrenOfThis(): string[] {
  return readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
}

function highestRssOf(pid: string): number {
  try {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    // It ended meanwhile.
    return 0;
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}
