import { SidescopeError } from '../error.ts';

/** Where the fields of a snapshot are, as its own `snapshot.meta` says: they differ between versions of V8. */
export interface SnapshotLayout {
  readonly nodeCount: number;
  readonly edgeCount: number;
  readonly node: FieldOffsets<'type' | 'name' | 'id' | 'self_size' | 'edge_count'> & { readonly detachedness: number };
  readonly edge: FieldOffsets<'type' | 'name_or_index' | 'to_node'>;
  /** undefined when the snapshot tells no places of functions. */
  readonly location: FieldOffsets<'object_index' | 'script_id' | 'line' | 'column'> | undefined;
  readonly nodeTypes: readonly string[];
  readonly edgeTypes: readonly string[];
}

type FieldOffsets<Name extends string> = { readonly [Field in Name]: number } & { readonly count: number };

/** Snapshots with more than 180 M nodes have been seen; beyond this the columns alone are over 20 GB. */
export const NODES_MAX = 2 ** 28;
export const EDGES_MAX = 2 ** 30;
const FIELDS_MAX = 64;
const TYPES_MAX = 64;

/** From the value of `"snapshot"`. Throws `unreadable-profile`, or `analysis-limit` for counts over the bounds. */
export function readLayout(value: unknown): SnapshotLayout {
  const header = record(value, 'snapshot');
  const meta = record(header['meta'], 'snapshot.meta');
  const nodeFields = names(meta['node_fields'], 'node_fields');
  const edgeFields = names(meta['edge_fields'], 'edge_fields');
  const locationFields = meta['location_fields'] === undefined ? [] : names(meta['location_fields'], 'location_fields');
  const nodeTypes = typeNames(meta['node_types'], 'node_types', nodeFields.indexOf('type'));
  const edgeTypes = typeNames(meta['edge_types'], 'edge_types', edgeFields.indexOf('type'));
  const needed = ['object_index', 'script_id', 'line', 'column'] as const;
  return {
    nodeCount: count(header['node_count'], { name: 'node_count', max: NODES_MAX }),
    edgeCount: count(header['edge_count'], { name: 'edge_count', max: EDGES_MAX }),
    node: {
      ...offsets(nodeFields, ['type', 'name', 'id', 'self_size', 'edge_count'], 'node_fields'),
      detachedness: nodeFields.indexOf('detachedness'),
    },
    edge: offsets(edgeFields, ['type', 'name_or_index', 'to_node'], 'edge_fields'),
    location: needed.every((name) => locationFields.includes(name))
      ? offsets(locationFields, needed, 'location_fields')
      : undefined,
    nodeTypes,
    edgeTypes,
  };
}

function offsets<const Name extends string>(
  fields: readonly string[],
  needed: readonly Name[],
  where: string,
): FieldOffsets<Name> {
  const missing = needed.filter((name) => !fields.includes(name));
  if (missing.length > 0) throw notSnapshot(`snapshot.meta.${where} lacks ${missing.join(', ')}`);
  const found = Object.fromEntries(needed.map((name) => [name, fields.indexOf(name)])) as Record<Name, number>;
  return { ...found, count: fields.length };
}

function names(value: unknown, where: string): readonly string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > FIELDS_MAX) {
    throw notSnapshot(`snapshot.meta.${where} must be a list of 1 to ${FIELDS_MAX} names`);
  }
  return value.map((name: unknown) => {
    if (typeof name !== 'string') throw notSnapshot(`snapshot.meta.${where} holds a ${typeof name}`);
    return name;
  });
}

function typeNames(value: unknown, where: string, offset: number): readonly string[] {
  const list: unknown = Array.isArray(value) ? (value as readonly unknown[])[offset] : undefined;
  if (!Array.isArray(list) || list.length === 0 || list.length > TYPES_MAX) {
    throw notSnapshot(`snapshot.meta.${where} has no list of types`);
  }
  return list.map(String);
}

function count(value: unknown, { name, max }: { name: string; max: number }): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) {
    const seen = typeof value === 'number' ? String(value) : value === undefined ? 'missing' : typeof value;
    throw notSnapshot(`snapshot.${name} must be a count, is ${seen}`);
  }
  if ((value as number) > max) {
    throw new SidescopeError('analysis-limit', `the snapshot claims ${String(value)} as ${name}, the limit is ${max}`);
  }
  return value as number;
}

function record(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw notSnapshot(`${where} must be an object`);
}

export function notSnapshot(message: string): SidescopeError {
  return new SidescopeError('unreadable-profile', `not a heap snapshot: ${message}`);
}
