import { isSidescopeError } from '../../protocol/error.ts';
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

/** Of two versions, each some trees, as `sampleTree` and `mergeTrees` gave them. */
export interface DiffMergedRequest {
  readonly type: 'diffMerged';
  readonly before: readonly Uint8Array[];
  readonly after: readonly Uint8Array[];
  readonly limit: number;
}

export interface SampleTreeRequest extends ComparedFile {
  readonly type: 'sampleTree';
}

export interface MergeTreesRequest {
  readonly type: 'mergeTrees';
  readonly trees: readonly Uint8Array[];
}

export interface TreeBytes {
  readonly tree: Uint8Array;
  readonly samples: number;
  readonly nodes: number;
}

/** Which of the trees are none. */
export type Unreadable = readonly { readonly index: number; readonly message: string }[];

export interface MergedTrees {
  /** Null when none could be read. */
  readonly merged: TreeBytes | null;
  readonly unreadable: Unreadable;
}

export interface MergedDiff {
  /** Null when a side had none that could be read. */
  readonly diff: TreeDiff | null;
  readonly unreadable: { readonly before: Unreadable; readonly after: Unreadable };
}

export type ReadBytes = (path: string) => Promise<Uint8Array>;

export async function diffFiles({ kind, before, after, limit }: DiffRequest, read: ReadBytes): Promise<TreeDiff> {
  const tree = async ({ path, positions }: ComparedFile): Promise<SampleTree> =>
    treeOf(kind, await read(path), positions);
  // One after the other: the first is smaller as a tree than as a file.
  const first = await tree(before);
  return diffSampleTrees(first, await tree(after), { limit, nodesMax: diffNodesMax });
}

export function diffMerged({ before, after, limit }: DiffMergedRequest): MergedDiff {
  const [old, now] = [decodeAll(before), decodeAll(after)];
  const isBoth = old.trees.length > 0 && now.trees.length > 0;
  return {
    diff: isBoth
      ? diffSampleTrees(mergeSampleTrees(old.trees), mergeSampleTrees(now.trees), { limit, nodesMax: 0 })
      : null,
    unreadable: { before: old.unreadable, after: now.unreadable },
  };
}

export async function sampleTreeOf({ path, positions }: SampleTreeRequest, read: ReadBytes): Promise<TreeBytes> {
  // Merged with nothing it is pruned.
  return bytesOf(mergeSampleTrees([treeOf('cpu', await read(path), positions)]));
}

export function mergeTrees({ trees: encoded }: MergeTreesRequest): MergedTrees {
  const { trees, unreadable } = decodeAll(encoded);
  return { merged: trees.length === 0 ? null : bytesOf(mergeSampleTrees(trees)), unreadable };
}

function bytesOf(tree: SampleTree): TreeBytes {
  return { tree: encodeSampleTree(tree), samples: tree.samples, nodes: tree.parents.length };
}

function decodeAll(encoded: readonly Uint8Array[]): { trees: SampleTree[]; unreadable: Unreadable } {
  const trees: SampleTree[] = [];
  const unreadable: { index: number; message: string }[] = [];
  for (const [index, bytes] of encoded.entries()) {
    try {
      trees.push(decodeSampleTree(bytes));
    } catch (error) {
      if (!isSidescopeError(error)) throw error;
      unreadable.push({ index, message: error.message });
    }
  }
  return { trees, unreadable };
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
