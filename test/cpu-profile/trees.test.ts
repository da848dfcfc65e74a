import { describe, expect, test } from 'vitest';
import { mergeSampleTrees } from '../../protocol/cpu-profile/merge.ts';
import type { SampleTree } from '../../protocol/cpu-profile/sample-tree.ts';
import { diffSampleTrees } from '../../protocol/cpu-profile/tree-diff.ts';
import { decodeSampleTree, encodeSampleTree } from '../../protocol/cpu-profile/tree-file.ts';
import { seededRandom } from '../memory/simulated-process.ts';

/** `main;parse 3` per line: a path from below the root and its self samples. */
function treeOf(lines: readonly string[], url = '/app/main.js', line = 1): SampleTree {
  const tree = mergeSampleTrees(
    lines.map((text) => {
      const [path = '', self = '0'] = text.split(' ');
      const names = ['(root)', ...path.split(';')];
      return {
        frames: names.map((functionName) => ({
          functionName,
          url: functionName.startsWith('(') ? '' : url,
          scriptId: functionName.startsWith('(') ? '0' : '1',
          line: functionName.startsWith('(') ? 0 : line,
          column: 1,
        })),
        nodeFrames: Uint32Array.from(names.keys()),
        parents: Int32Array.from(names, (_, index) => index - 1),
        self: Float64Array.from(names, (_, index) => (index === names.length - 1 ? Number(self) : 0)),
        samples: Number(self),
      };
    }),
  );
  return tree;
}

function linesOf({ frames, nodeFrames, parents, self }: SampleTree): string[] {
  const pathOf = (node: number): string =>
    node === 0 ? '' : `${pathOf(parents[node]!)};${frames[nodeFrames[node]!]!.functionName}`;
  return [...nodeFrames.keys()]
    .filter((node) => self[node]! > 0)
    .map((node) => `${pathOf(node).slice(1)} ${self[node]}`);
}

test('profiles are merged path by path, and of a function that moved the later place holds', () => {
  const merged = mergeSampleTrees([
    treeOf(['main;parse 3', 'main 1']),
    treeOf(['main;parse 4', 'main;write 2'], undefined, 9),
  ]);
  expect(linesOf(merged)).toEqual(['main 1', 'main;parse 7', 'main;write 2']);
  expect(merged.samples).toBe(10);
  expect(merged.frames.find(({ functionName }) => functionName === 'parse')?.line).toBe(9);
});

test('beyond the bound the lightest paths count for their callers, and nothing is lost', () => {
  const random = seededRandom(1);
  const lines = Array.from({ length: 3_000 }, () => {
    const depth = 1 + Math.floor(random() * 6);
    return `${Array.from({ length: depth }, () => `f${Math.floor(random() ** 3 * 30)}`).join(';')} ${1 + Math.floor(random() * 9)}`;
  });
  const whole = treeOf(lines);
  const cut = mergeSampleTrees([whole], { nodesMax: 200 });
  expect(cut.parents).toHaveLength(200);
  const sum = ({ self }: SampleTree): number => self.reduce((total, value) => total + value, 0);
  expect(sum(cut)).toBe(sum(whole));
  expect([...cut.parents].every((parent, node) => parent < node)).toBe(true);
});

test('the profile of a version follows its present load: old samples count half in the end', () => {
  const old = treeOf(['old 900000']);
  const merged = mergeSampleTrees([old, treeOf(['old 200000']), treeOf(['fresh 100000'])]);
  expect(linesOf(merged)).toEqual(['old 550000', 'fresh 100000']);
});

describe('the file of a merged profile', () => {
  const tree = treeOf(['main;parse 3', 'main;(idle) 5', 'main 1']);

  test('gives back the tree', () => {
    expect(linesOf(decodeSampleTree(encodeSampleTree(tree)))).toEqual(linesOf(tree));
  });

  test('is refused when it is cut anywhere', () => {
    const bytes = encodeSampleTree(tree);
    for (let length = 0; length < bytes.length; length++)
      expect(() => decodeSampleTree(bytes.subarray(0, length))).toThrow(/not a merged profile/);
  });

  test.each([
    ['another format', { formatVersion: 2 }, /its format is 2/],
    ['a parent behind its child', { parents: [-1, 2, 1, 1] }, /parents\[1\]/],
    ['two roots', { parents: [-1, -1, 1, 1] }, /the root/],
    ['a frame that there is not', { nodeFrames: [0, 1, 2, 9] }, /nodeFrames\[3\]/],
    ['less than nothing', { self: [0, -1, 1, 1] }, /self\[1\]/],
    ['lists of different lengths', { self: [0] }, /4 nodes, 4 parents, 1 weights/],
    ['no samples', { samples: null }, /samples/],
    ['a frame without a name', { frames: [[1]] }, /frame 0/],
  ])('is refused with %s', (_, change, message) => {
    const file = JSON.parse(new TextDecoder().decode(encodeSampleTree(tree))) as object;
    const bytes = new TextEncoder().encode(JSON.stringify({ ...file, ...change }));
    expect(() => decodeSampleTree(bytes)).toThrow(message);
  });
});

describe('a function whose file got another name', () => {
  const kinds = (before: SampleTree, after: SampleTree) =>
    diffSampleTrees(before, after, { limit: 10, nodesMax: 0 }).functions.map(
      ({ functionName, kind }) => `${functionName} ${kind}`,
    );

  test.each([
    ['/app/dist/chunk-3fa9c2d1.js', '/app/dist/chunk-9b11e07c.js'],
    ['/app/dist/main.4a5b6c7d8e.mjs', '/app/dist/main.0f1e2d3c4b.mjs'],
    ['file:///releases/41/src/prices.ts', 'file:///releases/42/src/prices.ts'],
  ])('%s -> %s is the same one', (before, after) => {
    const found = kinds(treeOf(['render 50', 'parse 50'], before), treeOf(['render 75', 'parse 25'], after));
    expect(found).toEqual(['parse changed', 'render changed']);
  });

  test('but not when the file is another one, or two look alike', () => {
    expect(kinds(treeOf(['render 50'], '/app/a.js'), treeOf(['render 50'], '/app/b.js'))).toEqual([
      'render gone',
      'render new',
    ]);
    const two = mergeSampleTrees([treeOf(['render 50'], '/app/x/a.js'), treeOf(['render 50'], '/app/y/a.js')]);
    expect(kinds(two, treeOf(['render 100'], '/app/z/a.js'))).toEqual(['render new', 'render gone', 'render gone']);
  });
});

test('both call trees are one, in shares of the busy samples', () => {
  const { tree, busyBefore } = diffSampleTrees(
    treeOf(['main;parse 30', 'main;write 10', '(idle) 60']),
    treeOf(['main;parse 90', 'main 10']),
    { limit: 10, nodesMax: 100 },
  );
  expect(busyBefore).toBe(0.4);
  expect(
    tree.map(({ functionName, parent, totalBefore, totalAfter }) => [functionName, parent, totalBefore, totalAfter]),
  ).toEqual([
    ['(root)', -1, 1, 1],
    ['main', 0, 1, 1],
    ['parse', 1, 0.75, 0.9],
    ['write', 1, 0.25, 0],
    ['(idle)', 0, 0, 0],
  ]);
});

test('no share of a whole is above 1, however its parts add up', () => {
  // 49 times 1/49 is 1.0000000000000007.
  const tree = treeOf(Array.from({ length: 49 }, (_, index) => `main;f${index} 1`));
  const shares = diffSampleTrees(tree, tree, { limit: 1, nodesMax: 100 }).tree.flatMap(
    ({ totalBefore, totalAfter, selfBefore, selfAfter }) => [totalBefore, totalAfter, selfBefore, selfAfter],
  );
  expect(Math.max(...shares)).toBe(1);
});
