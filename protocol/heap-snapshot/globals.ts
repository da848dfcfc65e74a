import { nodeNameOf } from './graph.ts';
import type { HeapGraph } from './graph.ts';

export interface GlobalObject {
  readonly node: number;
  /** From the root to it: one edge, or two through its context. */
  readonly edges: readonly number[];
}

/**
 * The global objects, which the root names by its shortcut edges: directly up to Node 24; from Node 26 on they lead to the
 * context, whose `global_object` it is.
 */
export function globalObjects(graph: HeapGraph): GlobalObject[] {
  const shortcut = graph.edgeTypeNames.indexOf('shortcut');
  const found: GlobalObject[] = [];
  for (let edge = 0; edge < graph.firstEdges[1]!; edge++) {
    if (graph.edgeTypes[edge] !== shortcut) continue;
    const node = graph.edgeTargets[edge]!;
    const inner = isNativeContext(graph, node) ? globalEdgeOf(graph, node) : undefined;
    found.push(
      inner === undefined ? { node, edges: [edge] } : { node: graph.edgeTargets[inner]!, edges: [edge, inner] },
    );
  }
  return found;
}

export function isNativeContext(graph: HeapGraph, node: number): boolean {
  return nodeNameOf(graph, node) === 'system / NativeContext';
}

function globalEdgeOf(graph: HeapGraph, context: number): number | undefined {
  const internal = graph.edgeTypeNames.indexOf('internal');
  for (let edge = graph.firstEdges[context]!; edge < graph.firstEdges[context + 1]!; edge++) {
    if (graph.edgeTypes[edge] !== internal) continue;
    if (graph.strings.text(graph.edgeNames[edge]!) === 'global_object') return edge;
  }
  return undefined;
}
