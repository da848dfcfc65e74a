import { categorizeFrame } from '../../protocol/cpu-profile/frame-text.ts';
import type { Frame } from '../../protocol/cpu-profile/model.ts';

/** What the width of a box counts. */
export type FlameUnit = 'microseconds' | 'bytes' | 'count' | 'share';

/** A call tree as a profile has it; node 0 is the root, a parent stands before its children. */
export interface StackTree {
  readonly frames: readonly Frame[];
  /** Per node: index in `frames`. */
  readonly nodeFrames: Uint32Array;
  /** -1 for the root. */
  readonly parents: Int32Array;
  /** Per node, without what is below it; none is negative. */
  readonly self: Float64Array;
}

/**
 * A call tree as it is drawn: of siblings the heaviest is first (left), calls of one function from one caller are one node, nothing has no weight. Nodes are in
 * depth-first order, so that the descendants of `node` are those from `node + 1` up to `ends[node]`, that one excluded.
 */
export interface FlameTree {
  readonly frames: readonly Frame[];
  readonly nodeFrames: Uint32Array;
  readonly parents: Int32Array;
  readonly ends: Uint32Array;
  /** 0 for the root. */
  readonly depths: Uint32Array;
  /** Left edge, in the unit, from that of the root. */
  readonly starts: Float64Array;
  readonly self: Float64Array;
  readonly totals: Float64Array;
  readonly depthMax: number;
}

export interface BuildOptions {
  /** Leaves `(idle)` in. */
  readonly withIdle?: boolean;
}

/** Time grows with the nodes, and with the logarithm of the siblings; any depth will do. Our own evaluations are left out. */
export function buildFlameTree(source: StackTree, options: BuildOptions = {}): FlameTree {
  const merged = mergeSiblings(source, options);
  const count = merged.nodeFrames.length;
  const { childStarts, children } = orderChildren(merged);
  const tree = {
    frames: source.frames,
    nodeFrames: new Uint32Array(count),
    parents: new Int32Array(count),
    ends: new Uint32Array(count),
    depths: new Uint32Array(count),
    starts: new Float64Array(count),
    self: new Float64Array(count),
    totals: new Float64Array(count),
  };
  const placeOf = new Uint32Array(count);
  const stack = [0];
  let depthMax = 0;
  for (let place = 0, from = stack.pop(); from !== undefined; place++, from = stack.pop()) {
    const above = merged.parents[from]!;
    const parent = above === -1 ? -1 : placeOf[above]!;
    placeOf[from] = place;
    tree.nodeFrames[place] = merged.nodeFrames[from]!;
    tree.parents[place] = parent;
    tree.depths[place] = parent === -1 ? 0 : tree.depths[parent]! + 1;
    tree.self[place] = merged.self[from]!;
    tree.totals[place] = merged.totals[from]!;
    tree.ends[place] = place + 1;
    depthMax = Math.max(depthMax, tree.depths[place]!);
    // Backwards, so that the heaviest is taken next.
    for (let at = childStarts[from + 1]! - 1; at >= childStarts[from]!; at--) stack.push(children[at]!);
  }
  for (let node = count - 1; node > 0; node--) {
    const parent = tree.parents[node]!;
    tree.ends[parent] = Math.max(tree.ends[parent]!, tree.ends[node]!);
  }
  placeBoxes(tree);
  return { ...tree, depthMax };
}

interface Merged {
  readonly nodeFrames: readonly number[];
  readonly parents: readonly number[];
  readonly self: readonly number[];
  readonly totals: Float64Array;
}

const gone = -1;

function mergeSiblings({ frames, nodeFrames, parents, self }: StackTree, { withIdle = false }: BuildOptions): Merged {
  const isHidden = frames.map(
    (frame) => frame.url.startsWith('sidescope:') || (!withIdle && categorizeFrame(frame) === 'idle'),
  );
  const weights = sumUp(parents, self);
  const into = new Int32Array(nodeFrames.length);
  const known = new Map<number, number>();
  const merged = { nodeFrames: [nodeFrames[0]!], parents: [-1], self: [self[0]!] };
  for (let node = 1; node < nodeFrames.length; node++) {
    const above = into[parents[node]!]!;
    const frame = nodeFrames[node]!;
    if (above === gone || weights[node] === 0 || isHidden[frame]) {
      into[node] = gone;
      continue;
    }
    // A product below 10^12: exact.
    const key = above * frames.length + frame;
    let place = known.get(key);
    if (place === undefined) {
      place = merged.nodeFrames.push(frame) - 1;
      merged.parents.push(above);
      merged.self.push(0);
      known.set(key, place);
    }
    into[node] = place;
    merged.self[place]! += self[node]!;
  }
  return { ...merged, totals: sumUp(merged.parents, Float64Array.from(merged.self)) };
}

function sumUp(parents: ArrayLike<number>, self: Float64Array): Float64Array {
  const totals = self.slice();
  for (let node = totals.length - 1; node > 0; node--) totals[parents[node]!]! += totals[node]!;
  return totals;
}

function orderChildren({ parents, nodeFrames, totals }: Merged): { childStarts: Uint32Array; children: Uint32Array } {
  const count = parents.length;
  const childStarts = new Uint32Array(count + 1);
  for (let node = 1; node < count; node++) childStarts[parents[node]! + 1]!++;
  for (let node = 0; node < count; node++) childStarts[node + 1]! += childStarts[node]!;
  const children = new Uint32Array(count - 1);
  const filled = childStarts.slice();
  for (let node = 1; node < count; node++) children[filled[parents[node]!]!++] = node;
  for (let node = 0; node < count; node++) {
    const siblings = children.subarray(childStarts[node], childStarts[node + 1]);
    if (siblings.length > 1) siblings.sort((a, b) => totals[b]! - totals[a]! || nodeFrames[a]! - nodeFrames[b]!);
  }
  return { childStarts, children };
}

function placeBoxes({
  parents,
  ends,
  starts,
  totals,
}: Pick<FlameTree, 'parents' | 'ends' | 'starts' | 'totals'>): void {
  for (let node = 1; node < parents.length; node++) {
    const parent = parents[node]!;
    // The first child begins where its parent does, another one where the sibling before it ends.
    if (node === parent + 1) starts[node] = starts[parent]!;
    const next = ends[node]!;
    if (next < parents.length && parents[next] === parent) starts[next] = starts[node]! + totals[node]!;
  }
}
