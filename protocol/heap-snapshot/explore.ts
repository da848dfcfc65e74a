import { essentialEdges, nodeNameOf, nodeTypeOf, selfSizeOf } from './graph.ts';
import type { HeapGraph } from './graph.ts';
import type { HeapAnalysis } from './analyse.ts';
import { edgeText, nodeLabel } from './paths.ts';
import { placeText } from './functions.ts';

/** One object as a list or a tree shows it. */
export interface HeapObject {
  readonly id: number;
  readonly node: number;
  readonly type: string;
  readonly className: string;
  /** Contents of strings are in here; `(anonymous) app.js:3` for functions. */
  readonly name: string;
  readonly selfBytes: number;
  readonly retainedBytes: number;
}

export interface HeapField extends HeapObject {
  /** `.user`, `[12]`; for a retainer: its field that holds the object asked for. */
  readonly edge: string;
  readonly edgeType: string;
  /** Weak ones hold nothing. */
  readonly isHolding: boolean;
}

export interface Listed {
  readonly total: number;
  readonly fields: readonly HeapField[];
}

export function describeObject(analysis: HeapAnalysis, node: number): HeapObject {
  const { graph, classes, dominated, functions } = analysis;
  const place = nodeTypeOf(graph, node) === 'closure' ? functions.of(node) : undefined;
  return {
    id: graph.ids[node]!,
    node,
    type: nodeTypeOf(graph, node),
    className: classes.nameOf(node),
    name: place === undefined ? nodeNameOf(graph, node) || nodeLabel(graph, node) : placeText(place),
    selfBytes: selfSizeOf(graph, node),
    retainedBytes: dominated.retainedSizes[node]!,
  };
}

/** What an object refers to, in the order of the file; `offset` and `limit` page through large ones. */
export function fieldsOf(analysis: HeapAnalysis, node: number, { offset = 0, limit = 100 } = {}): Listed {
  const { graph } = analysis;
  const first = graph.firstEdges[node]!;
  const total = graph.firstEdges[node + 1]! - first;
  const fields: HeapField[] = [];
  for (let edge = first + offset; edge < first + Math.min(total, offset + limit); edge++) {
    fields.push(asField(analysis, edge, { holder: node, shown: graph.edgeTargets[edge]! }));
  }
  return { total, fields };
}

/** Who holds an object by essential edges, in the order of the file. */
export function retainersOf(analysis: HeapAnalysis, node: number, { offset = 0, limit = 100 } = {}): Listed {
  const { graph, retainers } = analysis;
  const first = retainers.firstHolders[node]!;
  const total = retainers.firstHolders[node + 1]! - first;
  const fields: HeapField[] = [];
  // From the end: the index is filled backwards.
  for (let at = first + total - 1 - offset; at >= first && fields.length < limit; at--) {
    const holder = retainers.holders[at]!;
    const nth = countBefore(retainers.holders, { holder, from: at + 1, to: first + total });
    fields.push(asField(analysis, edgeBetween(graph, { holder, target: node, nth }), { holder, shown: holder }));
  }
  return { total, fields };
}

function asField(
  analysis: HeapAnalysis,
  edge: number,
  { holder, shown }: { holder: number; shown: number },
): HeapField {
  const { graph } = analysis;
  const { weak, shortcut } = essentialEdges(graph);
  const type = graph.edgeTypes[edge]!;
  return {
    ...describeObject(analysis, shown),
    edge: edgeText(graph, edge),
    edgeType: graph.edgeTypeNames[type]!,
    isHolding: type !== weak && (type !== shortcut || holder === 0) && graph.edgeTargets[edge] !== holder,
  };
}

function countBefore(holders: Uint32Array, { holder, from, to }: { holder: number; from: number; to: number }): number {
  let count = 0;
  for (let at = from; at < to && holders[at] === holder; at++) count++;
  return count;
}

function edgeBetween(
  graph: HeapGraph,
  { holder, target, nth }: { holder: number; target: number; nth: number },
): number {
  const { weak, shortcut } = essentialEdges(graph);
  let left = nth;
  for (let edge = graph.firstEdges[holder]!; edge < graph.firstEdges[holder + 1]!; edge++) {
    const type = graph.edgeTypes[edge]!;
    if (graph.edgeTargets[edge] !== target || type === weak || (type === shortcut && holder !== 0)) continue;
    if (left-- === 0) return edge;
  }
  throw new RangeError(`node ${holder} has no ${nth + 1} edges to node ${target}`);
}
