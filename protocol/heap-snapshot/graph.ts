import type { StringTable } from './string-table.ts';

/**
 * A heap snapshot as columns. Nodes keep the order of the file, node 0 is the root. The edges of node `i` are those from
 * `firstEdges[i]` up to `firstEdges[i + 1]`. About 17 bytes per node and 9 per edge, without the strings.
 */
export interface HeapGraph {
  readonly nodeCount: number;
  readonly edgeCount: number;
  /** What the codes in `types` and `edgeTypes` mean, as the file says. */
  readonly nodeTypeNames: readonly string[];
  readonly edgeTypeNames: readonly string[];
  readonly types: Uint8Array;
  /** Index in `strings`. */
  readonly names: Uint32Array;
  /** V8's own: the same object has the same id in every snapshot of one process, until an inspector session of it ends (`isSameNumbering`). */
  readonly ids: Uint32Array;
  /** Read them with `selfSizeOf`. */
  readonly selfSizes: Uint32Array;
  /** Sizes of 4 GiB and more. */
  readonly hugeSizes: ReadonlyMap<number, number>;
  readonly firstEdges: Uint32Array;
  readonly edgeTypes: Uint8Array;
  /** Index in `strings`; for `element` and `hidden` edges the number itself. */
  readonly edgeNames: Uint32Array;
  /** Nodes, not offsets. */
  readonly edgeTargets: Uint32Array;
  /** Nodes that V8 knows to be detached from their document. */
  readonly detachedNodes: readonly number[];
  readonly locations: HeapLocations;
  readonly strings: StringTable;
}

/** Where functions are written: closures only. */
export interface HeapLocations {
  readonly nodes: Uint32Array;
  readonly scriptIds: Uint32Array;
  /** 1-based. */
  readonly lines: Uint32Array;
  readonly columns: Uint32Array;
}

/** In `selfSizes`, for what is in `hugeSizes`. */
export const HUGE_SIZE = 0xffffffff;

export function selfSizeOf(graph: HeapGraph, node: number): number {
  const size = graph.selfSizes[node]!;
  return size === HUGE_SIZE ? graph.hugeSizes.get(node)! : size;
}

export function nodeNameOf(graph: HeapGraph, node: number): string {
  return graph.strings.text(graph.names[node]!);
}

export function nodeTypeOf(graph: HeapGraph, node: number): string {
  return graph.nodeTypeNames[graph.types[node]!]!;
}

export function nodeOfId(graph: HeapGraph, id: number): number | undefined {
  const node = graph.ids.indexOf(id);
  return node === -1 ? undefined : node;
}

/**
 * Which edges hold their target: one rule for every walk, as the dominators are wrong when two walks differ. Weak ones do
 * not; shortcuts do only at the root, where they name the global objects; nothing holds itself.
 */
export interface EssentialEdges {
  readonly weak: number;
  readonly shortcut: number;
}

export function essentialEdges({ edgeTypeNames }: HeapGraph): EssentialEdges {
  return { weak: edgeTypeNames.indexOf('weak'), shortcut: edgeTypeNames.indexOf('shortcut') };
}
