import { functionNameOf, shortFrameText } from '../cpu-profile/frame-text.ts';
import { findHotStacks, stackLines } from '../cpu-profile/hot-stacks.ts';
import type { HotStack } from '../cpu-profile/hot-stacks.ts';
import { joinLines, shareText, sizeText, textTable } from '../text-table/table.ts';
import type { HeapSamplingProfile } from './model.ts';

export interface AllocationSummary {
  readonly functionName: string;
  readonly url: string;
  readonly line: number;
  readonly column: number;
  /** Allocated by the function itself. */
  readonly selfBytes: number;
  /** Of all that was sampled: 0 to 1. */
  readonly share: number;
}

export interface HeapSamplingSummary {
  readonly sampledBytes: number;
  readonly samples: number;
  /** The most bytes first. */
  readonly functions: AllocationSummary[];
  /** On which most was allocated, outermost function first. */
  readonly stacks: readonly HotStack[];
}

export function summarizeHeapSampling(profile: HeapSamplingProfile, limit = 20): HeapSamplingSummary {
  const { frames, nodeFrames, selfBytes, samples } = profile;
  const bytesOfFrame = new Float64Array(frames.length);
  selfBytes.forEach((bytes, node) => (bytesOfFrame[nodeFrames[node]!]! += bytes));
  const sampledBytes = selfBytes.reduce((sum, bytes) => sum + bytes, 0);
  const functions = frames
    .map((frame, index) => ({ frame, bytes: bytesOfFrame[index]! }))
    .filter(({ frame, bytes }) => bytes > 0 && frame.functionName !== '(root)' && !frame.url.startsWith('sidescope:'))
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, limit)
    .map(({ frame, bytes }) => ({
      functionName: functionNameOf(frame),
      url: frame.url,
      line: frame.line,
      column: frame.column,
      selfBytes: Math.round(bytes),
      share: sampledBytes > 0 ? bytes / sampledBytes : 0,
    }));
  const stacks = findHotStacks(profile, { selfValues: selfBytes, whole: sampledBytes, limit: 10 });
  return { sampledBytes: Math.round(sampledBytes), samples, functions, stacks };
}

/** Fewer than 200 lines of at most 160 characters, the same for the same profile. */
export function heapSamplingText({ sampledBytes, samples, functions, stacks }: HeapSamplingSummary): string {
  return joinLines([
    `Heap sampling: ${sizeText(sampledBytes)} by V8's estimate, from ${samples} samples`,
    '',
    'Functions by what they allocated themselves',
    ...textTable(functions.slice(0, 100), {
      bytes: ({ selfBytes }) => sizeText(selfBytes),
      share: ({ share }) => shareText(share),
      function: (entry) => shortFrameText({ ...entry, scriptId: '' }),
    }),
    ...(stacks.length === 0 ? [] : ['', 'Stacks on which most was allocated, innermost function last']),
    ...stackLines(stacks),
  ]);
}
