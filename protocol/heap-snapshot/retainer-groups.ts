import type { HeapAnalysis } from './analyse.ts';
import { PathShapes } from './path-shapes.ts';
import { pathText, pathTo } from './paths.ts';

/** Objects of one class that are held the same way. */
export interface RetainerGroup {
  /** `global.cache.table[]` */
  readonly path: string;
  readonly example: string;
  readonly exampleId: number;
  readonly count: number;
  readonly selfBytes: number;
  /** Without those below another of the same class. */
  readonly retainedBytes: number;
}

export interface ClassRetainers {
  readonly className: string;
  readonly count: number;
  /** Held by nothing but weakly. */
  readonly unreachedCount: number;
  readonly groups: readonly RetainerGroup[];
}

/** What holds the objects of a class, by the shape of the shortest path; undefined when there are none of that name. */
export function retainersOfClass(analysis: HeapAnalysis, className: string, limit = 20): ClassRetainers | undefined {
  const { graph, classes, dominated, paths } = analysis;
  let wanted = -1;
  for (let index = 0; index < classes.count && wanted === -1; index++) {
    if (classes.name(index) === className) wanted = index;
  }
  if (wanted === -1) return undefined;
  const shapes = new PathShapes(analysis);
  const groups = new Map<number, { node: number; count: number; selfBytes: number; retainedBytes: number }>();
  let count = 0;
  let unreachedCount = 0;
  for (let node = 0; node < graph.nodeCount; node++) {
    if (classes.of(node) !== wanted) continue;
    count++;
    if (paths.edgeTo[node] === 0 && node !== 0) {
      unreachedCount++;
      continue;
    }
    const shape = shapes.of(node);
    const group = groups.get(shape) ?? { node, count: 0, selfBytes: 0, retainedBytes: 0 };
    groups.set(shape, group);
    group.count++;
    group.selfBytes += graph.selfSizes[node]!;
    if (!isBelowItsClass(analysis, node)) group.retainedBytes += dominated.retainedSizes[node]!;
  }
  const listed = [...groups.values()]
    .sort((a, b) => b.retainedBytes - a.retainedBytes || b.count - a.count || a.node - b.node)
    .slice(0, limit);
  return {
    className,
    count,
    unreachedCount,
    groups: listed.map(({ node, ...sums }) => ({
      path: shapes.text(node),
      example: pathText(graph, pathTo(paths, node)),
      exampleId: graph.ids[node]!,
      ...sums,
    })),
  };
}

/** As far as the nearest dominators tell: a whole chain would cost the square of a list's length. */
const ANCESTORS_ASKED = 64;

function isBelowItsClass({ classes, dominated }: HeapAnalysis, node: number): boolean {
  const wanted = classes.of(node);
  let above = dominated.dominators[node]!;
  for (let asked = 0; above !== 0 && asked < ANCESTORS_ASKED; asked++) {
    if (classes.of(above) === wanted) return true;
    above = dominated.dominators[above]!;
  }
  return false;
}
