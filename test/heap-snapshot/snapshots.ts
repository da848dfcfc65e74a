import { SnapshotReader } from '../../protocol/heap-snapshot/read.ts';
import type { HeapGraph } from '../../protocol/heap-snapshot/graph.ts';

export const nodeTypes = [
  'hidden',
  'array',
  'string',
  'object',
  'code',
  'closure',
  'native',
  'synthetic',
  'concatenated string',
] as const;
export const edgeTypes = ['context', 'element', 'property', 'internal', 'hidden', 'shortcut', 'weak'] as const;

export interface SketchNode {
  readonly type?: (typeof nodeTypes)[number];
  readonly name?: string;
  readonly size?: number;
  readonly id?: number;
  /** Target node, then name or index, then type. */
  readonly edges?: readonly (readonly [number, (string | number)?, (typeof edgeTypes)[number]?])[];
}

/** A snapshot as V8 writes it, from a sketch: node 0 is the root; ids are odd numbers unless told. */
export function snapshotJson(
  nodes: readonly SketchNode[],
  change: (file: SnapshotFile) => void = () => undefined,
): string {
  const strings = ['<dummy>'];
  const indexes = new Map<string, number>();
  const text = (value: string): number => {
    let index = indexes.get(value);
    if (index === undefined) indexes.set(value, (index = strings.push(value) - 1));
    return index;
  };
  const numbers: number[] = [];
  const edges: number[] = [];
  nodes.forEach(({ type = 'object', name = 'Object', size = 16, id, edges: own = [] }, index) => {
    numbers.push(nodeTypes.indexOf(type), text(name), id ?? index * 2 + 1, size, own.length, 0);
    for (const [target, label = 'field', kind = typeof label === 'number' ? 'element' : 'property'] of own) {
      edges.push(edgeTypes.indexOf(kind), typeof label === 'number' ? label : text(label), target * 6);
    }
  });
  const file: SnapshotFile = {
    snapshot: {
      meta: {
        node_fields: ['type', 'name', 'id', 'self_size', 'edge_count', 'detachedness'],
        node_types: [[...nodeTypes], 'string', 'number', 'number', 'number', 'number'],
        edge_fields: ['type', 'name_or_index', 'to_node'],
        edge_types: [[...edgeTypes], 'string_or_number', 'node'],
        location_fields: ['object_index', 'script_id', 'line', 'column'],
      },
      node_count: nodes.length,
      edge_count: edges.length / 3,
      trace_function_count: 0,
    },
    nodes: numbers,
    edges,
    trace_function_infos: [],
    trace_tree: [],
    samples: [],
    locations: [],
    strings,
  };
  change(file);
  return JSON.stringify(file);
}

export interface SnapshotFile {
  snapshot: {
    meta: Record<string, unknown>;
    node_count: number;
    edge_count: number;
    trace_function_count: number;
  };
  nodes: number[];
  edges: number[];
  trace_function_infos: unknown[];
  trace_tree: unknown[];
  samples: unknown[];
  locations: number[];
  strings: string[];
  [key: string]: unknown;
}

export function readSnapshot(text: string | Uint8Array, chunkBytes = 65_536): HeapGraph {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  const reader = new SnapshotReader({ sizeBytes: bytes.length });
  for (let at = 0; at < bytes.length; at += chunkBytes) reader.push(bytes.slice(at, at + chunkBytes));
  return reader.finish();
}

export function graphOf(nodes: readonly SketchNode[]): HeapGraph {
  return readSnapshot(snapshotJson(nodes));
}

/** Seeded (mulberry32): the same numbers in every run. */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) % below;
  };
}

/** A graph with everything that the rules are about: weak and shortcut edges, self edges, unreached nodes, cycles. */
export function randomSketch(seed: number, nodeCount: number): SketchNode[] {
  const random = randomNumbers(seed);
  return Array.from({ length: nodeCount }, (_, index) => ({
    type: index === 0 ? ('synthetic' as const) : (['object', 'array', 'string', 'closure'] as const)[random(4)]!,
    name: index === 0 ? '' : `C${random(5)}`,
    size: random(100),
    edges: Array.from({ length: random(4) }, () => {
      const kind = random(10);
      if (kind === 0) return [random(nodeCount), 'w', 'weak'] as const;
      if (kind === 1) return [random(nodeCount), 's', 'shortcut'] as const;
      if (kind === 2) return [index, 'self'] as const;
      return [random(nodeCount), `p${random(3)}`] as const;
    }),
  }));
}
