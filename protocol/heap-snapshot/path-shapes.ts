import type { HeapAnalysis } from './analyse.ts';
import { globalNodes } from './globals.ts';
import { edgeText, firstOwnStep, nodeBefore, nodeLabel, pathTo } from './paths.ts';

/** An object with more properties than this is a table of data: its keys are not told apart. */
const PROPERTIES_OF_RECORD_MAX = 64;

/**
 * Numbers for paths that differ only in indexes and in keys of data: `global.cache.table[]`, `Session.next…`. All entries of
 * one Map have one shape, so do all elements of a linked list.
 */
export class PathShapes {
  readonly #analysis: HeapAnalysis;
  /** Per node: its shape plus one. */
  readonly #shapeOfNode: Uint32Array;
  readonly #globals: ReadonlySet<number>;
  readonly #shapes: { readonly parent: number; readonly text: string; readonly classIndex: number }[] = [];
  readonly #byKey = new Map<string, number>();

  constructor(analysis: HeapAnalysis) {
    this.#analysis = analysis;
    this.#shapeOfNode = new Uint32Array(analysis.graph.nodeCount);
    this.#globals = globalNodes(analysis.graph);
  }

  of(node: number): number {
    const { paths } = this.#analysis;
    const { edgeTo } = paths;
    const climbed: number[] = [];
    let at = node;
    while (this.#shapeOfNode[at] === 0 && edgeTo[at] !== 0) {
      climbed.push(at);
      at = nodeBefore(paths, at);
    }
    if (this.#shapeOfNode[at] === 0) this.#shapeOfNode[at] = this.#add({ parent: -1, text: '', node: at }) + 1;
    let shape = this.#shapeOfNode[at]! - 1;
    for (let step = climbed.pop(); step !== undefined; step = climbed.pop()) {
      shape = this.#add({ parent: shape, text: this.#edgeShape(at, edgeTo[step]! - 1), node: step });
      this.#shapeOfNode[step] = shape + 1;
      at = step;
    }
    return shape;
  }

  /** From the first object that is not one of V8's roots; `node` is one of this shape. */
  text(node: number): string {
    const { graph, paths } = this.#analysis;
    const steps = pathTo(paths, node, PATH_STEPS_SHOWN);
    const start = firstOwnStep(graph, steps);
    const parts: string[] = [];
    for (const { node: at, edge } of steps.slice(start + 1)) {
      const part = edge === undefined ? '' : this.#edgeShape(nodeBefore(paths, at), edge);
      if (part !== parts.at(-1)) parts.push(part);
    }
    const shown = parts.length <= 24 ? parts : [...parts.slice(0, 12), '…', ...parts.slice(-11)];
    return nodeLabel(graph, steps[start]?.node ?? 0) + shown.join('');
  }

  #add({ parent, text, node }: { parent: number; text: string; node: number }): number {
    const classIndex = this.#analysis.classes.of(node);
    const above = this.#shapes[parent];
    if (above?.text === text && above.classIndex === classIndex) return parent;
    const key = `${parent} ${classIndex} ${text}`;
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const index = this.#shapes.push({ parent, text, classIndex }) - 1;
    this.#byKey.set(key, index);
    return index;
  }

  #edgeShape(holder: number, edge: number): string {
    const { graph } = this.#analysis;
    const text = edgeText(graph, edge);
    if (/^\[\d+\]$/.test(text)) return '[]';
    // A key that a program would not write after a dot is data, as a rule.
    if (/^\["(?!<symbol )/.test(text)) return '[key]';
    const type = graph.edgeTypeNames[graph.edgeTypes[edge]!];
    const isTable =
      type === 'property' && graph.firstEdges[holder + 1]! - graph.firstEdges[holder]! > PROPERTIES_OF_RECORD_MAX;
    return isTable && graph.nodeTypeNames[graph.types[holder]!] === 'object' && !this.#globals.has(holder)
      ? '[key]'
      : text;
  }
}

/** Longer ones are linked lists: their end tells the same. */
const PATH_STEPS_SHOWN = 10_000;
