import { ColumnPool } from './column-pool.ts';
import { HUGE_SIZE } from './graph.ts';
import type { HeapGraph } from './graph.ts';
import type { Dominators } from './dominators.ts';

export interface HeapClass {
  /** As DevTools groups: `Session`, `(string)`, `(array)`, `Function`, `(compiled code)`. */
  readonly name: string;
  readonly count: number;
  readonly selfBytes: number;
  /** What would be freed with all of them: nothing is counted twice. */
  readonly retainedBytes: number;
}

/** Numbers for classes: objects and native ones by their name, the rest by its type. */
export class ClassIndex {
  readonly graph: HeapGraph;
  readonly #classOfType: Int32Array;
  readonly #classOfName: Uint32Array;
  readonly #nameOfClass: number[] = [];
  readonly #typeClassNames: readonly string[];

  constructor(graph: HeapGraph) {
    this.graph = graph;
    this.#typeClassNames = [...new Set(graph.nodeTypeNames.map(classOfType))];
    this.#classOfType = Int32Array.from(graph.nodeTypeNames, (type) =>
      namedTypes.has(type) ? -1 : this.#typeClassNames.indexOf(classOfType(type)),
    );
    this.#classOfName = new Uint32Array(graph.strings.length);
    const { types, names, nodeCount } = graph;
    for (let node = 0; node < nodeCount; node++) {
      if (this.#classOfType[types[node]!] !== -1 || this.#classOfName[names[node]!] !== 0) continue;
      // 0 is "none yet".
      this.#classOfName[names[node]!] = this.#nameOfClass.push(names[node]!);
    }
  }

  get count(): number {
    return this.#typeClassNames.length + this.#nameOfClass.length;
  }

  of(node: number): number {
    const byType = this.#classOfType[this.graph.types[node]!]!;
    return byType !== -1 ? byType : this.#typeClassNames.length - 1 + this.#classOfName[this.graph.names[node]!]!;
  }

  name(index: number): string {
    const byType = this.#typeClassNames[index];
    return byType ?? this.graph.strings.text(this.#nameOfClass[index - this.#typeClassNames.length]!);
  }

  nameOf(node: number): string {
    return this.name(this.of(node));
  }
}

const namedTypes: ReadonlySet<string> = new Set(['object', 'native']);

function classOfType(type: string): string {
  switch (type) {
    case 'code':
      return '(compiled code)';
    case 'closure':
      return 'Function';
    case 'regexp':
      return 'RegExp';
    case 'hidden':
      return '(system)';
    default:
      return `(${type})`;
  }
}

/** Every class that there is an object of; the most retained bytes first, then by name. */
export function histogram(
  classes: ClassIndex,
  dominated: Dominators,
  pool = new ColumnPool(classes.graph.nodeCount),
): HeapClass[] {
  const { graph } = classes;
  const counts = new Uint32Array(classes.count);
  const selfBytes = new Float64Array(classes.count);
  for (let node = 0; node < graph.nodeCount; node++) {
    const index = classes.of(node);
    const size = graph.selfSizes[node]!;
    counts[index]!++;
    selfBytes[index]! += size === HUGE_SIZE ? graph.hugeSizes.get(node)! : size;
  }
  const retainedBytes = sumRetained(classes, dominated, pool);
  const found: HeapClass[] = [];
  for (let index = 0; index < counts.length; index++) {
    if (counts[index] === 0) continue;
    found.push({
      name: classes.name(index),
      count: counts[index]!,
      selfBytes: selfBytes[index]!,
      retainedBytes: retainedBytes[index]!,
    });
  }
  return found.sort(
    (a, b) => b.retainedBytes - a.retainedBytes || b.selfBytes - a.selfBytes || (a.name < b.name ? -1 : 1),
  );
}

/** One walk down the dominator tree: an object below another of its class is within that one's size already. */
function sumRetained(classes: ClassIndex, { dominators, retainedSizes }: Dominators, pool: ColumnPool): Float64Array {
  const firstChild = pool.take();
  const nextSibling = pool.take();
  // The root is nobody's child: 0 is "none".
  for (let node = dominators.length - 1; node > 0; node--) {
    const dominator = dominators[node]!;
    nextSibling[node] = firstChild[dominator]!;
    firstChild[dominator] = node;
  }
  const sums = new Float64Array(classes.count);
  const open = new Uint32Array(classes.count);
  let node = 0;
  for (;;) {
    const entered = classes.of(node);
    if (open[entered] === 0) sums[entered]! += retainedSizes[node]!;
    open[entered]!++;
    if (firstChild[node] !== 0) {
      node = firstChild[node]!;
      continue;
    }
    for (;;) {
      open[classes.of(node)]!--;
      if (node === 0) {
        pool.give(firstChild, nextSibling);
        return sums;
      }
      if (nextSibling[node] !== 0) break;
      node = dominators[node]!;
    }
    node = nextSibling[node]!;
  }
}
