import { ColumnPool } from './column-pool.ts';
import { essentialEdges, HUGE_SIZE } from './graph.ts';
import type { HeapGraph } from './graph.ts';
import type { RetainerIndex } from './retainers.ts';

export interface Dominators {
  /** Per node: the nearest one without which it would not be held. The root's is itself. */
  readonly dominators: Uint32Array;
  /** Per node: its own bytes and those of all that it dominates. */
  readonly retainedSizes: Float64Array;
}

/**
 * Lengauer and Tarjan, "A fast algorithm for finding dominators in a flowgraph" (1979), the simple variant: n log m, and no
 * recursion however deep the graph. Letters as in the paper; vertices are depth-first numbers from 1, the root's.
 *
 * Nodes that no essential edge reaches from the root (held weakly, or by V8's own structures outside the graph) are attached
 * to the root: first those without holder, then what only cycles hold, in the order of the file. What they hold of the reached
 * graph does not count, so that they change no dominator in it.
 *
 * Five columns of a number per node at most, as those of the paper share what is never needed at once; the holders in
 * `retainers` are vertices meanwhile, and nodes again at the end.
 */
export function findDominators(
  graph: HeapGraph,
  retainers: RetainerIndex,
  pool = new ColumnPool(graph.nodeCount),
): Dominators {
  const { nodeCount } = graph;
  const { firstHolders, holders } = retainers;
  // Side by side, as their memory becomes that of the sizes.
  const scratch = new ArrayBuffer(8 * (nodeCount + 1));
  const semi = new Uint32Array(scratch, 0, nodeCount + 1);
  const label = new Uint32Array(scratch, 4 * (nodeCount + 1));
  const { vertex, ancestor, reached } = numberDepthFirst(graph, { firstHolders, pool, number: semi, cursor: label });
  for (let at = 0; at < holders.length; at++) holders[at] = semi[holders[at]!]!;
  for (let v = 0; v <= nodeCount; v++) semi[v] = v;
  // A vertex has a bucket until its children are done, and a label from when it is linked itself, which is later.
  const bucket = label.fill(0);
  // The next in its bucket, and, once out of it, the dominator.
  const dom = pool.take();
  let path = new Uint32Array(1024);

  /** Vertices above `linked` are in the forest. `ancestor` is the parent until it is linked: one array for both. */
  const evaluate = (v: number, linked: number): number => {
    if (v <= linked) return v;
    let depth = 0;
    let x = v;
    while (ancestor[x]! > linked) {
      if (depth === path.length) path = grown(path);
      path[depth++] = x;
      x = ancestor[x]!;
    }
    while (depth > 0) {
      const w = path[--depth]!;
      const a = ancestor[w]!;
      if (semi[label[a]!]! < semi[label[w]!]!) label[w] = label[a]!;
      ancestor[w] = ancestor[a]!;
    }
    return label[v]!;
  };

  for (let w = nodeCount; w >= 2; w--) {
    const parent = ancestor[w]!;
    const node = vertex[w]!;
    // The root holds what is attached to it by no edge of the file.
    let least = w > reached && parent === 1 ? 1 : w;
    for (let at = firstHolders[node]!; at < firstHolders[node + 1]!; at++) {
      const v = holders[at]!;
      if (v > reached && w <= reached) continue;
      const s = semi[evaluate(v, w)]!;
      if (s < least) least = s;
    }
    semi[w] = least;
    label[w] = w;
    dom[w] = bucket[least]!;
    bucket[least] = w;
    for (let v = bucket[parent]!; v !== 0;) {
      const next = dom[v]!;
      const u = evaluate(v, w - 1);
      dom[v] = semi[u]! < semi[v]! ? u : parent;
      v = next;
    }
    bucket[parent] = 0;
  }
  for (let w = 2; w <= nodeCount; w++) if (dom[w] !== semi[w]) dom[w] = dom[dom[w]!]!;
  for (let at = 0; at < holders.length; at++) holders[at] = vertex[holders[at]!]!;
  pool.give(ancestor);
  const found = collect(graph, { vertex, dom, scratch, pool });
  pool.give(vertex, dom);
  return found;
}

/** `vertex`: number to node; `number`, to be filled: node to number; `ancestor`: number to that of its parent in the tree. */
function numberDepthFirst(
  graph: HeapGraph,
  columns: { firstHolders: Uint32Array; pool: ColumnPool; number: Uint32Array; cursor: Uint32Array },
) {
  const { nodeCount, firstEdges, edgeTypes, edgeTargets } = graph;
  const { firstHolders, pool, number, cursor } = columns;
  const { weak, shortcut } = essentialEdges(graph);
  const vertex = pool.take();
  const ancestor = pool.take();
  cursor.set(firstEdges);
  let n = 0;
  const search = (start: number, parent: number): void => {
    let node = start;
    number[node] = ++n;
    vertex[n] = node;
    ancestor[n] = parent;
    for (;;) {
      const end = firstEdges[node + 1]!;
      let edge = cursor[node]!;
      let next = -1;
      for (; edge < end; edge++) {
        const target = edgeTargets[edge]!;
        if (number[target] !== 0) continue;
        const type = edgeTypes[edge];
        if (type === weak || (type === shortcut && node !== 0)) continue;
        next = target;
        break;
      }
      if (next !== -1) {
        cursor[node] = edge + 1;
        const above = number[node]!;
        number[next] = ++n;
        vertex[n] = next;
        ancestor[n] = above;
        node = next;
      } else {
        cursor[node] = end;
        if (node === start) return;
        node = vertex[ancestor[number[node]!]!]!;
      }
    }
  };
  search(0, 0);
  const reached = n;
  for (let node = 1; node < nodeCount && n < nodeCount; node++) {
    if (number[node] === 0 && firstHolders[node] === firstHolders[node + 1]) search(node, 1);
  }
  for (let node = 1; node < nodeCount && n < nodeCount; node++) {
    if (number[node] === 0) search(node, 1);
  }
  return { vertex, ancestor, reached };
}

function collect(
  graph: HeapGraph,
  { vertex, dom, scratch, pool }: { vertex: Uint32Array; dom: Uint32Array; scratch: ArrayBuffer; pool: ColumnPool },
): Dominators {
  const { nodeCount, selfSizes, hugeSizes } = graph;
  const dominators = pool.take().subarray(0, nodeCount);
  const retainedSizes = new Float64Array(scratch, 0, nodeCount);
  for (let node = 0; node < nodeCount; node++) {
    const size = selfSizes[node]!;
    retainedSizes[node] = size === HUGE_SIZE ? hugeSizes.get(node)! : size;
  }
  for (let w = nodeCount; w >= 2; w--) {
    const node = vertex[w]!;
    const dominator = vertex[dom[w]!]!;
    dominators[node] = dominator;
    retainedSizes[dominator]! += retainedSizes[node]!;
  }
  return { dominators, retainedSizes };
}

function grown(values: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(values.length * 2);
  larger.set(values);
  return larger;
}
