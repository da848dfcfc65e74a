import { describe, expect, test } from 'vitest';
import { analyseHeap } from '../../protocol/heap-snapshot/analyse.ts';
import type { HeapAnalysis } from '../../protocol/heap-snapshot/analyse.ts';
import { describeObject, fieldsOf, retainersOf } from '../../protocol/heap-snapshot/explore.ts';
import { heapSummaryText } from '../../protocol/heap-snapshot/report.ts';
import { retainersOfClass } from '../../protocol/heap-snapshot/retainer-groups.ts';
import { pathText, pathTo } from '../../protocol/heap-snapshot/paths.ts';
import { summarizeHeap } from '../../protocol/heap-snapshot/summary.ts';
import { nodeVersions } from '../support/node-versions.ts';
import { readSnapshot } from './snapshots.ts';
import { takeSnapshots } from './take.ts';

describe.each(nodeVersions.map(({ major }) => major))('a snapshot of Node %i', (node) => {
  let analysis: HeapAnalysis;
  test('is analysed: sizes add up, every object has a dominator that is nearer to the root', async () => {
    const [bytes] = await takeSnapshots('planted', { node });
    const graph = readSnapshot(bytes!, 1_000_003);
    analysis = analyseHeap(graph);
    const { histogram, types, dominated } = analysis;
    const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
    const selfBytes = sum(types.map((type) => type.selfBytes));
    expect(dominated.retainedSizes[0]).toBe(selfBytes);
    expect(sum(histogram.map((entry) => entry.selfBytes))).toBe(selfBytes);
    expect(sum(histogram.map(({ count }) => count))).toBe(graph.nodeCount);
    const twin = iterativeDominators(analysis);
    expect(twin.flatMap((dominator, at) => (dominator === dominated.dominators[at] ? [] : [at]))).toEqual([]);
  });

  test('has the planted class, and the way to it is written as a program would', () => {
    const sessions = analysis.histogram.find(({ name }) => name === 'Session');
    expect(sessions?.count).toBe(2_030);
    expect(sessions!.retainedBytes).toBeGreaterThan(sessions!.selfBytes + 2_030 * 16);
    const held = retainersOfClass(analysis, 'Session');
    expect(held?.groups.map(({ path, count }) => [path, count])).toEqual([
      ['global.planted.cache.table[]', 2_000],
      ['global.planted.byName[key]', 30],
    ]);
    expect(held?.groups[0]?.example).toMatch(/^global\.planted\.cache\.table\[\d+\]$/);
    expect(held?.groups[1]?.example).toMatch(/^global\.planted\.byName\["name-\d+"\]$/);
  });

  test('says what is worth a look', () => {
    const { hints, duplicates } = summarizeHeap(analysis, 50);
    const texts = hints.map(({ text, path }) => `${text} | ${path}`);
    for (const expected of [
      /^Map with \d{4} references in it \| global\.planted\.cache$/,
      /^30 listeners of "data" \| global\.planted\.emitter\._events\.data$/,
      /^1500 closures of \(anonymous\) planted\.mjs:\d+ \| global\.planted\.handlers\[/,
      /^150 timers of tick planted\.mjs:\d+ \|/,
      /^20\d pending promises that something waits for \| /,
      /^Array with 1500 elements \| global\.planted\.handlers$/,
      /^\d+ JavaScript contexts/,
    ]) {
      expect(texts).toContainEqual(expect.stringMatching(expected));
    }
    expect(duplicates.find(({ text }) => text.startsWith('a note that is'))).toMatchObject({ count: 25 });
  });

  test('an object opens to its fields and to those who hold it', () => {
    const node = analysis.graph.ids.findIndex(
      (_, at) => pathText(analysis.graph, pathTo(analysis.paths, at)) === 'global.planted.byName["name-7"]',
    );
    expect(describeObject(analysis, node)).toMatchObject({ className: 'Session', type: 'object', name: 'Session' });
    const fields = fieldsOf(analysis, node).fields.map(({ edge, className }) => [edge, className]);
    expect(fields).toContainEqual(['.user', 'Object']);
    const { total, fields: holders } = retainersOf(analysis, node);
    expect(total).toBeGreaterThan(0);
    expect(holders.map(({ edge, className }) => [edge, className])).toContainEqual(['["name-7"]', 'Object']);
  });

  test('is told in fewer than 200 short lines, the same each time', () => {
    const text = heapSummaryText(summarizeHeap(analysis, 200));
    expect(text.split('\n').length).toBeLessThan(200);
    expect(text.split('\n').filter((line) => line.length > 160)).toEqual([]);
    expect(text).toMatch(/\n +\d.* +2030 +Session\n/);
    expect(heapSummaryText(summarizeHeap(analysis, 200))).toBe(text);
    expect(classRowsOf(text)).toEqual({ said: 30, shown: 30 });
    expect(classRowsOf(heapSummaryText(summarizeHeap(analysis, 60), { rows: 60 }))).toEqual({ said: 60, shown: 60 });
  });
});

function classRowsOf(text: string): { said: number; shown: number } {
  const [, said = '', rows = ''] = /\nClasses by retained size \((\d+) of \d+\)\n.*\n((?:.+\n)+)\n/.exec(text) ?? [];
  return { said: Number(said), shown: rows.split('\n').length - 1 };
}

const unknown = -1;

/** Cooper, Harvey and Kennedy's: another algorithm, over the same edges. */
function iterativeDominators({ graph, retainers, dominated }: HeapAnalysis): number[] {
  // By their depth: any order that has each behind its dominator.
  const depths = new Int32Array(graph.nodeCount).fill(unknown);
  depths[0] = 0;
  for (let start = 1; start < graph.nodeCount; start++) {
    const climbed: number[] = [];
    let above = start;
    for (; depths[above] === unknown; above = dominated.dominators[above]!) climbed.push(above);
    for (let depth = depths[above]! + 1; climbed.length > 0; depth++) depths[climbed.pop()!] = depth;
  }
  const order = [...graph.ids.keys()].sort((a, b) => depths[a]! - depths[b]! || a - b);
  const number = new Uint32Array(graph.nodeCount);
  order.forEach((node, index) => (number[node] = index));
  const reached = new Set([0]);
  const weak = graph.edgeTypeNames.indexOf('weak');
  const shortcut = graph.edgeTypeNames.indexOf('shortcut');
  for (const node of reached) {
    for (let edge = graph.firstEdges[node]!; edge < graph.firstEdges[node + 1]!; edge++) {
      const type = graph.edgeTypes[edge];
      if (type !== weak && (type !== shortcut || node === 0)) reached.add(graph.edgeTargets[edge]!);
    }
  }
  const doms = new Int32Array(graph.nodeCount).fill(unknown);
  doms[0] = 0;
  const meet = (a: number, b: number): number => {
    let [x, y] = [a, b];
    while (x !== y) {
      if (number[x]! > number[y]!) x = doms[x]!;
      else y = doms[y]!;
    }
    return x;
  };
  for (let isChanged = true; isChanged;) {
    isChanged = false;
    for (const node of order) {
      if (node === 0) continue;
      // Unreached nodes hang on the root: those without holder, and the first of each cycle.
      let found = unknown;
      if (!reached.has(node) && dominated.dominators[node] === 0) found = 0;
      for (let at = retainers.firstHolders[node]!; at < retainers.firstHolders[node + 1]!; at++) {
        const holder = retainers.holders[at]!;
        if (doms[holder] === unknown || (reached.has(node) && !reached.has(holder))) continue;
        found = found === unknown ? holder : meet(found, holder);
      }
      if (found !== unknown && doms[node] !== found) {
        doms[node] = found;
        isChanged = true;
      }
    }
  }
  return [...doms];
}
