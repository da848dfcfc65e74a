import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { openRows } from '../../dashboard/flame/call-rows.ts';
import { byChange, mix, type Palette } from '../../dashboard/flame/colours.ts';
import { FlameDesk } from '../../dashboard/flame/desk.ts';
import { buildFlameTree, type FlameTree } from '../../dashboard/flame/flame-tree.ts';
import { boxLabel, changeText, packageOf, stackText, whoseWords } from '../../dashboard/flame/flame-words.ts';
import { orderFunctions, sumFunctions } from '../../dashboard/flame/functions.ts';
import { nodeAt, pathTo, visitBoxes, type FlameView } from '../../dashboard/flame/layout.ts';
import { byRoute, coveredBy, readFilter, writeFilter } from '../../dashboard/model/request-choice.ts';
import { readProfile } from '../../dashboard/flame/read-profile.ts';
import { searchFrames } from '../../dashboard/flame/search.ts';
import { stepFrom } from '../../dashboard/flame/steps.ts';
import { panned, rangeOf, showing, wholeOf, zoomed } from '../../dashboard/flame/viewport.ts';
import { parseCpuProfile } from '../../protocol/cpu-profile/parse.ts';
import { encodePprof } from '../../protocol/cpu-profile/pprof.ts';
import { parseHeapProfile } from '../../protocol/heap-sampling/parse.ts';
import { encodeHeapPprof } from '../../protocol/heap-sampling/pprof.ts';
import { bytesOf, fileOf, randomFile, seeded } from '../cpu-profile/profiles.ts';
import { deepProfile, largeProfile } from './flame-samples.ts';

const frame = (functionName: string, url = 'file:///srv/app.js', line = 1) => ({
  functionName,
  url,
  scriptId: '1',
  line,
  column: 1,
});

it('puts the heaviest call to the left, and makes one box of all calls of a function from one caller', () => {
  const tree = treeOf('main;light 1', 'main;heavy;inner 3', 'main;light 1', 'main;heavy 2', 'other 4');
  expect(drawn(tree)).toEqual(['all 11', ' main 7', '  heavy 5', '   inner 3', '  light 2', ' other 4']);
  expect([...tree.starts].map((us) => us / 1_000)).toEqual([0, 0, 0, 0, 5, 7]);
});

it('leaves idle time out, and puts it in when asked', () => {
  const { tree } = readProfile(bytesOf(fileOf('main 2', '(idle) 8')));
  expect(drawn(buildFlameTree(tree))).toEqual(['all 2', ' main 2']);
  expect(drawn(buildFlameTree(tree, { withIdle: true }))).toEqual(['all 10', ' (idle) 8', ' main 2']);
});

it('has in each tree what a slow count of the stacks has', () => {
  for (let seed = 1; seed <= 30; seed++) {
    const file = randomFile(seed, { nodes: 60, samples: 200 });
    const profile = readProfile(bytesOf(file));
    const tree = buildFlameTree(profile.tree);
    const expected = new Map<string, number>();
    profile.tree.self.forEach((weight, node) => {
      const names = pathTo(profile.tree, node).map((at) => profile.tree.nodeFrames[at]);
      for (let length = 1; length <= names.length; length++) {
        const key = names.slice(0, length).join('>');
        expected.set(key, (expected.get(key) ?? 0) + weight);
      }
    });
    for (const [key, weight] of expected) if (weight === 0) expected.delete(key);
    const found = new Map(
      Array.from(tree.totals, (total, node) => [
        pathTo(tree, node)
          .map((at) => tree.nodeFrames[at])
          .join('>'),
        total,
      ]),
    );
    expect(found, `seed ${seed}`).toEqual(expected);
  }
});

it('draws every box of half a pixel or more, and no other', () => {
  const random = seeded(3);
  for (let round = 0; round < 40; round++) {
    const tree = buildFlameTree(readProfile(bytesOf(randomFile(round + 1, { nodes: 80, samples: 400 }))).tree);
    const whole = wholeOf(tree).span;
    const view: FlameView = {
      left: whole * random() * 0.5,
      span: whole * (0.01 + random() * 0.5),
      widthPx: 20 + random() * 400,
      firstRow: Math.floor(random() * 3),
      rows: 1 + Math.floor(random() * 8),
    };
    const pxPerUnit = view.widthPx / view.span;
    const expected = [...tree.totals.keys()].filter((node) => {
      const [start, total, row] = [tree.starts[node]!, tree.totals[node]!, tree.depths[node]! - view.firstRow];
      const isInside = start < view.left + view.span && start + total > view.left;
      return isInside && total * pxPerUnit >= 0.5 && row >= 0 && row < view.rows;
    });
    expect(boxesOf(tree, view).map(({ node }) => node)).toEqual(expected);
    for (const { x, widthPx } of boxesOf(tree, view)) {
      expect(x).toBeGreaterThanOrEqual(0);
      expect(x + widthPx).toBeLessThanOrEqual(view.widthPx + 1e-6);
    }
  }
});

it('finds the box under the pointer', () => {
  const tree = treeOf('main;heavy;inner 3', 'main;light 2');
  const at = (us: number, row: number) => {
    const node = nodeAt(tree, us, row);
    return node === undefined ? undefined : tree.frames[tree.nodeFrames[node]!]!.functionName;
  };
  expect(at(0, 2)).toBe('heavy');
  expect(at(2_999, 3)).toBe('inner');
  expect(at(3_000, 2)).toBe('light');
  expect(at(3_000, 3)).toBeUndefined();
  expect(at(5_000, 0)).toBeUndefined();
  expect(at(-1, 0)).toBeUndefined();
});

it('zooms around the pointer, and never beyond the edges', () => {
  const tree = treeOf('main;heavy 6', 'main;light 4');
  const range = zoomed(tree, wholeOf(tree), { factor: 2, at: 0.25 });
  expect(range).toEqual({ left: 1_250, span: 5_000 });
  expect(zoomed(tree, range, { factor: 0.01, at: 0.9 })).toEqual(wholeOf(tree));
  expect(panned(tree, range, 5)).toEqual({ left: 5_000, span: 5_000 });
  expect(panned(tree, range, -5)).toEqual({ left: 0, span: 5_000 });
  expect(zoomed(tree, range, { factor: 1e12, at: 0 }).span).toBeGreaterThan(0);
  const light = nodeAt(tree, 9_000, 2)!;
  expect(rangeOf(tree, light)).toEqual({ left: 6_000, span: 4_000 });
  expect(showing(tree, { left: 0, span: 5_000 }, light)).toEqual({ left: 5_000, span: 5_000 });
});

it('goes from box to box by arrows, and stays at the edges', () => {
  const tree = treeOf('main;heavy;inner 3', 'main;light 2', 'main;least 1');
  const walk = (...keys: string[]) => {
    let node: number | null = null;
    for (const key of keys) node = stepFrom(tree, node, key) ?? node;
    return tree.frames[tree.nodeFrames[node!]!]!.functionName;
  };
  expect(walk('ArrowDown')).toBe('(root)');
  expect(walk('ArrowDown', 'ArrowDown', 'ArrowDown')).toBe('heavy');
  expect(walk('ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowRight')).toBe('light');
  expect(walk('ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowRight', 'ArrowRight', 'ArrowRight')).toBe('least');
  expect(walk('ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowRight', 'ArrowRight', 'ArrowLeft')).toBe('light');
  expect(walk('ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowLeft', 'ArrowUp')).toBe('main');
  expect(stepFrom(tree, 0, 'a')).toBeUndefined();
});

it('searches names and files, and counts what a match calls once', () => {
  const tree = treeOf(
    'main@file:///srv/a.js:1;fib@file:///srv/a.js:2;fib@file:///srv/a.js:2 3',
    'other@file:///srv/b.js:1 1',
  );
  expect(searchFrames(tree, 'FIB')).toMatchObject({ functions: 1, share: 0.75 });
  expect(searchFrames(tree, 'b\\.js')).toMatchObject({ functions: 1, share: 0.25 });
  expect(searchFrames(tree, '^(main|other)')).toMatchObject({ functions: 2, share: 1 });
  expect(searchFrames(tree, 'nothing')).toMatchObject({ functions: 0, share: 0 });
  expect(() => searchFrames(tree, '(')).toThrow(expect.objectContaining({ code: 'invalid-request' }));
  expect(() => searchFrames(tree, 'a'.repeat(501))).toThrow(/501 characters, the limit is 500/);
});

it('counts a recursive function once in its total', () => {
  const tree = treeOf('main;fib;fib;fib 2', 'main;fib 1', 'main;other;fib 4');
  const sums = sumFunctions(tree);
  const order = orderFunctions(tree, sums, { order: 'total', isShown: () => true });
  expect(order.map((at) => [tree.frames[at]!.functionName, sums.self[at]! / 1_000, sums.totals[at]! / 1_000])).toEqual([
    ['fib', 7, 7],
    ['main', 0, 7],
    ['other', 0, 4],
  ]);
});

it('reads V8’s formats and pprof, compressed outside, to the same tree', () => {
  const file = fileOf('main@file:///srv/a.js:3;fib@file:///srv/a.js:9 4', '(idle) 3', 'main@file:///srv/a.js:3 2');
  const cpu = buildFlameTree(readProfile(bytesOf(file)).tree);
  const pprof = readProfile(encodePprof(parseCpuProfile(file)));
  expect(drawn(buildFlameTree(pprof.tree))).toEqual(drawn(cpu));
  expect(pprof.unit).toBe('microseconds');
  expect(pprof.comparable.samples).toBe(6);
  const heapFile = { head: heapNode('(root)', 0, [heapNode('keep', 4096, []), heapNode('drop', 512, [])]) };
  const heap = readProfile(bytesOf(heapFile));
  expect(heap).toMatchObject({ kind: 'heap-sampling', unit: 'bytes' });
  // Whether a comparison is chance follows from the samples, which a pprof of allocations has none of.
  const heapPprof = readProfile(encodeHeapPprof(parseHeapProfile(heapFile)), 1_919);
  expect(heapPprof.comparable.samples).toBe(1_919);
  expect(heapPprof).toMatchObject({ kind: 'heap-sampling', unit: 'bytes' });
  expect(totalsByName(buildFlameTree(heapPprof.tree))).toEqual(totalsByName(buildFlameTree(heap.tree)));
});

it('says what a file is that it cannot read, cut at every byte', () => {
  const pprof = encodePprof(parseCpuProfile(fileOf('main@file:///srv/a.js:3;fib@file:///srv/a.js:9 4')));
  for (const bytes of [pprof, bytesOf(fileOf('main;fib 2'))]) {
    for (let length = 0; length < bytes.length; length++) {
      try {
        // A message of fields may end between two of them.
        buildFlameTree(readProfile(bytes.subarray(0, length)).tree);
      } catch (error) {
        expect(error, `cut at ${length}`).toMatchObject({ code: 'unreadable-profile' });
      }
    }
  }
  expect(() => readProfile(bytesOf({ snapshot: {} }))).toThrow(/heap explorer/);
  expect(() => readProfile(gzipSync('{}'))).toThrow(expect.objectContaining({ code: 'unreadable-profile' }));
});

it('filters by the labels of a request, by trace and by route', () => {
  const profile = readProfile(bytesOf(fileOf('main;a 5', 'main;b 5')));
  const names = profile.tree.frames.map(({ functionName }) => functionName);
  const nodeOf = (name: string) => profile.tree.nodeFrames.indexOf(names.indexOf(name));
  const request = (traceId: string, node: string, weight: number) => ({
    traceId,
    name: 'GET',
    route: '/x',
    nodes: [nodeOf(node)],
    weights: [weight],
    sureWeight: weight / 2,
  });
  const desk = new FlameDesk(profile);
  const shares = desk.requests({ ...profile, requests: [request('t1', 'a', 1_000), request('t2', 'b', 3_000)] });
  expect(shares.weight).toBe(10_000);
  expect(coveredBy(shares, { by: 'trace', value: 't1' })).toEqual({ weight: 1_000, share: 0.1, sureShare: 0.5 });
  expect(coveredBy(shares, { by: 'route', value: '/x' })).toEqual({ weight: 4_000, share: 0.4, sureShare: 0.5 });
  expect(coveredBy(shares, { by: 'route', value: 'gone' })).toEqual({ weight: 0, share: 0, sureShare: 0 });
  expect(byRoute(shares.requests)).toEqual([{ route: '/x', weight: 4_000, sureWeight: 2_000 }]);
  expect(readFilter(writeFilter({ by: 'route', value: 'GET /a:b' }))).toEqual({ by: 'route', value: 'GET /a:b' });
  expect(shares.requests.map(({ traceId, weight }) => [traceId, weight])).toEqual([
    ['t2', 3_000],
    ['t1', 1_000],
  ]);
  const only = (by: 'trace' | 'route', value: string) =>
    drawn(desk.layout({ withIdle: false, request: { by, value } }).tree);
  expect(only('trace', 't1')).toEqual(['all 1', ' main 1', '  a 1']);
  expect(only('route', '/x')).toEqual(['all 4', ' main 4', '  b 3', '  a 1']);
  expect(only('trace', 'none')).toEqual(['all 0']);
});

it('compares by share: what is new and what is gone both have a box', () => {
  const desk = new FlameDesk(readProfile(bytesOf(fileOf('main;kept 50', 'main;fresh 50'))));
  const diff = desk.compare(readProfile(bytesOf(fileOf('main;kept 20', 'main;old 20'))));
  const { tree, before, after } = diff;
  const rows = [...tree.nodeFrames.keys()].map((node) => [
    tree.frames[tree.nodeFrames[node]!]!.functionName,
    before[node],
    after[node],
    tree.totals[node],
  ]);
  expect(rows.slice(2).toSorted()).toEqual([
    ['fresh', 0, 0.5, 0.25],
    ['kept', 0.5, 0.5, 0.5],
    ['old', 0.5, 0, 0.25],
  ]);
  expect(diff.functions.map(({ functionName, kind }) => `${functionName} ${kind}`)).toEqual(
    expect.arrayContaining(['fresh new', 'old gone']),
  );
  expect(desk.search({ pattern: 'old', inDiff: true })).toMatchObject({ functions: 1, share: 0.25 });
  const heap = readProfile(bytesOf({ head: heapNode('(root)', 10, []) }));
  expect(() => desk.compare(heap)).toThrow(expect.objectContaining({ code: 'unsupported-format' }));
});

it('colours what grew and what shrank apart, the stronger the more of it that is', () => {
  const swatches = { grew: 'rgb(250, 0, 0)', shrank: 'rgb(0, 0, 250)', same: 'rgb(0, 0, 0)' };
  const colour = byChange({ before: Float64Array.of(0.1, 0.1, 0.1, 0), after: Float64Array.of(0.1, 0.11, 0, 0.2) }, {
    swatches,
    text: '',
    edge: '',
    ground: '',
  } as unknown as Palette);
  expect([0, 1, 2, 3].map(colour)).toEqual(['rgb(0, 0, 0)', 'rgb(50, 0, 0)', 'rgb(0, 0, 250)', 'rgb(250, 0, 0)']);
  expect(mix('rgb(0, 0, 0)', 'rgba(100, 50, 0, 1)', 0.5)).toBe('rgb(50, 25, 0)');
});

it('has words that stay in their line and in reading order, whatever a name holds', () => {
  expect(boxLabel(frame('\u202eevil\u0000\n<b>', 'file:///srv/a.js', 3))).toBe('·evil··<b> a.js:3');
  expect(boxLabel(frame('x'.repeat(10_000))).length).toBe(400);
  expect(boxLabel(frame('(root)', ''))).toBe('all');
  expect(packageOf(frame('f', 'file:///srv/node_modules/a/node_modules/@scope/b/lib/c.js'))).toBe('@scope/b');
  expect(whoseWords(frame('f', 'file:///srv/node_modules/pg/lib/c.js'))).toBe('Package pg');
  expect(whoseWords(frame('f', 'node:fs'))).toBe('Node.js');
  expect([0.031, -0.004, 0.0001].map(changeText)).toEqual(['+3.1 %', '−0.4 %', '±0 %']);
  const tree = treeOf('main@file:///srv/a.js:3;fib@file:///srv/b.js:9 4');
  expect(stackText(tree, tree.nodeFrames.length - 1)).toBe('    at fib (/srv/b.js:9)\n    at main (/srv/a.js:3)');
});

it('unfolds a call tree where it is open, and lists the wanted one among thousands', () => {
  const tree = treeOf(...Array.from({ length: 80 }, (_, index) => `main;call${index} ${100 - index}`));
  const rows = openRows(tree, new Set([0, 1]));
  expect(rows.length).toBe(52);
  expect(rows[1]).toEqual({ node: 1, hasChildren: true, omitted: 30 });
  const last = tree.nodeFrames.length - 1;
  expect(openRows(tree, new Set([0, 1]), last).at(-1)?.node).toBe(last);
});

it('takes one sample, a depth of 2,000 and 100,000 nodes', () => {
  const single = treeOf('main 1');
  expect(drawn(single)).toEqual(['all 1', ' main 1']);
  const deep = buildFlameTree(readProfile(bytesOf(deepProfile(2_000))).tree);
  expect(deep.depthMax).toBe(2_000);
  expect(boxesOf(deep, { ...wholeOf(deep), widthPx: 800, firstRow: 1_990, rows: 30 }).length).toBe(11);
  const large = buildFlameTree(readProfile(bytesOf(largeProfile({ nodes: 100_000, samples: 200_000 }))).tree);
  expect(large.nodeFrames.length).toBeGreaterThan(80_000);
  const shown = boxesOf(large, { ...wholeOf(large), widthPx: 1_200, firstRow: 0, rows: 40 });
  expect(shown.length).toBeLessThan(20_000);
  expect(shown.every(({ widthPx }) => widthPx >= 0.49)).toBe(true);
});

it('draws nothing, and fails at nothing, where nothing was sampled', () => {
  const tree = buildFlameTree(readProfile(bytesOf(fileOf('(idle) 5'))).tree);
  expect(tree.totals[0]).toBe(0);
  expect(boxesOf(tree, { ...wholeOf(tree), widthPx: 800, firstRow: 0, rows: 10 })).toEqual([]);
  expect(searchFrames(tree, 'a').share).toBe(0);
});

function treeOf(...stacks: string[]): FlameTree {
  return buildFlameTree(readProfile(bytesOf(fileOf(...stacks))).tree);
}

/** In milliseconds, each a blank further in than its caller. */
function drawn({ frames, nodeFrames, depths, totals }: FlameTree): string[] {
  return Array.from(nodeFrames, (at, node) => {
    const name = depths[node] === 0 ? 'all' : frames[at]!.functionName;
    return `${' '.repeat(depths[node]!)}${name} ${Math.round(totals[node]! / 1_000)}`;
  });
}

function totalsByName({ frames, nodeFrames, totals }: FlameTree): Record<string, number> {
  return Object.fromEntries(Array.from(nodeFrames, (at, node) => [frames[at]!.functionName, totals[node]!]));
}

function boxesOf(tree: FlameTree, view: FlameView): { node: number; x: number; widthPx: number }[] {
  const boxes: { node: number; x: number; widthPx: number }[] = [];
  visitBoxes(tree, view, ({ node, x, widthPx }) => boxes.push({ node, x, widthPx }));
  return boxes;
}

function heapNode(functionName: string, selfSize: number, children: unknown[]): unknown {
  const url = functionName === '(root)' ? '' : 'file:///srv/a.js';
  return { callFrame: { functionName, scriptId: '1', url, lineNumber: 4, columnNumber: 0 }, selfSize, id: 1, children };
}
