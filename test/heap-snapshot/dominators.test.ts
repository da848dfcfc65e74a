import { describe, expect, test } from 'vitest';
import { analyseHeap } from '../../protocol/heap-snapshot/analyse.ts';
import { findDominators } from '../../protocol/heap-snapshot/dominators.ts';
import type { HeapGraph } from '../../protocol/heap-snapshot/graph.ts';
import { indexRetainers } from '../../protocol/heap-snapshot/retainers.ts';
import { graphOf, randomSketch } from './snapshots.ts';
import type { SketchNode } from './snapshots.ts';

function dominatorsOf(nodes: readonly SketchNode[]) {
  const graph = graphOf(nodes);
  return { graph, ...findDominators(graph, indexRetainers(graph)) };
}

test('a shared object is retained by the nearest one that all ways pass', () => {
  const { dominators, retainedSizes } = dominatorsOf([
    { type: 'synthetic', name: '', size: 0, edges: [[1]] },
    { name: 'A', size: 1, edges: [[2], [3]] },
    { name: 'B', size: 10, edges: [[4]] },
    { name: 'C', size: 100, edges: [[4]] },
    { name: 'D', size: 1_000 },
  ]);
  expect([...dominators]).toEqual([0, 0, 1, 1, 1]);
  expect([...retainedSizes]).toEqual([1_111, 1_111, 10, 100, 1_000]);
});

test('weak edges, shortcuts beside the root and self edges hold nothing', () => {
  const { dominators } = dominatorsOf([
    { type: 'synthetic', name: '', edges: [[1], [2, 'global', 'shortcut']] },
    { name: 'A', edges: [[3, 'w', 'weak'], [4, 's', 'shortcut'], [5]] },
    { name: 'B', edges: [[3], [4]] },
    { name: 'C' },
    { name: 'D' },
    { name: 'E', edges: [[5]] },
  ]);
  expect([...dominators]).toEqual([0, 0, 0, 2, 2, 1]);
});

test('what the root does not hold is attached to it, and takes nothing from what it does', () => {
  const { dominators, retainedSizes } = dominatorsOf([
    { type: 'synthetic', name: '', size: 0, edges: [[1]] },
    { name: 'A', size: 1, edges: [[2]] },
    { name: 'B', size: 2 },
    { name: 'held by nothing', size: 4, edges: [[2], [4]] },
    { name: 'only by that', size: 8 },
    { name: 'one of a cycle', size: 16, edges: [[6]] },
    { name: 'the other', size: 32, edges: [[5]] },
  ]);
  expect([...dominators]).toEqual([0, 0, 1, 0, 3, 0, 5]);
  expect([...retainedSizes]).toEqual([63, 3, 2, 12, 8, 48, 32]);
});

describe('beside a slow obvious twin', () => {
  test.each(Array.from({ length: 60 }, (_, seed) => seed))(
    'dominators and retained sizes of random graph %i',
    (seed) => {
      const nodes = randomSketch(seed, 2 + (seed % 30) * 3);
      const { graph, dominators, retainedSizes } = dominatorsOf(nodes);
      const twin = slowTwin(graph);
      expect([...retainedSizes]).toEqual(twin.retainedSizes);
      expect([...dominators]).toEqual(twin.dominators);
    },
  );

  test.each([1, 2, 3, 4, 5, 6, 7, 8])('sizes of classes without double counting, random graph %i', (seed) => {
    const graph = graphOf(randomSketch(seed * 1_000, 80));
    const { histogram, classes } = analyseHeap(graph);
    const { dominators, retainedSizes } = slowTwin(graph);
    const isBelowItsClass = (node: number): boolean => {
      for (let above = node; above !== 0;) {
        above = dominators[above]!;
        if (classes.of(above) === classes.of(node)) return true;
      }
      return false;
    };
    for (const { name, count, selfBytes, retainedBytes } of histogram) {
      const nodes = [...graph.ids.keys()].filter((node) => classes.nameOf(node) === name);
      const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
      expect({ name, count, selfBytes, retainedBytes }).toEqual({
        name,
        count: nodes.length,
        selfBytes: sum(nodes.map((node) => graph.selfSizes[node]!)),
        retainedBytes: sum(nodes.filter((node) => !isBelowItsClass(node)).map((node) => retainedSizes[node]!)),
      });
    }
  });
});

test('a linked list of a million objects needs no stack', () => {
  const length = 1_000_000;
  const { graph, dominators, retainedSizes } = dominatorsOf(
    Array.from({ length }, (_, index): SketchNode => ({
      type: index === 0 ? 'synthetic' : 'object',
      name: index === 0 ? '' : 'Item',
      size: 1,
      ...(index < length - 1 && { edges: [[index + 1, 'next']] }),
    })),
  );
  expect(retainedSizes[0]).toBe(length);
  expect(dominators[length - 1]).toBe(length - 2);
  const { histogram, paths } = analyseHeap(graph);
  expect(histogram.find(({ name }) => name === 'Item')).toEqual({
    name: 'Item',
    count: length - 1,
    selfBytes: length - 1,
    retainedBytes: length - 1,
  });
  expect(paths.reachedCount).toBe(length);
});

/** By the definition: what is no longer reached without a node is dominated by it. */
function slowTwin(graph: HeapGraph): { dominators: number[]; retainedSizes: number[] } {
  const { nodeCount } = graph;
  const weak = graph.edgeTypeNames.indexOf('weak');
  const shortcut = graph.edgeTypeNames.indexOf('shortcut');
  const targets = Array.from({ length: nodeCount }, (_, node) =>
    Array.from(
      { length: graph.firstEdges[node + 1]! - graph.firstEdges[node]! },
      (_, at) => graph.firstEdges[node]! + at,
    )
      .filter((edge) => {
        const type = graph.edgeTypes[edge];
        return type !== weak && (type !== shortcut || node === 0) && graph.edgeTargets[edge] !== node;
      })
      .map((edge) => graph.edgeTargets[edge]!),
  );
  const reach = (starts: readonly number[], without = -1): Set<number> => {
    const seen = new Set(starts.filter((node) => node !== without));
    for (const node of seen) for (const target of targets[node]!) if (target !== without) seen.add(target);
    return seen;
  };
  const reached = reach([0]);
  // What the unreached hold of the reached does not count.
  const held = new Set(targets.flat());
  const starts: number[] = [];
  const all = [...targets.keys()];
  for (const isHeld of [false, true]) {
    for (const node of all) {
      if (reach([0, ...starts]).has(node) || held.has(node) !== isHeld) continue;
      starts.push(node);
    }
  }
  for (const node of all)
    if (!reached.has(node)) targets[node] = targets[node]!.filter((target) => !reached.has(target));
  const whole = reach([0, ...starts]);
  const dominated = all.map((node) => {
    if (node === 0) return whole;
    const left = reach([0, ...starts], node);
    return new Set([...whole].filter((other) => !left.has(other)));
  });
  return {
    retainedSizes: dominated.map((set) => [...set].reduce((sum, node) => sum + graph.selfSizes[node]!, 0)),
    // The nearest of those that dominate a node is the one that dominates least.
    dominators: all.map((node) => {
      if (node === 0) return 0;
      const above = all.filter((other) => other !== node && dominated[other]!.has(node));
      return above.reduce((nearest, other) => (dominated[other]!.size < dominated[nearest]!.size ? other : nearest), 0);
    }),
  };
}
