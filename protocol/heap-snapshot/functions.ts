import { nodeNameOf } from './graph.ts';
import type { HeapGraph } from './graph.ts';

export interface FunctionPlace {
  readonly functionName: string;
  /** As V8 names the script: a path, a `file://` URL, `node:fs`; empty when the snapshot does not say. */
  readonly url: string;
  /** 1-based; 0 when unknown. */
  readonly line: number;
  readonly column: number;
}

/** Where functions are written, and the constructors of the objects for which V8 tells it. Made once per graph. */
export class FunctionPlaces {
  readonly #graph: HeapGraph;
  readonly #locationOfNode = new Map<number, number>();
  readonly #urlOfScript = new Map<number, string>();
  readonly #closure: number;
  readonly #internal: number;

  constructor(graph: HeapGraph) {
    this.#graph = graph;
    this.#closure = graph.nodeTypeNames.indexOf('closure');
    this.#internal = graph.edgeTypeNames.indexOf('internal');
    const { nodes, scriptIds } = graph.locations;
    for (let index = 0; index < nodes.length; index++) {
      const node = nodes[index]!;
      this.#locationOfNode.set(node, index);
      if (graph.types[node] !== this.#closure || this.#urlOfScript.has(scriptIds[index]!)) continue;
      const url = this.#scriptOf(node);
      if (url !== undefined) this.#urlOfScript.set(scriptIds[index]!, url);
    }
  }

  /** Of a closure: where it is written. Of an object: where its constructor is, for some. */
  of(node: number): FunctionPlace | undefined {
    const location = this.#locationOfNode.get(node);
    const isClosure = this.#graph.types[node] === this.#closure;
    if (location === undefined && !isClosure) return undefined;
    const functionName = nodeNameOf(this.#graph, node);
    if (location === undefined) return { functionName, url: this.#scriptOf(node) ?? '', line: 0, column: 0 };
    const { scriptIds, lines, columns } = this.#graph.locations;
    return {
      functionName,
      url: this.#urlOfScript.get(scriptIds[location]!) ?? '',
      line: lines[location]!,
      column: columns[location]!,
    };
  }

  /** closure -> SharedFunctionInfo -> Script, whose node V8 names by its file. */
  #scriptOf(closure: number): string | undefined {
    const shared = this.#follow(closure, sharedNames);
    const script = shared === undefined ? undefined : this.#follow(shared, scriptNames);
    if (script === undefined) return undefined;
    const name = nodeNameOf(this.#graph, script);
    return name.startsWith('system / ') || name.startsWith('(') ? undefined : name;
  }

  #follow(node: number, names: ReadonlySet<string>): number | undefined {
    const { firstEdges, edgeTypes, edgeNames, edgeTargets, strings } = this.#graph;
    for (let edge = firstEdges[node]!; edge < firstEdges[node + 1]!; edge++) {
      if (edgeTypes[edge] === this.#internal && names.has(strings.text(edgeNames[edge]!))) return edgeTargets[edge];
    }
    return undefined;
  }
}

const sharedNames: ReadonlySet<string> = new Set(['shared']);
/** The second up to Node 22. */
const scriptNames: ReadonlySet<string> = new Set(['script', 'script_or_debug_info']);

/** `onTimeout server.js:12`; `(anonymous)` where neither name nor place is known. */
export function placeText({ functionName, url, line }: FunctionPlace): string {
  const file = url.slice(Math.max(url.lastIndexOf('/'), url.lastIndexOf('\\')) + 1);
  const place = file === '' ? '' : ` ${file}${line > 0 ? `:${line}` : ''}`;
  return `${functionName === '' ? '(anonymous)' : functionName}${place}`;
}
