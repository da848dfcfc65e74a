import { notSnapshot, readLayout } from './layout.ts';
import type { SnapshotLayout } from './layout.ts';

/**
 * What a string of the table is used for. `label`: kept as it is. `content`: of a string, number, BigInt or regular
 * expression, and of nothing else. `key`: of a property or a function. `rare-key`: of a property of one object only, which has
 * many. `internal`: V8's own edge; those of WeakMaps quote objects, `internal-to-string` quotes a string.
 */
export type StringUse = 'label' | 'content' | 'key' | 'rare-key' | 'internal' | 'internal-to-string';

const CONTENT = 1;
const LABEL = 2;
const KEY = 4;
const INTERNAL = 8;
const INTERNAL_TO_STRING = 16;
/** As a property it belongs to more than one object, or to a small one. */
const COMMON = 32;

/** An object with more properties is taken for a dictionary when no other has the same ones. */
const PROPERTIES_OF_RECORD_MAX = 16;

/** Looks at nodes and edges as they pass. */
export class RedactionUses {
  readonly #layout: SnapshotLayout;
  readonly #types: Uint8Array;
  readonly #edgeCounts: Uint32Array;
  #flags = new Uint8Array(1024);
  /** Per string: the node, plus one, with a property of that name. */
  #owners = new Uint32Array(1024);
  /** What the root's shortcuts lead to: global objects; from Node 26 on contexts, which lead to them. */
  readonly #roots = new Set<number>();
  /** Global objects, and the prototypes beside them: their properties are no data, though no other object has them. */
  readonly #globals = new Set<number>();
  #nodes = 0;
  #edges = 0;

  constructor(header: unknown) {
    this.#layout = readLayout(header);
    this.#types = new Uint8Array(this.#layout.nodeCount);
    this.#edgeCounts = new Uint32Array(this.#layout.nodeCount);
  }

  get isComplete(): boolean {
    return this.#nodes === this.#layout.nodeCount && this.#edges === this.#layout.edgeCount;
  }

  of(index: number): StringUse {
    const flags = this.#flags[index] ?? 0;
    if ((flags & LABEL) !== 0) return 'label';
    if ((flags & INTERNAL) !== 0) return (flags & INTERNAL_TO_STRING) !== 0 ? 'internal-to-string' : 'internal';
    if ((flags & KEY) !== 0) return (flags & COMMON) !== 0 ? 'key' : 'rare-key';
    if ((flags & CONTENT) !== 0) return 'content';
    // Nobody's: V8's own few, as `<dummy>`, or what a producer put there. Only the form can tell.
    return 'key';
  }

  nodes() {
    const { node, nodeCount, nodeTypes } = this.#layout;
    const flagOfType = Uint8Array.from(nodeTypes, (type) =>
      contentTypes.has(type) ? CONTENT : keyTypes.has(type) ? KEY | COMMON : LABEL,
    );
    return {
      fields: node.count,
      store: (record: Float64Array): void => {
        const index = this.#nodes++;
        if (index >= nodeCount) throw notSnapshot(`it has more nodes than the ${nodeCount} of its header`);
        const type = record[node.type]!;
        const flag = flagOfType[type];
        if (flag === undefined) throw notSnapshot(`node ${index} has the type ${type} of ${nodeTypes.length}`);
        this.#types[index] = type;
        this.#edgeCounts[index] = record[node.edge_count]!;
        this.#mark(record[node.name]!, flag);
      },
    };
  }

  edges() {
    const { edge, edgeCount, edgeTypes, node, nodeTypes } = this.#layout;
    if (this.#nodes !== this.#layout.nodeCount) {
      throw notSnapshot(`its header claims ${this.#layout.nodeCount} nodes, there are ${this.#nodes}`);
    }
    const [property, internal] = [edgeTypes.indexOf('property'), edgeTypes.indexOf('internal')];
    const shortcut = edgeTypes.indexOf('shortcut');
    const isIndex = edgeTypes.map((type) => type === 'element' || type === 'hidden');
    const isContent = nodeTypes.map((type) => contentTypes.has(type));
    let owner = 0;
    let left = this.#edgeCounts[0] ?? 0;
    return {
      fields: edge.count,
      store: (record: Float64Array): void => {
        if (this.#edges++ >= edgeCount) throw notSnapshot(`it has more edges than the ${edgeCount} of its header`);
        while (left === 0) {
          owner++;
          if (owner >= this.#edgeCounts.length) throw notSnapshot('it has more edges than its nodes claim');
          left = this.#edgeCounts[owner]!;
        }
        left--;
        const type = record[edge.type]!;
        if (isIndex[type] !== false) return;
        const name = record[edge.name_or_index]!;
        const target = record[edge.to_node]! / node.count;
        if (owner === 0 && type === shortcut) this.#roots.add(target);
        if (this.#roots.has(target) || (type === internal && this.#roots.has(owner))) this.#globals.add(target);
        if (type === property) this.#markKey(name, owner);
        else if (type !== internal) this.#mark(name, LABEL);
        else {
          this.#mark(name, isContent[this.#types[target] ?? 0] === true ? INTERNAL | INTERNAL_TO_STRING : INTERNAL);
        }
      },
    };
  }

  #markKey(name: number, owner: number): void {
    this.#mark(name, KEY);
    const isRecord = this.#edgeCounts[owner]! <= PROPERTIES_OF_RECORD_MAX || this.#globals.has(owner);
    if (isRecord || (this.#owners[name] !== 0 && this.#owners[name] !== owner + 1)) this.#flags[name]! |= COMMON;
    this.#owners[name] = owner + 1;
  }

  #mark(name: number, flag: number): void {
    if (name >= this.#flags.length) this.#grow(name);
    this.#flags[name]! |= flag;
  }

  #grow(name: number): void {
    // Far more than any heap has strings; a file that claims more is refused, as its numbers are no indexes.
    if (name > STRINGS_MAX) throw notSnapshot(`string ${name} is named, at most ${STRINGS_MAX} are read`);
    const length = 2 ** Math.ceil(Math.log2(name + 1));
    const flags = new Uint8Array(length);
    flags.set(this.#flags);
    this.#flags = flags;
    const owners = new Uint32Array(length);
    owners.set(this.#owners);
    this.#owners = owners;
  }
}

const STRINGS_MAX = 2 ** 28;

const contentTypes: ReadonlySet<string> = new Set([
  'string',
  'concatenated string',
  'sliced string',
  'number',
  'bigint',
  'regexp',
]);
/** `obj[userId] = () => …` names a function by data. */
const keyTypes: ReadonlySet<string> = new Set(['closure', 'symbol']);
