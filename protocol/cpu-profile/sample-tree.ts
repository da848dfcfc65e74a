import type { HeapSamplingProfile } from '../heap-sampling/model.ts';
import { sumNodes } from './call-tree.ts';
import { categorizeFrame } from './frame-text.ts';
import type { CpuProfile, Frame } from './model.ts';

/**
 * What several profiles have in common: how much each call path had itself, in samples or in bytes. No times and no lines within functions. Node 0 is the root; a
 * parent stands before its children.
 */
export interface SampleTree {
  readonly frames: readonly Frame[];
  /** Per node: index in `frames`. */
  readonly nodeFrames: Uint32Array;
  /** -1 for the root. */
  readonly parents: Int32Array;
  /** Per node, without what is below it. */
  readonly self: Float64Array;
  /** Of how many samples `self` is made: what its statistical error follows from. */
  readonly samples: number;
}

export function cpuSampleTree(profile: CpuProfile): SampleTree {
  const self = Float64Array.from(sumNodes(profile).selfSamples);
  return { ...profile, self, samples: profile.samples.length };
}

/** In bytes, as V8 estimates them. */
export function heapSampleTree(profile: HeapSamplingProfile): SampleTree {
  const { frames, nodeFrames, parents, selfBytes, samples } = profile;
  return { frames, nodeFrames, parents, self: selfBytes, samples };
}

export function isIdle(frame: Frame): boolean {
  return categorizeFrame(frame) === 'idle';
}

/** A function is known by name and file: lines move between versions. */
export function functionKey({ functionName, url, scriptId }: Frame): string {
  return `${functionName}\n${url}\n${url === '' && scriptId === '0' ? '0' : ''}`;
}

/** Self and all below, per node. */
export function totalsOf({ parents, self }: Pick<SampleTree, 'parents' | 'self'>): Float64Array {
  const totals = self.slice();
  for (let node = totals.length - 1; node > 0; node--) totals[parents[node]!]! += totals[node]!;
  return totals;
}
