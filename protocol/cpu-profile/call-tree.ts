import { sampleDurationUs } from './model.ts';
import type { CpuProfile } from './model.ts';

/** Sums per node of a profile; index = node. Total = self and everything below. */
export interface NodeSums {
  readonly selfSamples: Uint32Array;
  readonly selfUs: Float64Array;
  readonly totalUs: Float64Array;
}

export function sumNodes(profile: CpuProfile): NodeSums {
  const selfSamples = new Uint32Array(profile.parents.length);
  const selfUs = new Float64Array(profile.parents.length);
  profile.samples.forEach((node, index) => {
    selfSamples[node]!++;
    selfUs[node]! += sampleDurationUs(profile, index);
  });
  const totalUs = selfUs.slice();
  // Children stand behind their parents, so backwards each node is complete before it is added to its parent.
  for (let node = totalUs.length - 1; node > 0; node--) totalUs[profile.parents[node]!]! += totalUs[node]!;
  return { selfSamples, selfUs, totalUs };
}

/**
 * Total time per frame. A recursive function counts once: only its outermost call on each stack is added.
 */
export function sumFrameTotals(profile: CpuProfile, totalUs: Float64Array): Float64Array {
  const { nodeFrames, subtreeEnds, frames } = profile;
  const sums = new Float64Array(frames.length);
  const openCalls = new Uint32Array(frames.length);
  const stack: number[] = [];
  for (let node = 0; node < nodeFrames.length; node++) {
    while (stack.length > 0 && subtreeEnds[stack.at(-1)!]! <= node) openCalls[nodeFrames[stack.pop()!]!]!--;
    const frame = nodeFrames[node]!;
    if (openCalls[frame]! === 0) sums[frame]! += totalUs[node]!;
    openCalls[frame]!++;
    stack.push(node);
  }
  return sums;
}

/**
 * The most frames of one stack in exported formats. V8 records 255 at most; a joined or foreign file with more would
 * make the export grow with the square of the depth.
 */
export const STACK_DEPTH_MAX = 1_024;

/** The frames from `node` up to the root (left out unless it is the node itself), the innermost STACK_DEPTH_MAX. */
export function stackOf(profile: CpuProfile, node: number): { frames: number[]; isCut: boolean } {
  const frames = [profile.nodeFrames[node]!];
  let above = profile.parents[node]!;
  for (; above > 0 && frames.length < STACK_DEPTH_MAX; above = profile.parents[above]!) {
    frames.push(profile.nodeFrames[above]!);
  }
  return { frames, isCut: above > 0 };
}
