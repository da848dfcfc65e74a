import type { HeapAnalysis } from './analyse.ts';
import type { HeapClass } from './classes.ts';
import { selfSizeOf } from './graph.ts';
import { chainLengths, FRESH, STAYED } from './growing-chains.ts';
import { IdSet } from './id-set.ts';
import { PathShapes } from './path-shapes.ts';
import { pathText, pathTo } from './paths.ts';

/** What is kept of an earlier snapshot: its graph can be dropped. About 9 bytes per node. */
export interface DiffBase {
  readonly ids: Uint32Array;
  readonly known: IdSet;
  readonly classOfNode: Uint32Array;
  readonly classNames: readonly string[];
  readonly selfSizes: Float64Array | Uint32Array;
  readonly histogram: readonly HeapClass[];
}

export interface ClassChange {
  readonly name: string;
  /** One per snapshot, the first one first; 0 where there is none. */
  readonly counts: readonly number[];
  readonly selfBytes: readonly number[];
  readonly retainedBytes: readonly number[];
  /** In the last, not in the first. */
  readonly newCount: number;
  readonly newBytes: number;
  /** In the first, not in the last. */
  readonly freedCount: number;
  readonly freedBytes: number;
  /** Never fewer, and more at last, in each snapshot of three: what neither a burst nor a cache that is full does. */
  readonly isGrowingSteadily: boolean;
}

/** New objects that are held the same way. Those that a new one holds are within its retained size. */
export interface GrownPath {
  readonly className: string;
  /** `global.cache.table[]` */
  readonly path: string;
  /** The way to one of them: `global.cache.table[12]`. */
  readonly example: string;
  readonly exampleId: number;
  readonly count: number;
  readonly retainedBytes: number;
  /** Of three snapshots: new ones of its class that hang on each other, as in a list, where few stand for many; else 0. */
  readonly chainedCount: number;
  /**
   * With three snapshots: its class grows steadily, and at least `SUSPECT_COUNT` of them stayed, side by side or in a chain
   * that went on growing. Never with two.
   */
  readonly isSuspect: boolean;
}

export interface HeapDiff {
  readonly snapshots: number;
  readonly totals: {
    readonly newCount: number;
    readonly newBytes: number;
    readonly freedCount: number;
    readonly freedBytes: number;
    readonly survivedCount: number;
    readonly survivedBytes: number;
  };
  /** Only those that changed; the most new retained bytes first. */
  readonly classes: readonly ClassChange[];
  readonly grown: readonly GrownPath[];
}

/** Fewer of one kind may be anything. */
export const SUSPECT_COUNT = 100;

export function asDiffBase({ graph, classes, histogram }: HeapAnalysis): DiffBase {
  const classOfNode = new Uint32Array(graph.nodeCount);
  for (let node = 0; node < graph.nodeCount; node++) classOfNode[node] = classes.of(node);
  return {
    ids: graph.ids,
    known: new IdSet(graph.ids),
    classOfNode,
    classNames: Array.from({ length: classes.count }, (_, index) => classes.name(index)),
    selfSizes:
      graph.hugeSizes.size === 0
        ? graph.selfSizes
        : Float64Array.from(graph.selfSizes.keys(), (node) => selfSizeOf(graph, node)),
    histogram,
  };
}

/**
 * Compares one or two earlier snapshots of a process with its last. New is what the last has and the first has not; with
 * three, only what the second has too counts as grown: what came and went between two snapshots is no leak.
 */
export function diffSnapshots(
  bases: readonly [DiffBase] | readonly [DiffBase, DiffBase],
  last: HeapAnalysis,
): HeapDiff {
  const [first, middle] = bases;
  const { graph } = last;
  const isNew = new Uint8Array(graph.nodeCount);
  const changes = new ClassChanges();
  const totals = { newCount: 0, newBytes: 0, freedCount: 0, freedBytes: 0, survivedCount: 0, survivedBytes: 0 };
  for (let node = 0; node < graph.nodeCount; node++) {
    const size = selfSizeOf(graph, node);
    if (first.known.has(graph.ids[node]!)) {
      totals.survivedCount++;
      totals.survivedBytes += size;
      continue;
    }
    totals.newCount++;
    totals.newBytes += size;
    changes.addNew(last.classes.nameOf(node), size);
    isNew[node] = middle === undefined || middle.known.has(graph.ids[node]!) ? STAYED : FRESH;
  }
  const now = new IdSet(graph.ids);
  first.ids.forEach((id, node) => {
    if (now.has(id)) return;
    totals.freedCount++;
    totals.freedBytes += first.selfSizes[node]!;
    changes.addFreed(first.classNames[first.classOfNode[node]!]!, first.selfSizes[node]!);
  });
  const classes = changes.list([...bases.map(({ histogram }) => histogram), last.histogram]);
  const steady = new Set(classes.filter(({ isGrowingSteadily }) => isGrowingSteadily).map(({ name }) => name));
  const groups = groupByPath(last, isNew);
  const isFew = groups.map(({ nodes, className }) => nodes.length < SUSPECT_COUNT && steady.has(className));
  const lengths = [
    ...chainLengths(
      last,
      isNew,
      middle === undefined ? [] : groups.filter((_, at) => isFew[at]).map(({ nodes }) => nodes),
    ),
  ];
  return {
    snapshots: bases.length + 1,
    totals,
    classes,
    grown: groups.map(({ nodes: _, ...group }, at) => {
      const chainedCount = isFew[at] ? (lengths.shift() ?? 0) : 0;
      const stayedCount = Math.max(group.count, chainedCount);
      return {
        ...group,
        chainedCount,
        isSuspect:
          middle !== undefined &&
          stayedCount >= SUSPECT_COUNT &&
          steady.has(group.className) &&
          // Held by V8 itself: its table of internalized strings.
          group.path !== group.className,
      };
    }),
  };
}

class ClassChanges {
  readonly #byName = new Map<string, { newCount: number; newBytes: number; freedCount: number; freedBytes: number }>();

  addNew(name: string, bytes: number): void {
    const change = this.#of(name);
    change.newCount++;
    change.newBytes += bytes;
  }

  addFreed(name: string, bytes: number): void {
    const change = this.#of(name);
    change.freedCount++;
    change.freedBytes += bytes;
  }

  list(histograms: readonly (readonly HeapClass[])[]): ClassChange[] {
    const byName = histograms.map((classes) => new Map(classes.map((entry) => [entry.name, entry])));
    const changes = [...this.#byName].map(([name, change]) => {
      const column = (field: 'count' | 'selfBytes' | 'retainedBytes'): number[] =>
        byName.map((classes) => classes.get(name)?.[field] ?? 0);
      const counts = column('count');
      return {
        name,
        counts,
        selfBytes: column('selfBytes'),
        retainedBytes: column('retainedBytes'),
        ...change,
        isGrowingSteadily:
          counts.length > 2 && counts.every((count, index) => index === 0 || count > counts[index - 1]!),
      };
    });
    return changes.sort(
      (a, b) =>
        growth(b.retainedBytes) - growth(a.retainedBytes) ||
        growth(b.selfBytes) - growth(a.selfBytes) ||
        (a.name < b.name ? -1 : 1),
    );
  }

  #of(name: string) {
    let change = this.#byName.get(name);
    if (change === undefined) {
      change = { newCount: 0, newBytes: 0, freedCount: 0, freedBytes: 0 };
      this.#byName.set(name, change);
    }
    return change;
  }
}

export function growth(values: readonly number[]): number {
  return values.at(-1)! - values[0]!;
}

/**
 * Only the topmost new objects are grouped, those that no new one holds. Arrays that a Map, an Array or an object keeps its
 * contents in are looked through: growing replaces them. V8's own structures are left out.
 */
function groupByPath(
  last: HeapAnalysis,
  isNew: Uint8Array,
): (Omit<GrownPath, 'isSuspect' | 'chainedCount'> & { nodes: readonly number[] })[] {
  const { graph, dominated, classes, paths } = last;
  const isOwn = graph.nodeTypeNames.map((type) => !bookkeeping.has(type));
  const array = graph.nodeTypeNames.indexOf('array');
  const isCarrier = (node: number): boolean =>
    graph.types[node] === array && selfSizeOf(graph, node) * 2 < dominated.retainedSizes[node]!;
  const shapes = new PathShapes(last);
  const groups = new Map<number, { node: number; nodes: number[]; count: number; retainedBytes: number }>();
  for (let node = 1; node < graph.nodeCount; node++) {
    if (isNew[node] !== STAYED || paths.edgeTo[node] === 0 || !isOwn[graph.types[node]!]! || isCarrier(node)) continue;
    let above = dominated.dominators[node]!;
    while (above !== 0 && isCarrier(above)) above = dominated.dominators[above]!;
    if (isNew[above] === STAYED) continue;
    const shape = shapes.of(node);
    const group = groups.get(shape);
    if (group === undefined) {
      groups.set(shape, { node, nodes: [node], count: 1, retainedBytes: dominated.retainedSizes[node]! });
    } else {
      group.count++;
      if (group.nodes.length < SUSPECT_COUNT) group.nodes.push(node);
      group.retainedBytes += dominated.retainedSizes[node]!;
    }
  }
  return [...groups.values()]
    .sort((a, b) => b.retainedBytes - a.retainedBytes || a.node - b.node)
    .slice(0, GROUPS_MAX)
    .map(({ node, nodes, count, retainedBytes }) => ({
      nodes,
      className: classes.nameOf(node),
      path: shapes.text(node),
      example: pathText(graph, pathTo(paths, node)),
      exampleId: graph.ids[node]!,
      count,
      retainedBytes,
    }));
}

const bookkeeping: ReadonlySet<string> = new Set(['code', 'hidden', 'object shape', 'synthetic']);
const GROUPS_MAX = 1_000;
