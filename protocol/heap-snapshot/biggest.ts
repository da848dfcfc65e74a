import type { HeapAnalysis } from './analyse.ts';
import { describeObject } from './explore.ts';
import type { HeapObject } from './explore.ts';
import { pathText, pathTo } from './paths.ts';

export interface BiggestObject extends HeapObject {
  /** The shortest way to it: `global.registry.table[12]`. */
  readonly path: string;
}

/** The objects that retain most, without V8's roots. An object is left out when it is all that a listed one retains (a Map's table). */
export function findBiggestObjects(analysis: HeapAnalysis, limit: number): BiggestObject[] {
  const { graph, dominated } = analysis;
  const synthetic = graph.nodeTypeNames.indexOf('synthetic');
  const top = topNodes(dominated.retainedSizes, {
    limit: limit * 4,
    isWanted: (node) => graph.types[node] !== synthetic,
  });
  const seen = new Set<number>();
  const listed = top.filter((node) => {
    const above = dominated.dominators[node]!;
    const isContent =
      seen.has(above) && dominated.retainedSizes[node]! > CONTENT_SHARE * dominated.retainedSizes[above]!;
    seen.add(node);
    return !isContent;
  });
  return listed.slice(0, limit).map((node) => ({
    ...describeObject(analysis, node),
    path: pathText(graph, pathTo(analysis.paths, node)),
  }));
}

/** A Map's table is the Map: this share of the one above it and more is not worth a line of its own. */
const CONTENT_SHARE = 0.98;

/** The nodes with the largest values, largest first; ties by node. */
export function topNodes(
  values: Float64Array,
  { limit, isWanted }: { limit: number; isWanted: (node: number) => boolean },
): number[] {
  let top: number[] = [];
  let least = -1;
  const cut = (): void => {
    top = top.sort((a, b) => values[b]! - values[a]! || a - b).slice(0, limit);
    if (top.length === limit) least = values[top[limit - 1]!]!;
  };
  for (let node = 0; node < values.length; node++) {
    if (values[node]! <= least || !isWanted(node)) continue;
    top.push(node);
    if (top.length >= limit * 2 + 64) cut();
  }
  cut();
  return top;
}
