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

/** The same as nodes; Chrome's root names none, there they are what its contexts call so. */
export function globalNodes(graph: HeapGraph): ReadonlySet<number> {
  const named = globalObjects(graph).map(({ node }) => node);
  if (named.length > 0) return new Set(named);
  const found = new Set<number>();
  const isContext = new Map<number, boolean>();
  for (let node = 0; node < graph.nodeCount; node++) {
    const name = graph.names[node]!;
    if (isContext.get(name) === undefined) isContext.set(name, isNativeContext(graph, node));
    if (isContext.get(name) === false) continue;
    const edge = globalEdgeOf(graph, node);
    if (edge !== undefined) found.add(graph.edgeTargets[edge]!);
  }
  return found;
}

/** Chrome adds the page: `system / NativeContext / https://example.org`. */
export function isNativeContext(graph: HeapGraph, node: number): boolean {
  return isContextName(nodeNameOf(graph, node));
}

export function isContextName(name: string): boolean {
  return name === 'system / NativeContext' || name.startsWith('system / NativeContext / ');
}

function globalEdgeOf(graph: HeapGraph, context: number): number | undefined {
  const internal = graph.edgeTypeNames.indexOf('internal');
  for (let edge = graph.firstEdges[context]!; edge < graph.firstEdges[context + 1]!; edge++) {
    if (graph.edgeTypes[edge] !== internal) continue;
    if (graph.strings.text(graph.edgeNames[edge]!) === 'global_object') return edge;
  }
  return undefined;
}
