import { ColumnPool } from './column-pool.ts';
import { essentialEdges, nodeNameOf } from './graph.ts';
import type { HeapGraph } from './graph.ts';
import { globalObjects, isNativeContext } from './globals.ts';

export interface PathStep {
  readonly node: number;
  /** The edge that leads to it from the step before; undefined for the root's own. */
  readonly edge: number | undefined;
}

/** From every node towards the root, by the edge that reached it first. 4 bytes per node. */
export interface ShortestPaths {
  /** Per node: the edge that reached it, plus one; 0 for the root itself, and for what is not reached. */
  readonly edgeTo: Uint32Array;
  /** The graph's: they tell whose edge it is. */
  readonly firstEdges: Uint32Array;
  /** With the root. */
  readonly reachedCount: number;
}

/** The node before this one on its path; the root for itself, and for what is not reached. */
export function nodeBefore({ edgeTo, firstEdges }: ShortestPaths, node: number): number {
  if (edgeTo[node] === 0) return 0;
  const edge = edgeTo[node]! - 1;
  let low = 0;
  let high = firstEdges.length - 1;
  // The last whose edges begin there or earlier: those before it that begin at the same one have none.
  while (low + 1 < high) {
    const middle = (low + high) >>> 1;
    if (firstEdges[middle]! <= edge) low = middle;
    else high = middle;
  }
  return low;
}

/**
 * Breadth first over essential edges, in three rounds: what a program writes first (properties, variables, contents of collections,
 * from the global objects and from V8's roots), then V8's bookkeeping (hidden classes, code, prototypes), then the rest. A
 * path through a hidden class is shorter than the one through a program's own variable, and says nothing.
 */
export function findShortestPaths(graph: HeapGraph, pool = new ColumnPool(graph.nodeCount)): ShortestPaths {
  const { firstEdges, edgeTypes, edgeTargets, edgeNames, types } = graph;
  const { weak, shortcut } = essentialEdges(graph);
  const edgeTo = pool.take();
  const order = pool.take();
  const edgeRound = edgeRounds(graph);
  const nodeRound = Uint8Array.from(graph.nodeTypeNames, (type) => (bookkeepingTypes.has(type) ? 2 : 1));
  const isTemporary = temporaryRoots(graph);
  let length = 1;
  // First of all, so that what a program hangs on them is reached through them.
  for (const { edges } of globalObjects(graph)) {
    for (const edge of edges) {
      const target = edgeTargets[edge]!;
      if (edgeTo[target] !== 0 || target === 0) continue;
      edgeTo[target] = edge + 1;
      order[length++] = target;
    }
  }
  for (let round = 1; round <= 3; round++) {
    for (let at = 0; at < length; at++) {
      const node = order[at]!;
      if ((round < 3 && isTemporary(node)) || nodeRound[types[node]!]! > round) continue;
      const end = firstEdges[node + 1]!;
      for (let edge = firstEdges[node]!; edge < end; edge++) {
        const target = edgeTargets[edge]!;
        if (edgeTo[target] !== 0 || target === 0) continue;
        const type = edgeTypes[edge]!;
        if (type === weak || target === node || (type === shortcut && node !== 0)) continue;
        if (round < 3 && (nodeRound[types[target]!]! > round || edgeRound(type, edgeNames[edge]!) > round)) continue;
        edgeTo[target] = edge + 1;
        order[length++] = target;
      }
    }
  }
  pool.give(order);
  return { edgeTo, firstEdges, reachedCount: length };
}

const bookkeepingTypes: ReadonlySet<string> = new Set(['code', 'object shape', 'hidden']);
const bookkeepingEdges: ReadonlySet<string> = new Set([
  'map',
  '__proto__',
  'prototype',
  'constructor',
  'shared',
  'code',
  'feedback_cell',
  'initial_map',
  'native_context',
  'scope_info',
]);

/** 1 for edges that a program makes, 2 for those that V8 makes for itself. */
function edgeRounds(graph: HeapGraph): (type: number, name: number) => number {
  const isIndex = graph.edgeTypeNames.map((type) => type === 'element' || type === 'hidden');
  const hidden = graph.edgeTypeNames.indexOf('hidden');
  const known = new Uint8Array(graph.strings.length);
  return (type, name) => {
    if (isIndex[type]!) return type === hidden ? 2 : 1;
    const round = known[name]!;
    if (round !== 0) return round;
    return (known[name] = bookkeepingEdges.has(graph.strings.text(name)) ? 2 : 1);
  };
}

/** Stacks, handles and compilations of the moment when the snapshot was taken: they hold what a function just works on. */
function temporaryRoots(graph: HeapGraph): (node: number) => boolean {
  const synthetic = graph.nodeTypeNames.indexOf('synthetic');
  const found = new Set<number>();
  for (let node = 0; node < graph.nodeCount; node++) {
    if (graph.types[node] !== synthetic) continue;
    if (temporaryNames.has(nodeNameOf(graph, node))) found.add(node);
  }
  return (node) => found.has(node);
}

const temporaryNames: ReadonlySet<string> = new Set([
  '(Stack roots)',
  '(Handle scope)',
  '(Relocatable)',
  // What the optimizing compiler looks at just then (Node 26).
  '(Identity map)',
  '(Micro tasks)',
  '(Compilation cache)',
  'C++ native stack roots',
]);

/** From the root to `node`, both included; only `node` when the root does not hold it. `max` steps at the end of it. */
export function pathTo(paths: ShortestPaths, node: number, max = 10_000): PathStep[] {
  const steps: PathStep[] = [];
  for (let at = node; steps.length < max; at = nodeBefore(paths, at)) {
    const edge = paths.edgeTo[at]!;
    steps.push({ node: at, edge: edge === 0 ? undefined : edge - 1 });
    if (edge === 0) break;
  }
  return steps.reverse();
}

/** `.user`, `["content-type"]`, `[12]`: how DevTools and a program would write it. */
export function edgeText(graph: HeapGraph, edge: number): string {
  const type = graph.edgeTypeNames[graph.edgeTypes[edge]!]!;
  const name = graph.edgeNames[edge]!;
  if (type === 'element' || type === 'hidden') return `[${name}]`;
  const text = graph.strings.text(name);
  if (/^\d+$/.test(text)) return `[${text}]`;
  if (type === 'property' && !/^(?:<symbol .*>|(?:[gs]et )?[\p{ID_Start}$_#][\p{ID_Continue}$#.]*)$/su.test(text))
    return `[${JSON.stringify(text)}]`;
  return `.${shortEphemeron(text)}`;
}

/** V8 tells both sides of a WeakMap's entry: `4 / part of key (Object @7) -> value (Session @9) pair in WeakMap (table @5)`. */
function shortEphemeron(text: string): string {
  return text.includes('part of key (') ? 'value of a WeakMap entry' : text;
}

/**
 * `Map.table[12].value`: the first object that is not one of V8's roots, then how to get on from it. Parts that repeat
 * (a linked list) are written once, with `…`; so are those beyond 24.
 */
export function pathText(graph: HeapGraph, steps: readonly PathStep[]): string {
  const start = firstOwnStep(graph, steps);
  const first = steps[start];
  if (first === undefined) return nodeLabel(graph, 0);
  const parts = steps.slice(start + 1).map(({ edge }) => (edge === undefined ? '' : edgeText(graph, edge)));
  return nodeLabel(graph, first.node) + foldRepeats(parts).join('');
}

function foldRepeats(parts: readonly string[]): string[] {
  const folded = parts.filter((part, index) => part !== parts[index - 1] || part !== parts[index - 2]);
  const marked = folded.length === parts.length ? folded : [...folded.slice(0, -1), '…', ...folded.slice(-1)];
  return marked.length <= 24 ? marked : [...marked.slice(0, 12), '…', ...marked.slice(-11)];
}

/** Past `(GC roots)` and its kind, and past the context of a global object. */
export function firstOwnStep(graph: HeapGraph, steps: readonly PathStep[]): number {
  const synthetic = graph.nodeTypeNames.indexOf('synthetic');
  const found = steps.findIndex(({ node }) => graph.types[node] !== synthetic);
  if (found === -1) return steps.length - 1;
  const [first, second] = [steps[found]!, steps[found + 1]];
  const isContext =
    second?.edge !== undefined &&
    isNativeContext(graph, first.node) &&
    edgeText(graph, second.edge) === '.global_object';
  return isContext ? found + 1 : found;
}

/** A node in one or two words; contents of strings are not shown. */
export function nodeLabel(graph: HeapGraph, node: number): string {
  const type = graph.nodeTypeNames[graph.types[node]!]!;
  if (type.endsWith('string')) return '(string)';
  const name = nodeNameOf(graph, node);
  if (type === 'closure') return `${name === '' ? '(anonymous)' : name}()`;
  // Node 26: `global (global*)`; with an inspector `global / `; Chrome: `Window [JSGlobalObject] / https://example.org`.
  return name === ''
    ? `(${type})`
    : name.replace(/^(global|Window)(?: \(global\*?\)| \[JSGlobalObject\])?(?: \/ .*)?$/, '$1');
}
