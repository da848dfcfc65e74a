import { essentialEdges } from './graph.ts';
import type { HeapGraph } from './graph.ts';

/**
 * Who holds each node, by essential edges: the holders of node `i` are `holders` from `firstHolders[i]` up to
 * `firstHolders[i + 1]`; one that holds it by two edges is there twice. 4 bytes per node and per edge.
 */
export interface RetainerIndex {
  readonly firstHolders: Uint32Array;
  readonly holders: Uint32Array;
}

export function indexRetainers(graph: HeapGraph): RetainerIndex {
  const { nodeCount, firstEdges, edgeTypes, edgeTargets } = graph;
  const { weak, shortcut } = essentialEdges(graph);
  const firstHolders = new Uint32Array(nodeCount + 1);
  for (let node = 0; node < nodeCount; node++) {
    for (let edge = firstEdges[node]!; edge < firstEdges[node + 1]!; edge++) {
      const type = edgeTypes[edge];
      const target = edgeTargets[edge]!;
      if (type === weak || target === node || (type === shortcut && node !== 0)) continue;
      firstHolders[target]!++;
    }
  }
  // Each becomes the end of its range, and is counted down to its start below.
  let total = 0;
  for (let node = 0; node <= nodeCount; node++) {
    total += firstHolders[node]!;
    firstHolders[node] = total;
  }
  const holders = new Uint32Array(total);
  for (let node = 0; node < nodeCount; node++) {
    for (let edge = firstEdges[node]!; edge < firstEdges[node + 1]!; edge++) {
      const type = edgeTypes[edge];
      const target = edgeTargets[edge]!;
      if (type === weak || target === node || (type === shortcut && node !== 0)) continue;
      holders[--firstHolders[target]!] = node;
    }
  }
  return { firstHolders, holders };
}
