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

/** Where functions are written. Made once per graph. */
export class FunctionPlaces {
  readonly #graph: HeapGraph;
  /** Entries of `locations` in the order of their nodes. */
  readonly #byNode: Uint32Array;
  readonly #urlOfScript = new Map<number, string>();
  readonly #closure: number;
  readonly #internal: number;

  constructor(graph: HeapGraph) {
    this.#graph = graph;
    this.#closure = graph.nodeTypeNames.indexOf('closure');
    this.#internal = graph.edgeTypeNames.indexOf('internal');
    const { nodes, scriptIds } = graph.locations;
    this.#byNode = Uint32Array.from(nodes.keys());
    if (nodes.some((node, index) => index > 0 && node < nodes[index - 1]!)) {
      this.#byNode.sort((a, b) => nodes[a]! - nodes[b]!);
    }
    for (let index = 0; index < nodes.length; index++) {
      const node = nodes[index]!;
      if (this.#urlOfScript.has(scriptIds[index]!)) continue;
      const url = this.#scriptOf(node);
      if (url !== undefined) this.#urlOfScript.set(scriptIds[index]!, url);
    }
  }

  /** Undefined for what is no function. */
  of(node: number): FunctionPlace | undefined {
    if (this.#graph.types[node] !== this.#closure) return undefined;
    const location = this.#locationOf(node);
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

  #locationOf(node: number): number | undefined {
    const { nodes } = this.#graph.locations;
    let low = 0;
    let high = this.#byNode.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (nodes[this.#byNode[middle]!]! < node) low = middle + 1;
      else high = middle;
    }
    const found = this.#byNode[low];
    return found !== undefined && nodes[found] === node ? found : undefined;
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
