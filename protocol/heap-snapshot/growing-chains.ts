import type { HeapAnalysis } from './analyse.ts';

/** Not in the first snapshot; in the second, where there are three. */
export const STAYED = 1;
/** Not in the second either. */
export const FRESH = 2;

/**
 * Lists, and functions that hold the one before them: of what is new only the topmost is held from outside, one where
 * thousands leak. Per group of objects of one class: how many of that class stayed in the chains that they belong to, in
 * which each dominates the next; 0 where nothing was added to them after the second snapshot, as what is loaded once is no
 * leak, however large. `isNew`: 0, STAYED or FRESH per node. One pass, 4 bytes per node.
 */
export function chainLengths(
  analysis: HeapAnalysis,
  isNew: Uint8Array,
  groups: readonly (readonly number[])[],
): readonly number[] {
  if (groups.length === 0) return [];
  const { graph, classes } = analysis;
  const top = topmostLinks(analysis, isNew);
  const groupsOfTop = new Map<number, Set<number>>();
  groups.forEach((nodes, group) => {
    for (const node of nodes) {
      const known = groupsOfTop.get(top(node)) ?? new Set();
      groupsOfTop.set(top(node), known.add(group));
    }
  });
  const wanted = groups.map(([node]) => classes.of(node!));
  const stayed = new Uint32Array(groups.length);
  const fresh = new Uint32Array(groups.length);
  const isWanted = new Set(wanted);
  for (let node = 1; node < graph.nodeCount; node++) {
    if (isNew[node] === 0 || !isWanted.has(classes.of(node))) continue;
    for (const group of groupsOfTop.get(top(node)) ?? []) {
      if (classes.of(node) !== wanted[group]) continue;
      if (isNew[node] === FRESH) fresh[group]!++;
      else stayed[group]!++;
    }
  }
  return groups.map((_, group) => (fresh[group]! >= stayed[group]! * ADDED_SHARE ? stayed[group]! : 0));
}

/** A chain that leaks grows between the second and the last snapshot as it did before; a tenth allows for uneven times. */
const ADDED_SHARE = 0.1;

/** Between two links of a chain: a function, its context, the array or object that the next is in. */
const STEPS_BETWEEN = 8;

/** For new nodes: the last link that is found upwards, from one of its class to the next. */
function topmostLinks(analysis: HeapAnalysis, isNew: Uint8Array): (node: number) => number {
  const { graph, classes, dominated } = analysis;
  const { dominators } = dominated;
  /** Plus one. */
  const topOf = new Uint32Array(graph.nodeCount);
  const linkAbove = (node: number): number | undefined => {
    const wanted = classes.of(node);
    let at = dominators[node]!;
    for (let steps = 0; steps < STEPS_BETWEEN && isNew[at] !== 0; steps++) {
      if (classes.of(at) === wanted) return at;
      at = dominators[at]!;
    }
    return undefined;
  };
  return (node) => {
    const climbed: number[] = [];
    let at = node;
    while (topOf[at] === 0) {
      climbed.push(at);
      const above = linkAbove(at);
      if (above === undefined) break;
      at = above;
    }
    const top = topOf[at] === 0 ? at : topOf[at]! - 1;
    for (const link of climbed) topOf[link] = top + 1;
    return top;
  };
}
