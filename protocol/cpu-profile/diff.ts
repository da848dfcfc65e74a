import type { CpuProfile } from './model.ts';
import { cpuSampleTree } from './sample-tree.ts';
import { diffSampleTrees } from './tree-diff.ts';
import type { FunctionChange, TreeDiff } from './tree-diff.ts';

export type CpuDiff = Omit<TreeDiff, 'tree'>;
export type { FunctionChange };

/** Two profiles of one program, by functions: shares of the busy samples, so that load and duration do not matter. */
export function diffCpuProfiles(before: CpuProfile, after: CpuProfile, limit = 50): CpuDiff {
  const { tree: _, ...diff } = diffSampleTrees(cpuSampleTree(before), cpuSampleTree(after), { limit, nodesMax: 0 });
  return diff;
}
