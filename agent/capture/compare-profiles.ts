import { originalCpuProfile, originalFrames } from '../../protocol/cpu-profile/originals.ts';
import { mergeSampleTrees } from '../../protocol/cpu-profile/merge.ts';
import { parseCpuProfileBytes } from '../../protocol/cpu-profile/parse.ts';
import { cpuSampleTree, heapSampleTree } from '../../protocol/cpu-profile/sample-tree.ts';
import type { SampleTree } from '../../protocol/cpu-profile/sample-tree.ts';
import { diffSampleTrees } from '../../protocol/cpu-profile/tree-diff.ts';
import type { TreeDiff } from '../../protocol/cpu-profile/tree-diff.ts';
import { decodeSampleTree, encodeSampleTree } from '../../protocol/cpu-profile/tree-file.ts';
import { parseHeapProfileBytes } from '../../protocol/heap-sampling/parse.ts';
import { decodePositions } from '../source-maps/position-bytes.ts';

/** Of the paths that a diff shows; more do not fit on a screen. */
const diffNodesMax = 1_000;

export interface ComparedFile {
  readonly path: string;
  /** As `facts` gave them: functions and lines are the original ones then. */
  readonly positions: Uint8Array | undefined;
}

export interface DiffRequest {
  readonly type: 'diff';
  readonly kind: 'cpu' | 'heap-sampling';
  readonly before: ComparedFile;
  readonly after: ComparedFile;
  readonly limit: number;
}

/** Two merged profiles, as `merge` gave them. */
export interface DiffMergedRequest {
  readonly type: 'diffMerged';
  readonly before: Uint8Array;
  readonly after: Uint8Array;
  readonly limit: number;
}

export interface MergeRequest extends ComparedFile {
  readonly type: 'merge';
  readonly into: Uint8Array | undefined;
}

export interface Merged {
  readonly tree: Uint8Array;
  readonly samples: number;
  readonly nodes: number;
}

export type ReadBytes = (path: string) => Promise<Uint8Array>;

export async function diffFiles({ kind, before, after, limit }: DiffRequest, read: ReadBytes): Promise<TreeDiff> {
  const tree = async ({ path, positions }: ComparedFile): Promise<SampleTree> =>
    treeOf(kind, await read(path), positions);
  // One after the other: the first is smaller as a tree than as a file.
  const first = await tree(before);
  return diffSampleTrees(first, await tree(after), { limit, nodesMax: diffNodesMax });
}

export function diffMerged({ before, after, limit }: DiffMergedRequest): TreeDiff {
  return diffSampleTrees(decodeSampleTree(before), decodeSampleTree(after), { limit, nodesMax: 0 });
}

export async function mergeFile({ path, positions, into }: MergeRequest, read: ReadBytes): Promise<Merged> {
  const added = treeOf('cpu', await read(path), positions);
  const merged = mergeSampleTrees(into === undefined ? [added] : [decodeSampleTree(into), added]);
  return { tree: encodeSampleTree(merged), samples: merged.samples, nodes: merged.parents.length };
}

function treeOf(kind: DiffRequest['kind'], bytes: Uint8Array, positions: Uint8Array | undefined): SampleTree {
  const originals = positions === undefined ? undefined : decodePositions(positions);
  if (kind === 'cpu') {
    const profile = parseCpuProfileBytes(bytes);
    return cpuSampleTree(originals === undefined ? profile : originalCpuProfile(profile, originals));
  }
  const profile = parseHeapProfileBytes(bytes);
  const frames = originals === undefined ? profile.frames : originalFrames(profile.frames, originals);
  return heapSampleTree({ ...profile, frames });
}
