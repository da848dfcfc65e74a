import type { HeapAnalysis } from './analyse.ts';
import { placeText } from './functions.ts';
import { isContextName } from './globals.ts';
import { nodeNameOf } from './graph.ts';
import type { HeapGraph } from './graph.ts';
import { pathText, pathTo } from './paths.ts';

export type HintKind =
  | 'large-collection'
  | 'large-array'
  | 'large-object'
  | 'listeners'
  | 'timers'
  | 'pending-promises'
  | 'closures'
  | 'contexts'
  | 'detached';

/** Something in one snapshot that often is a leak, and as often is not: a place to look at. */
export interface HeapHint {
  readonly kind: HintKind;
  /** `Map with 20000 references`, `30 listeners of "data"`. */
  readonly text: string;
  readonly count: number;
  readonly retainedBytes: number;
  /** The way to it, or to one of them. */
  readonly path: string;
  /** Of what the way leads to. */
  readonly exampleId: number;
}

/** From how many on it is worth a look. Node warns from 11 listeners on; the rest is well above what Node's own start makes. */
const leastOf: Readonly<Record<HintKind, number>> = {
  'large-collection': 1_000,
  'large-array': 1_000,
  'large-object': 1_000,
  listeners: 11,
  timers: 100,
  'pending-promises': 100,
  closures: 1_000,
  contexts: 2,
  // Node marks a dozen objects of its own.
  detached: 50,
};

/** So many in one collection, or of one place, are worth a look when they hold this share of all. */
const isMeasuredBySize: ReadonlySet<HintKind> = new Set([
  'large-collection',
  'large-array',
  'large-object',
  'closures',
]);
const FEW = 50;
const MUCH_OF_THE_HEAP = 0.05;

interface Found {
  readonly kind: HintKind;
  readonly text: (count: number) => string;
  count: number;
  retainedBytes: number;
  node: number;
}

/** The `perKind` largest of each kind, by what they retain. One pass over nodes and edges. */
export function findHints(analysis: HeapAnalysis, perKind = 5): HeapHint[] {
  const { graph, dominated } = analysis;
  const wholeBytes = dominated.retainedSizes[0]!;
  const found = [...collections(analysis), ...groups(analysis)].filter(
    ({ kind, count, retainedBytes }) =>
      count >= leastOf[kind] ||
      (isMeasuredBySize.has(kind) && count >= FEW && retainedBytes > wholeBytes * MUCH_OF_THE_HEAP),
  );
  const detached = graph.detachedNodes;
  if (detached.length > 0) {
    found.push({
      kind: 'detached',
      text: (count) => `${count} detached nodes of the embedder`,
      count: detached.length,
      retainedBytes: detached.reduce((sum, node) => sum + dominated.retainedSizes[node]!, 0),
      node: detached[0]!,
    });
  }
  return [...Map.groupBy(found, ({ kind }) => kind).values()]
    .flatMap((ofKind) => ofKind.sort((a, b) => b.retainedBytes - a.retainedBytes || a.node - b.node).slice(0, perKind))
    .sort((a, b) => b.retainedBytes - a.retainedBytes || a.node - b.node)
    .map(({ kind, text, count, retainedBytes, node }) => ({
      kind,
      text: text(count),
      count,
      retainedBytes,
      path: pathText(graph, pathTo(analysis.paths, node)),
      exampleId: graph.ids[node]!,
    }));
}

/** Objects that hold much themselves. */
function* collections({ graph, dominated }: HeapAnalysis): Generator<Found> {
  const object = graph.nodeTypeNames.indexOf('object');
  const [element, property] = [graph.edgeTypeNames.indexOf('element'), graph.edgeTypeNames.indexOf('property')];
  const names = edgeNames(graph);
  for (let node = 0; node < graph.nodeCount; node++) {
    if (graph.types[node] !== object) continue;
    let elements = 0;
    let properties = 0;
    const found = (kind: HintKind, count: number, text: Found['text']): Found => ({
      kind,
      text,
      count,
      retainedBytes: dominated.retainedSizes[node]!,
      node,
    });
    for (let edge = graph.firstEdges[node]!; edge < graph.firstEdges[node + 1]!; edge++) {
      const type = graph.edgeTypes[edge];
      if (type === element) elements++;
      else if (type === property) {
        properties++;
        if (names(edge) === '_events') yield* listeners(graph, dominated.retainedSizes, graph.edgeTargets[edge]!);
      } else if (names(edge) === 'table') {
        const table = graph.edgeTargets[edge]!;
        const references = graph.firstEdges[table + 1]! - graph.firstEdges[table]!;
        const name = nodeNameOf(graph, node);
        yield found('large-collection', references, (count) => `${name} with ${count} references in it`);
      }
    }
    const name = nodeNameOf(graph, node);
    if (elements >= FEW) yield found('large-array', elements, (count) => `${name} with ${count} elements`);
    if (properties >= FEW) yield found('large-object', properties, (count) => `${name} with ${count} properties`);
  }
}

/** Node's EventEmitter: `_events` has one function or an array of them per event. */
function* listeners(graph: HeapGraph, retainedSizes: Float64Array, events: number): Generator<Found> {
  const [element, property] = [graph.edgeTypeNames.indexOf('element'), graph.edgeTypeNames.indexOf('property')];
  for (let edge = graph.firstEdges[events]!; edge < graph.firstEdges[events + 1]!; edge++) {
    if (graph.edgeTypes[edge] !== property) continue;
    const list = graph.edgeTargets[edge]!;
    let count = 0;
    for (let at = graph.firstEdges[list]!; at < graph.firstEdges[list + 1]!; at++) {
      if (graph.edgeTypes[at] === element) count++;
    }
    if (count < leastOf.listeners) continue;
    const event = graph.strings.text(graph.edgeNames[edge]!);
    yield {
      kind: 'listeners',
      text: (total) => `${total} listeners of ${JSON.stringify(event)}`,
      count,
      retainedBytes: retainedSizes[list]!,
      node: list,
    };
  }
}

/** Objects that are many of one kind. */
function groups(analysis: HeapAnalysis): Iterable<Found> {
  const { graph, dominated, functions } = analysis;
  const byKey = new Map<string, Found>();
  const add = (
    kind: HintKind,
    node: number,
    { what, isWithin = false }: { what: string; isWithin?: boolean },
  ): void => {
    const retainedBytes = isWithin ? 0 : dominated.retainedSizes[node]!;
    const key = `${kind} ${what}`;
    const known = byKey.get(key);
    if (known === undefined) {
      byKey.set(key, {
        kind,
        text: (count) => `${count} ${what}`,
        count: 1,
        retainedBytes,
        node,
      });
    } else {
      known.count++;
      known.retainedBytes += retainedBytes;
    }
  };
  const names = edgeNames(graph);
  const [object, closure] = [graph.nodeTypeNames.indexOf('object'), graph.nodeTypeNames.indexOf('closure')];
  const isNamed = nameMatcher(graph, (name) => callbackOwners.has(name) || isContextName(name));
  const target = (node: number, name: string): number | undefined => {
    for (let edge = graph.firstEdges[node]!; edge < graph.firstEdges[node + 1]!; edge++) {
      if (names(edge) === name) return graph.edgeTargets[edge]!;
    }
    return undefined;
  };
  const textOf = closurePlaces(analysis);
  const isBelow = (text: string, node: number): boolean => {
    let above = dominated.dominators[node]!;
    for (let asked = 0; above !== 0 && asked < DOMINATORS_ASKED; asked++) {
      if (textOf(above) === text) return true;
      above = dominated.dominators[above]!;
    }
    return false;
  };
  for (let node = 0; node < graph.nodeCount; node++) {
    const type = graph.types[node];
    if (type === closure) {
      const text = textOf(node);
      // Each of a chain of functions retains those before it: only the topmost counts.
      if (text !== undefined) add('closures', node, { what: `closures of ${text}`, isWithin: isBelow(text, node) });
      continue;
    }
    const name = isNamed(node);
    if (name === undefined) continue;
    if (isContextName(name)) add('contexts', node, { what: 'JavaScript contexts (vm, realms)' });
    else if (type !== object) continue;
    else if (name === 'Promise') {
      const reactions = target(node, 'reactions_or_result');
      if (reactions === undefined || nodeNameOf(graph, reactions) !== 'system / PromiseReaction') continue;
      add('pending-promises', node, { what: 'pending promises that something waits for' });
    } else {
      const callback = target(node, name === 'Timeout' ? '_onTimeout' : '_onImmediate');
      const place = callback === undefined ? undefined : functions.of(callback);
      if (place !== undefined) add('timers', node, { what: `timers of ${placeText(place)}` });
    }
  }
  return byKey.values();
}

/** `wrapHandler app.js:8` of closures whose place is known; each place is written once. */
function closurePlaces({ graph, functions }: HeapAnalysis): (node: number) => string | undefined {
  const closure = graph.nodeTypeNames.indexOf('closure');
  const texts = new Map<number, string | undefined>();
  return (node) => {
    if (graph.types[node] !== closure) return undefined;
    if (!texts.has(node)) {
      const place = functions.of(node);
      texts.set(node, place === undefined || place.line === 0 ? undefined : placeText(place));
    }
    return texts.get(node);
  };
}

/** How far up the dominators another closure of the same place is looked for: in a chain it is three above. */
const DOMINATORS_ASKED = 8;

const wantedEdges: ReadonlySet<string> = new Set([
  '_events',
  'table',
  'reactions_or_result',
  '_onTimeout',
  '_onImmediate',
]);

/** The name of an edge when it is one of those looked for; each name is decoded once. */
function edgeNames(graph: HeapGraph): (edge: number) => string | undefined {
  const isIndex = graph.edgeTypeNames.map((type) => type === 'element' || type === 'hidden');
  const known = new Uint8Array(graph.strings.length);
  const wanted = new Map<number, string>();
  return (edge) => {
    if (isIndex[graph.edgeTypes[edge]!]!) return undefined;
    const name = graph.edgeNames[edge]!;
    if (known[name] === 0) {
      const text = graph.strings.text(name);
      known[name] = wantedEdges.has(text) ? 2 : 1;
      if (known[name] === 2) wanted.set(name, text);
    }
    return known[name] === 2 ? wanted.get(name) : undefined;
  };
}

const callbackOwners: ReadonlySet<string> = new Set(['Timeout', 'Immediate', 'Promise']);

function nameMatcher(graph: HeapGraph, isWanted: (name: string) => boolean): (node: number) => string | undefined {
  const isString = graph.nodeTypeNames.map((type) => type.endsWith('string'));
  const known = new Uint8Array(graph.strings.length);
  const wanted = new Map<number, string>();
  return (node) => {
    if (isString[graph.types[node]!]!) return undefined;
    const name = graph.names[node]!;
    if (known[name] === 0) {
      const text = graph.strings.text(name);
      known[name] = isWanted(text) ? 2 : 1;
      if (known[name] === 2) wanted.set(name, text);
    }
    return known[name] === 2 ? wanted.get(name) : undefined;
  };
}
