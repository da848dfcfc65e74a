import type { CpuProfile } from '../../protocol/cpu-profile/model.ts';
import { parseCpuProfileBytes } from '../../protocol/cpu-profile/parse.ts';
import { sumNodes } from '../../protocol/cpu-profile/call-tree.ts';
import { cpuSampleTree, heapSampleTree, type SampleTree } from '../../protocol/cpu-profile/sample-tree.ts';
import { SidescopeError } from '../../protocol/error.ts';
import { parseHeapProfileBytes } from '../../protocol/heap-sampling/parse.ts';
import type { FlameUnit, StackTree } from './flame-tree.ts';
import { readPprof } from './read-pprof.ts';
import type { RequestSamples } from './request-samples.ts';

/** A profile of any of the formats that the page reads. */
export interface ReadProfile {
  readonly kind: 'cpu' | 'heap-sampling';
  readonly unit: FlameUnit;
  readonly tree: StackTree;
  /** For comparisons: in samples, or in bytes. */
  readonly comparable: SampleTree;
  readonly durationUs: number | null;
  readonly requests: readonly RequestSamples[];
  /** For the lines within functions, which only V8's own format has. */
  readonly cpu: CpuProfile | null;
}

/** By the bytes, not by a name. `samples` is for formats that do not hold it. Throws `unreadable-profile` and `analysis-limit` as the parsers do. */
export function readProfile(bytes: Uint8Array, samples?: number): ReadProfile {
  if (firstByte(bytes) !== openingBrace) return fromPprof(bytes, samples);
  const first = firstKey(bytes);
  if (first === 'snapshot') {
    throw new SidescopeError('unreadable-profile', 'this is a heap snapshot: open it in the heap explorer');
  }
  return first === 'head' ? fromHeapProfile(bytes) : fromCpuOrHeap(bytes, first);
}

const openingBrace = 0x7b;

function firstByte(bytes: Uint8Array): number | undefined {
  return bytes.find((byte) => byte > 0x20);
}

function firstKey(bytes: Uint8Array): string | undefined {
  return /^\s*\{\s*"(\w+)"/.exec(new TextDecoder().decode(bytes.subarray(0, 200)))?.[1];
}

/** Either may begin with its samples. */
function fromCpuOrHeap(bytes: Uint8Array, first: string | undefined): ReadProfile {
  try {
    return fromCpuProfile(bytes);
  } catch (error) {
    if (first !== 'samples') throw error;
    try {
      return fromHeapProfile(bytes);
    } catch {
      // What it is not as a CPU profile says more.
      throw error;
    }
  }
}

function fromCpuProfile(bytes: Uint8Array): ReadProfile {
  const cpu = parseCpuProfileBytes(bytes);
  const { frames, nodeFrames, parents } = cpu;
  return {
    kind: 'cpu',
    unit: 'microseconds',
    tree: { frames, nodeFrames, parents, self: sumNodes(cpu).selfUs },
    comparable: cpuSampleTree(cpu),
    durationUs: cpu.endTimeUs - cpu.startTimeUs,
    requests: [],
    cpu,
  };
}

function fromHeapProfile(bytes: Uint8Array): ReadProfile {
  const heap = parseHeapProfileBytes(bytes);
  const { frames, nodeFrames, parents, selfBytes } = heap;
  return {
    kind: 'heap-sampling',
    unit: 'bytes',
    tree: { frames, nodeFrames, parents, self: selfBytes },
    comparable: heapSampleTree(heap),
    durationUs: null,
    requests: [],
    cpu: null,
  };
}

function fromPprof(bytes: Uint8Array, taken: number | undefined): ReadProfile {
  const { tree, unit, counts, requests } = readPprof(bytes);
  const kind = unit === 'bytes' ? 'heap-sampling' : 'cpu';
  const samples = (kind === 'cpu' ? undefined : taken) ?? counts.reduce((sum, count) => sum + count, 0);
  return {
    kind,
    unit,
    tree,
    comparable: { ...tree, self: kind === 'cpu' ? counts : tree.self, samples },
    durationUs: null,
    requests,
    cpu: null,
  };
}
