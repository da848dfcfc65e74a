import { SidescopeError } from '../error.ts';
import { HUGE_SIZE } from './graph.ts';
import type { HeapGraph } from './graph.ts';
import { notSnapshot, readLayout } from './layout.ts';
import type { SnapshotLayout } from './layout.ts';
import { SnapshotScanner } from './scan.ts';
import type { NumberSection, SnapshotSink } from './scan.ts';
import { StringTable } from './string-table.ts';

/**
 * Reads a .heapsnapshot, as V8 writes it, from chunks of any size: `push` each, then `finish`. Synchronous; a call takes
 * about 4 ms per MiB. Between two calls the caller may report progress or give up: nothing is held but memory.
 * Throws `unreadable-profile` with the offset, `analysis-limit` for what claims more than the bounds; after that it is dead.
 * `sizeBytes` is of the plain bytes, where known: a header that claims more than fits is then refused at once.
 */
export class SnapshotReader {
  readonly #sink: GraphBuilder;
  readonly #scanner: SnapshotScanner;

  constructor({ sizeBytes }: { sizeBytes?: number | undefined } = {}) {
    this.#sink = new GraphBuilder(sizeBytes);
    this.#scanner = new SnapshotScanner(this.#sink);
  }

  get bytesRead(): number {
    return this.#scanner.bytesRead;
  }

  push(bytes: Uint8Array): void {
    this.#scanner.push(bytes);
  }

  finish(): HeapGraph {
    this.#scanner.finish();
    return this.#sink.finish();
  }
}

const UINT32_MAX = 0xffffffff;

class GraphBuilder implements SnapshotSink {
  readonly strings = new StringTable();
  readonly #sizeBytes: number | undefined;
  #layout: SnapshotLayout | undefined;
  #columns: Columns | undefined;
  #nodes = 0;
  #edges = 0;
  #edgesOfNodes = 0;
  #maxName = 0;
  #isNodesRead = false;
  readonly #hugeSizes = new Map<number, number>();
  readonly #detachedNodes: number[] = [];
  /** Node, script, line and column of one function after the other. */
  #locations = new Int32Array(4 * 1024);
  #locationNumbers = 0;

  constructor(sizeBytes: number | undefined) {
    this.#sizeBytes = sizeBytes;
  }

  header(value: unknown): void {
    const layout = readLayout(value);
    // Each number takes a digit and a comma at least.
    const leastBytes = 2 * (layout.nodeCount * layout.node.count + layout.edgeCount * layout.edge.count);
    if (this.#sizeBytes !== undefined && leastBytes > this.#sizeBytes) {
      throw notSnapshot(
        `its header claims ${layout.nodeCount} nodes and ${layout.edgeCount} edges, more than ${this.#sizeBytes} B hold`,
      );
    }
    this.#layout = layout;
    this.#columns = allocateColumns(layout);
  }

  section(name: NumberSection): { fields: number; store: (record: Float64Array) => void } | undefined {
    const layout = this.#layout;
    if (layout === undefined) throw notSnapshot(`"${name}" stands before "snapshot", which says how to read it`);
    switch (name) {
      case 'nodes':
        this.#isNodesRead = true;
        return { fields: layout.node.count, store: this.#nodeStore(layout, this.#columns!) };
      case 'edges':
        if (!this.#isNodesRead) throw notSnapshot('"edges" stands before "nodes"');
        return { fields: layout.edge.count, store: this.#edgeStore(layout, this.#columns!) };
      case 'locations':
        if (layout.location === undefined) return undefined;
        return { fields: layout.location.count, store: this.#locationStore(layout.location, layout) };
    }
  }

  finish(): HeapGraph {
    const layout = this.#layout!;
    const columns = this.#columns!;
    checkCount('nodes', this.#nodes, layout.nodeCount);
    checkCount('edges', this.#edges, layout.edgeCount);
    if (this.#nodes === 0) throw notSnapshot('it has no nodes');
    if (this.#edgesOfNodes !== this.#edges) {
      throw notSnapshot(`its nodes claim ${this.#edgesOfNodes} edges, there are ${this.#edges}`);
    }
    if (this.#maxName >= this.strings.length) {
      throw notSnapshot(`string ${this.#maxName} is named, there are ${this.strings.length}`);
    }
    columns.firstEdges[layout.nodeCount] = this.#edges;
    const locations = this.#locations.subarray(0, this.#locationNumbers);
    const count = locations.length / 4;
    const column = (offset: number) =>
      Uint32Array.from({ length: count }, (_, index) => locations[index * 4 + offset]!);
    return {
      nodeCount: layout.nodeCount,
      edgeCount: layout.edgeCount,
      nodeTypeNames: layout.nodeTypes,
      edgeTypeNames: layout.edgeTypes,
      ...columns,
      hugeSizes: this.#hugeSizes,
      detachedNodes: this.#detachedNodes,
      locations: {
        nodes: column(0),
        scriptIds: column(1),
        lines: column(2),
        columns: column(3),
      },
      strings: this.strings,
    };
  }

  #nodeStore({ node, nodeCount, edgeCount, nodeTypes }: SnapshotLayout, columns: Columns) {
    const { types, names, ids, selfSizes, firstEdges } = columns;
    const offset = node;
    const typeCount = nodeTypes.length;
    return (record: Float64Array): void => {
      const index = this.#nodes++;
      if (index >= nodeCount) throw notSnapshot(`it has more nodes than the ${nodeCount} of its header`);
      const type = record[offset.type]!;
      if (!(type >= 0 && type < typeCount)) throw notSnapshot(`node ${index} has the type ${type} of ${typeCount}`);
      const name = record[offset.name]!;
      const id = record[offset.id]!;
      const size = record[offset.self_size]!;
      const edges = record[offset.edge_count]!;
      if (!(name >= 0 && name <= UINT32_MAX && id >= 0 && id <= UINT32_MAX && size >= 0 && edges >= 0)) {
        throw notSnapshot(`node ${index} has the name ${name}, id ${id}, size ${size}, edge count ${edges}`);
      }
      if (edges > edgeCount - this.#edgesOfNodes) {
        throw notSnapshot(`its first ${index + 1} nodes claim more than the ${edgeCount} edges of its header`);
      }
      types[index] = type;
      names[index] = name;
      if (name > this.#maxName) this.#maxName = name;
      ids[index] = id;
      if (size >= HUGE_SIZE) this.#hugeSizes.set(index, size);
      selfSizes[index] = size >= HUGE_SIZE ? HUGE_SIZE : size;
      firstEdges[index] = this.#edgesOfNodes;
      this.#edgesOfNodes += edges;
      if (offset.detachedness !== -1 && record[offset.detachedness] === 2) this.#detachedNodes.push(index);
    };
  }

  #edgeStore({ edge, edgeCount, edgeTypes, node, nodeCount }: SnapshotLayout, columns: Columns) {
    const offset = edge;
    const typeCount = edgeTypes.length;
    const nodeFields = node.count;
    const isIndex = edgeTypes.map((name) => (name === 'element' || name === 'hidden' ? 1 : 0));
    return (record: Float64Array): void => {
      const index = this.#edges++;
      if (index >= edgeCount) throw notSnapshot(`it has more edges than the ${edgeCount} of its header`);
      const type = record[offset.type]!;
      if (!(type >= 0 && type < typeCount)) throw notSnapshot(`edge ${index} has the type ${type} of ${typeCount}`);
      const name = record[offset.name_or_index]!;
      if (!(name >= 0 && name <= UINT32_MAX)) throw notSnapshot(`edge ${index} has the name ${name}`);
      const target = record[offset.to_node]! / nodeFields;
      if (!(target >= 0 && target < nodeCount) || Math.floor(target) !== target) {
        throw notSnapshot(`edge ${index} leads to ${record[offset.to_node]}, where no node begins`);
      }
      columns.edgeTypes[index] = type;
      columns.edgeNames[index] = name;
      columns.edgeTargets[index] = target;
      if (isIndex[type] === 0 && name > this.#maxName) this.#maxName = name;
    };
  }

  /** Only of functions: V8 tells the place of a constructor again for each of its objects. */
  #locationStore(offset: NonNullable<SnapshotLayout['location']>, { node, nodeCount, nodeTypes }: SnapshotLayout) {
    const closure = nodeTypes.indexOf('closure');
    return (record: Float64Array): void => {
      const target = record[offset.object_index]! / node.count;
      // An unknown producer's place is no reason to refuse the rest.
      if (!(target >= 0 && target < nodeCount) || Math.floor(target) !== target) return;
      if (this.#columns!.types[target] !== closure) return;
      if (this.#locationNumbers === this.#locations.length) {
        const grown = new Int32Array(this.#locations.length * 2);
        grown.set(this.#locations);
        this.#locations = grown;
      }
      const { [offset.script_id]: scriptId, [offset.line]: line, [offset.column]: column } = record;
      const at = this.#locationNumbers;
      this.#locations[at] = target;
      this.#locations[at + 1] = scriptId!;
      this.#locations[at + 2] = Math.max(0, line!) + 1;
      this.#locations[at + 3] = Math.max(0, column!) + 1;
      this.#locationNumbers += 4;
    };
  }
}

type Columns = Pick<
  HeapGraph,
  'types' | 'names' | 'ids' | 'selfSizes' | 'firstEdges' | 'edgeTypes' | 'edgeNames' | 'edgeTargets'
>;

function allocateColumns({ nodeCount, edgeCount }: SnapshotLayout): Columns {
  try {
    return {
      types: new Uint8Array(nodeCount),
      names: new Uint32Array(nodeCount),
      ids: new Uint32Array(nodeCount),
      selfSizes: new Uint32Array(nodeCount),
      firstEdges: new Uint32Array(nodeCount + 1),
      edgeTypes: new Uint8Array(edgeCount),
      edgeNames: new Uint32Array(edgeCount),
      edgeTargets: new Uint32Array(edgeCount),
    };
  } catch (error) {
    const needed = Math.ceil((nodeCount * 17 + edgeCount * 9) / 2 ** 20);
    throw new SidescopeError(
      'analysis-limit',
      `${nodeCount} nodes and ${edgeCount} edges need ${needed} MiB at least, which cannot be had`,
      { cause: error },
    );
  }
}

function checkCount(what: string, seen: number, claimed: number): void {
  if (seen !== claimed) throw notSnapshot(`its header claims ${claimed} ${what}, there are ${seen}`);
}
