import type { HeapAnalysis } from './analyse.ts';
import { ClassChanges, diffHistograms } from './class-changes.ts';
import type { ClassChange, DiffTotals } from './class-changes.ts';
import type { HeapClass } from './classes.ts';
import { selfSizeOf } from './graph.ts';
import { chainLengths, FRESH, STAYED } from './growing-chains.ts';
import { isSameNumbering, sampleIds } from './id-check.ts';
import type { IdSample } from './id-check.ts';
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
  readonly sample: IdSample;
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
  /**
   * Why it says less than it seems to, as a sentence. Where objects cannot be told apart, `grown` is empty, and new and freed
   * are what classes have more or fewer of.
   */
  readonly warning: string | null;
  readonly totals: DiffTotals;
  /** Only those that changed; the most new retained bytes first. */
  readonly classes: readonly ClassChange[];
  readonly grown: readonly GrownPath[];
}

/** Fewer of one kind may be anything. */
export const SUSPECT_COUNT = 100;

export function asDiffBase(analysis: HeapAnalysis): DiffBase {
  const { graph, classes, histogram } = analysis;
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
    sample: sampleIds(analysis),
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
  const histograms = [...bases.map(({ histogram }) => histogram), last.histogram];
  if (!bases.every(({ sample }) => isSameNumbering(sample, last)))
    return { snapshots: bases.length + 1, warning: newNumbers, grown: [], ...diffHistograms(histograms) };
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
  const classes = changes.list(histograms);
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
    warning: orderWarning(bases, last) ?? (totals.survivedCount < totals.freedCount / 10 ? hardlyAny : null),
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

const newNumbers =
  'Objects cannot be told apart: two processes, or an inspector session (DevTools, `sidescope why`) ended in between and V8 counts anew. Class totals hold.';
const hardlyAny = 'Hardly any object is in both: are they of one process, the earlier first?';

function orderWarning(bases: readonly DiffBase[], last: HeapAnalysis): string | undefined {
  const newest = [...bases.map(({ sample }) => sample.maxId), sampleIds(last).maxId];
  if (newest.every((id, at) => at === 0 || id >= newest[at - 1]!)) return undefined;
  return 'They are not in the order in which they were taken: the earliest goes first.';
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
