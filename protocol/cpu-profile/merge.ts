import type { Frame } from './model.ts';
import { functionKey, totalsOf, type SampleTree } from './sample-tree.ts';

/** One as kept is some 1.5 MB of JSON, 150 kB compressed. */
export const mergedNodesMax = 20_000;
/** 17 minutes at 1 ms; behind it older samples count half, so that a version's profile follows its present load. */
const samplesMax = 1_000_000;

/**
 * Several profiles of one program as one tree, by function name and file. Of a function that moved, the later place holds. Paths beyond `nodesMax`, the lightest, are
 * credited to their callers.
 */
export function mergeSampleTrees(
  trees: readonly SampleTree[],
  { nodesMax = mergedNodesMax }: { nodesMax?: number } = {},
): SampleTree {
  const merging = new Merging();
  for (const tree of trees) {
    if (merging.samples > samplesMax) merging.halve();
    merging.add(tree);
  }
  return pruned(merging.tree(), nodesMax);
}

/** Grows node by node; `indexes` tells where the nodes of the tree added last are now. */
export class Merging {
  readonly frames: Frame[] = [];
  readonly nodeFrames: number[] = [];
  readonly parents: number[] = [];
  self: number[] = [];
  samples = 0;
  readonly #frameIndexes = new Map<string, number>();
  readonly #nodeIndexes = new Map<string, number>();

  add({ frames, nodeFrames, parents, self, samples }: SampleTree): Uint32Array {
    const frameOf = frames.map((frame) => this.#frame(frame));
    const indexes = new Uint32Array(nodeFrames.length);
    for (let node = 0; node < nodeFrames.length; node++) {
      const parent = parents[node]! === -1 ? -1 : indexes[parents[node]!]!;
      const index = this.#node(parent, frameOf[nodeFrames[node]!]!);
      indexes[node] = index;
      this.self[index]! += self[node]!;
    }
    this.samples += samples;
    return indexes;
  }

  halve(): void {
    this.self = this.self.map((value) => value / 2);
    this.samples /= 2;
  }

  tree(): SampleTree {
    return {
      frames: this.frames,
      nodeFrames: Uint32Array.from(this.nodeFrames),
      parents: Int32Array.from(this.parents),
      self: Float64Array.from(this.self),
      samples: this.samples,
    };
  }

  #frame(frame: Frame): number {
    const key = functionKey(frame);
    const known = this.#frameIndexes.get(key);
    if (known !== undefined) {
      this.frames[known] = frame;
      return known;
    }
    const index = this.frames.push(frame) - 1;
    this.#frameIndexes.set(key, index);
    return index;
  }

  #node(parent: number, frame: number): number {
    const key = `${parent}:${frame}`;
    const known = this.#nodeIndexes.get(key);
    if (known !== undefined) return known;
    const index = this.nodeFrames.push(frame) - 1;
    this.parents.push(parent);
    this.self.push(0);
    this.#nodeIndexes.set(key, index);
    return index;
  }
}

/** The heaviest nodes; a node is never heavier than its parent, so that what is left is a tree. */
function pruned(tree: SampleTree, nodesMax: number): SampleTree {
  const { kept, indexes } = prune(tree, nodesMax);
  const self = new Float64Array(kept.length);
  tree.self.forEach((value, node) => (self[indexes[node]!]! += value));
  return {
    frames: tree.frames,
    nodeFrames: Uint32Array.from(kept, (node) => tree.nodeFrames[node]!),
    parents: Int32Array.from(kept, (node) => (tree.parents[node] === -1 ? -1 : indexes[tree.parents[node]!]!)),
    self,
    samples: tree.samples,
  };
}

/** Which nodes stay, and for every node where it is in what stays: itself, or the nearest caller that stays. */
export function prune(tree: SampleTree, nodesMax: number): { kept: number[]; indexes: Int32Array } {
  const totals = totalsOf(tree);
  const kept = [...totals.keys()].sort((a, b) => totals[b]! - totals[a]! || a - b).slice(0, nodesMax);
  kept.sort((a, b) => a - b);
  const indexes = new Int32Array(totals.length).fill(-1);
  kept.forEach((node, index) => (indexes[node] = index));
  for (let node = 1; node < totals.length; node++)
    if (indexes[node] === -1) indexes[node] = indexes[tree.parents[node]!]!;
  return { kept, indexes };
}
