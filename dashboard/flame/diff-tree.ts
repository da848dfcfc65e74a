import type { Frame } from '../../protocol/cpu-profile/model.ts';
import type { SampleTree } from '../../protocol/cpu-profile/sample-tree.ts';
import { diffSampleTrees, type FunctionChange, type TreeDiffNode } from '../../protocol/cpu-profile/tree-diff.ts';
import { buildFlameTree, type FlameTree } from './flame-tree.ts';

/** Two profiles as one tree, wide as the mean of both shares: what is new and what is gone both have a box. */
export interface FlameDiff {
  readonly tree: FlameTree;
  /** Per node of `tree`: its share of each with all below it, 0 to 1. */
  readonly before: Float64Array;
  readonly after: Float64Array;
  readonly busyBefore: number;
  readonly busyAfter: number;
  /** The largest change first. */
  readonly functions: readonly FunctionChange[];
}

/** Of two profiles with 100,000 paths each, those below the 20,000th weigh nothing that could be seen. */
const nodesMax = 20_000;
const functionsMax = 500;

export function diffTrees(before: SampleTree, after: SampleTree): FlameDiff {
  const diff = diffSampleTrees(before, after, { limit: functionsMax, nodesMax });
  const { tree, sourceOf } = asFlame(diff.tree);
  return {
    tree,
    before: sourceOf.map((node) => diff.tree[node]!.totalBefore),
    after: sourceOf.map((node) => diff.tree[node]!.totalAfter),
    busyBefore: diff.busyBefore,
    busyAfter: diff.busyAfter,
    functions: diff.functions,
  };
}

/** Each node of the merged tree has a frame of its own while the boxes are put in order, so that one can tell which is which. */
function asFlame(nodes: readonly TreeDiffNode[]): { tree: FlameTree; sourceOf: Float64Array } {
  const tree = buildFlameTree(
    {
      frames: nodes.map(frameOf),
      nodeFrames: Uint32Array.from(nodes, (_, node) => node),
      parents: Int32Array.from(nodes, ({ parent }) => parent),
      self: Float64Array.from(nodes, ({ selfBefore, selfAfter }) => (selfBefore + selfAfter) / 2),
    },
    { withIdle: true },
  );
  const frames: Frame[] = [];
  const indexes = new Map<string, number>();
  const indexOf = nodes.map((node) => {
    const key = `${node.line}\n${node.url}\n${node.functionName}`;
    let index = indexes.get(key);
    if (index === undefined) indexes.set(key, (index = frames.push(frameOf(node)) - 1));
    return index;
  });
  return {
    tree: { ...tree, frames, nodeFrames: tree.nodeFrames.map((node) => indexOf[node]!) },
    sourceOf: Float64Array.from(tree.nodeFrames),
  };
}

function frameOf({ functionName, url, line }: TreeDiffNode): Frame {
  return { functionName, url, scriptId: '0', line, column: 0 };
}
