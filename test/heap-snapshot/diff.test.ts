import { describe, expect, test } from 'vitest';
import { analyseHeap } from '../../protocol/heap-snapshot/analyse.ts';
import { asDiffBase, diffSnapshots } from '../../protocol/heap-snapshot/diff.ts';
import { heapDiffText } from '../../protocol/heap-snapshot/report.ts';
import { IdSet } from '../../protocol/heap-snapshot/id-set.ts';
import { graphOf, randomNumbers, readSnapshot } from './snapshots.ts';
import type { SketchNode } from './snapshots.ts';
import { takeSnapshots } from './take.ts';

async function diffOf(program: string, node = 24) {
  const [first, second, third] = (await takeSnapshots(program, { node, count: 3 })).map((bytes) =>
    analyseHeap(readSnapshot(bytes)),
  );
  return {
    ofThree: diffSnapshots([asDiffBase(first!), asDiffBase(second!)], third!),
    ofTwo: diffSnapshots([asDiffBase(first!)], third!),
  };
}

describe.each([18, 26])('three snapshots of a process on Node %i', (node) => {
  test('nine leaks are found, each with its class and the way to it', async () => {
    const { ofThree } = await diffOf('leaks', node);
    const suspects = ofThree.grown
      .filter(({ isSuspect, className }) => isSuspect && /^(In|By)[A-Z]/.test(className))
      .map(({ className, path, count }) => `${className} ${count} ${path}`)
      .sort();
    expect(suspects).toEqual([
      'InArray 500 global.state.array[]',
      'InList 1 global.state.list.next',
      'InMap 500 global.state.map.table[]',
      'InObject 500 global.state.object[key]',
      'InSet 500 global.state.set.table[]',
    ]);
    expect(ofThree.grown.find(({ className }) => className === 'InList')?.chainedCount).toBe(500);
    // Those held by a function: the topmost new object is that function, and the class grows by as many.
    const classes = new Map(ofThree.classes.map((entry) => [entry.name, entry]));
    for (const name of ['ByListener', 'ByTimer', 'ByPromise', 'ByClosure', 'InList']) {
      expect(classes.get(name)).toMatchObject({
        counts: [500, 1_000, 1_500],
        newCount: 1_000,
        isGrowingSteadily: true,
      });
    }
    const paths = ofThree.grown.filter(({ isSuspect }) => isSuspect).map(({ path }) => path);
    for (const path of [
      /^global\.state\.emitter\._events\.event\[\]$/,
      /^global\.state\.closures\[\]$/,
      /_idle(Next|Prev)$/,
    ]) {
      expect(paths).toContainEqual(expect.stringMatching(path));
    }
    expect(heapDiffText(ofThree).split('\n').length).toBeLessThan(200);
    expect(heapDiffText(ofThree)).toMatch(/Suspects: .*\n(?:.*\n)*.* 500 InMap +global\.state\.map\.table\[\d+\] @\d+/);
  });

  test('a bounded cache, a burst, a cache that warms up and churn are no suspects', async () => {
    const { ofThree, ofTwo } = await diffOf('no-leaks', node);
    expect(ofThree.grown.filter(({ isSuspect }) => isSuspect)).toEqual([]);
    expect([ofThree.warning, ofTwo.warning]).toEqual([null, null]);
    // Two cannot tell: they show what grew, and accuse nobody.
    expect(ofTwo.grown.filter(({ isSuspect }) => isSuspect)).toEqual([]);
    expect(heapDiffText(ofTwo)).toContain('A third snapshot');
  });
});

const root = (...edges: readonly (readonly [number, string])[]): SketchNode => ({
  type: 'synthetic',
  name: '',
  id: 1,
  edges,
});

test('new, freed and survived are told by id, and only the topmost new objects are listed', () => {
  const before = analyseHeap(
    graphOf([root([1, 'a']), { name: 'Holder', id: 3, edges: [[2, 'old']] }, { name: 'Gone', id: 5, size: 100 }]),
  );
  const after = analyseHeap(
    graphOf([
      root([1, 'a']),
      { name: 'Holder', id: 3, edges: [[2, 'box']] },
      { name: 'Box', id: 7, size: 10, edges: [[3, 'content']] },
      { name: 'Content', id: 9, size: 1_000 },
    ]),
  );
  const { totals, classes, grown } = diffSnapshots([asDiffBase(before)], after);
  expect(totals).toEqual({
    newCount: 2,
    newBytes: 1_010,
    freedCount: 1,
    freedBytes: 100,
    survivedCount: 2,
    survivedBytes: 32,
  });
  expect(grown).toEqual([
    {
      className: 'Box',
      path: 'Holder.box',
      example: 'Holder.box',
      exampleId: 7,
      count: 1,
      retainedBytes: 1_010,
      chainedCount: 0,
      isSuspect: false,
    },
  ]);
  expect(classes.map(({ name, counts }) => [name, counts])).toEqual([
    ['Box', [0, 1]],
    ['Content', [0, 1]],
    ['Gone', [1, 0]],
  ]);
});

test('of three snapshots only what the second has too counts as grown', () => {
  const [first, second, third] = [[], [7], [7, 9]].map((ids) =>
    analyseHeap(
      graphOf([
        root([1, 'a']),
        { name: 'List', id: 3, edges: ids.map((_, index) => [index + 2, index] as const) },
        ...ids.map((id) => ({ name: 'Item', id })),
      ]),
    ),
  );
  const { grown, classes } = diffSnapshots([asDiffBase(first!), asDiffBase(second!)], third!);
  expect(grown.map(({ path, count, exampleId }) => [path, count, exampleId])).toEqual([['List[]', 1, 7]]);
  expect(classes[0]).toMatchObject({ name: 'Item', counts: [0, 1, 2], newCount: 2, isGrowingSteadily: true });
});

test('a large piece that is loaded once is no suspect, though its class grows; one that goes on growing is', () => {
  // Each holds the next, the newest the one before: `chain` long in the three snapshots, and a few side by side.
  const heapOf = ({ chain, others }: { chain: number; others: number }) => {
    const links = Array.from({ length: chain }, (_, at) => chain - at);
    return analyseHeap(
      graphOf([
        root([1, 'a'], [2, 'b']),
        { name: 'Holder', id: 3, edges: chain === 0 ? [] : [[3, 'last']] },
        { name: 'Others', id: 5, edges: Array.from({ length: others }, (_, at) => [3 + chain + at, at] as const) },
        ...links.map((link, at) => ({
          name: 'Link',
          id: 1_001 + 2 * link,
          edges: at === chain - 1 ? [] : [[4 + at, 'before'] as const],
        })),
        ...Array.from({ length: others }, (_, at) => ({ name: 'Link', id: 100_001 + 2 * at })),
      ]),
    );
  };
  const suspectsOf = (chains: readonly [number, number, number]) => {
    const [first, second, third] = chains.map((chain, at) => heapOf({ chain, others: at * 5 }));
    const { grown } = diffSnapshots([asDiffBase(first!), asDiffBase(second!)], third!);
    return grown.filter(({ isSuspect }) => isSuspect).map(({ path, chainedCount }) => [path, chainedCount]);
  };
  expect(suspectsOf([0, 300, 300])).toEqual([]);
  expect(suspectsOf([0, 300, 600])).toEqual([['Holder.last.before', 300]]);
  expect(suspectsOf([0, 40, 80])).toEqual([]);
});

test('snapshots of two processes are told to be that', () => {
  const other = (offset: number) =>
    analyseHeap(
      graphOf([
        { ...root([1, 'a']), id: offset },
        { name: 'A', id: offset + 1, edges: [[2]] },
        { name: 'B', id: offset + 2 },
      ]),
    );
  expect(heapDiffText(diffSnapshots([asDiffBase(other(1))], other(100)))).toContain('are they of one process');
});

test('an inspector session that ended between two snapshots is told, and only classes are compared then', async () => {
  const [first, second, third] = (await takeSnapshots('sessions', { count: 3 })).map((bytes) =>
    analyseHeap(readSnapshot(bytes)),
  );
  const steady = diffSnapshots([asDiffBase(first!)], second!);
  expect(steady.warning).toBeNull();
  expect(steady.grown.find(({ className }) => className === 'Item')).toMatchObject({ count: 500 });
  for (const diff of [
    diffSnapshots([asDiffBase(second!)], third!),
    diffSnapshots([asDiffBase(first!), asDiffBase(second!)], third!),
  ]) {
    expect(diff.warning).toContain('an inspector session');
    expect(diff.grown).toEqual([]);
    const grown = 500 * (diff.snapshots - 1);
    expect(diff.classes.find(({ name }) => name === 'Item')).toMatchObject({ newCount: grown, freedCount: 0 });
    expect(diff.totals.newCount - diff.totals.freedCount).toBe(
      third!.graph.nodeCount - (diff.snapshots === 2 ? second! : first!).graph.nodeCount,
    );
    expect(diff.totals.survivedCount).toBeLessThanOrEqual(third!.graph.nodeCount);
    const text = heapDiffText(diff);
    expect(text).toContain('Objects cannot be told apart');
    expect(text).not.toMatch(/suspects|New objects/i);
    expect(text.split('\n').filter((line) => line.length > 160)).toEqual([]);
  }
  expect(diffSnapshots([asDiffBase(second!)], first!).warning).toContain('the earliest goes first');
});

test('strings that are put together, and a redacted copy, are the same objects', () => {
  const heapOf = (type: 'string' | 'concatenated string', letter: string) =>
    analyseHeap(
      graphOf([
        root([1, 'a']),
        { name: 'Texts', id: 3, edges: Array.from({ length: 100 }, (_, at) => [at + 2, at] as const) },
        ...Array.from({ length: 60 }, (_, at) => ({ type, name: letter.repeat(at), id: 5 + 2 * at, size: 16 + at })),
        ...Array.from({ length: 40 }, (_, at) => ({ name: 'Text', id: 201 + 2 * at })),
      ]),
    );
  const before = asDiffBase(heapOf('concatenated string', 'a'));
  expect(diffSnapshots([before], heapOf('string', 'a')).warning).toBeNull();
  expect(diffSnapshots([asDiffBase(heapOf('string', 'a'))], heapOf('string', 'x')).warning).toBeNull();
});

test.each([1, 40, 1_000_000])('a set of ids, about every %i-th, has what it was given and nothing else', (distance) => {
  const random = randomNumbers(distance);
  const ids = new Set(Array.from({ length: 2_000 }, () => random(2_000 * distance)));
  const set = new IdSet(Uint32Array.from(ids));
  for (const id of ids) expect(set.has(id)).toBe(true);
  for (let index = 0; index < 5_000; index++) {
    const id = random(2_100 * distance);
    expect(set.has(id)).toBe(ids.has(id));
  }
});
