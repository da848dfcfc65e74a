import { expect, it } from 'vitest';
import { HeapExplorer } from '../../dashboard/heap/explorer.ts';
import { windowOf } from '../../dashboard/model/row-window.ts';
import { stacksText, treeRows } from '../../dashboard/model/stack-words.ts';
import { analyseHeap } from '../../protocol/heap-snapshot/analyse.ts';
import { asDiffBase } from '../../protocol/heap-snapshot/diff.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import { readSnapshot } from '../heap-snapshot/snapshots.ts';
import { takeSnapshots } from '../heap-snapshot/take.ts';

const everything = { offset: 0, limit: 100_000 };
const byRetained = { order: 'retained', isDescending: true, filter: '' } as const;
const [first, last] = (await takeSnapshots('leaks', { count: 2 })).map((bytes) => analyseHeap(readSnapshot(bytes)));
if (first === undefined || last === undefined) throw new Error('there are two snapshots');

it('lists classes sorted, filtered and in pages that fit together', () => {
  const explorer = new HeapExplorer(last);
  const { total, rows } = explorer.classes({ ...byRetained, ...everything });
  expect(rows).toHaveLength(total);
  expect(rows.map(({ retainedBytes }) => retainedBytes)).toEqual(
    rows.map(({ retainedBytes }) => retainedBytes).toSorted((a, b) => b - a),
  );
  const pages = [0, 40, 80].flatMap((offset) => explorer.classes({ ...byRetained, offset, limit: 40 }).rows);
  expect(pages).toEqual(rows.slice(0, 120));
  const inMap = explorer.classes({ order: 'name', isDescending: false, filter: ' INMAP ', ...everything });
  expect(inMap.rows.map(({ name, count, change }) => [name, count, change])).toEqual([['InMap', 1_000, null]]);
  expect(explorer.classes({ ...byRetained, filter: 'no such class', ...everything })).toEqual({ total: 0, rows: [] });
});

it('gives classes their change, and keeps those that are gone, once it compares', () => {
  const explorer = new HeapExplorer(last);
  const { warning, totals, grown } = explorer.compare([asDiffBase(first)]);
  expect(warning).toBeNull();
  expect(totals.newCount).toBeGreaterThan(5_000);
  expect(grown.find(({ className }) => className === 'InSet')).toMatchObject({ count: 500 });
  const { rows } = explorer.classes({ order: 'new', isDescending: true, filter: 'inmap', ...everything });
  expect(rows[0]?.change).toMatchObject({ count: 500, newCount: 500, freedCount: 0 });
  // The other way round nothing of it is new.
  const backwards = new HeapExplorer(first);
  expect(backwards.compare([asDiffBase(last)]).warning).toContain('the earliest goes first');
  const before = backwards.classes({ order: 'new', isDescending: false, filter: 'inmap', ...everything });
  expect(before.rows[0]?.change).toMatchObject({ count: -500, newCount: 0, freedCount: 500 });
});

it('shows an object, the way to it, its fields in pages, and who holds it', () => {
  const explorer = new HeapExplorer(last);
  const { groups, objects, count } = explorer.class('InMap');
  expect([count, objects.length]).toEqual([1_000, 200]);
  expect(groups[0]?.path).toMatch(/state\.map\.table\[\]$/);
  const detail = explorer.object({ id: groups[0]?.exampleId ?? 0 });
  expect(detail.object.className).toBe('InMap');
  expect(detail.way.at(-1)?.object.node).toBe(detail.object.node);
  expect(detail.way[0]?.edge).toBe('');
  const table = detail.way.at(-2)?.object.node ?? 0;
  const page = explorer.fields(table, 0);
  expect(page.fields).toHaveLength(100);
  expect(page.total).toBeGreaterThan(1_000);
  const rest = explorer.fields(table, 100);
  expect(rest.fields[0]?.node).not.toBe(page.fields[0]?.node);
  expect(explorer.retainers(detail.object.node, 0).fields.map(({ node }) => node)).toContain(table);
  expect(() => explorer.object({ id: 2 ** 31 })).toThrow('no object @2147483648');
  expect(() => explorer.object({ node: -1 })).toThrow('no object');
  expect(() => explorer.class('Nobody')).toThrow('no class Nobody');
});

it('draws the rows in sight and some around them, of a list of any length', () => {
  expect(windowOf({ scrollPx: 0, heightPx: 600, rowPx: 30 })).toEqual({ offset: 0, limit: 60 });
  expect(windowOf({ scrollPx: 3_000_000, heightPx: 600, rowPx: 30 })).toEqual({ offset: 99_960, limit: 100 });
});

it('writes merged stacks as a tree, the heavier branch first, however deep or wrong the list is', () => {
  const node = (parent: number, functionName: string, samples: number): Stall['tree'][number] => {
    const place = { url: '', lineNumber: 0, columnNumber: 0, original: null };
    return { parent, functionName, samples, self: 0, ...place };
  };
  const rows = treeRows([node(-1, 'root', 10), node(0, 'light', 3), node(0, 'heavy', 7), node(2, 'leaf', 7)]);
  expect(rows.map(({ frame, depth, share }) => [frame.functionName, depth, share])).toEqual([
    ['root', 0, 1],
    ['heavy', 1, 0.7],
    ['leaf', 2, 0.7],
    ['light', 1, 0.3],
  ]);
  const deep = Array.from({ length: 2_000 }, (_, index) => node(index - 1, `f${index}`, 1));
  expect(treeRows(deep).at(-1)).toMatchObject({ depth: 24 });
  expect(treeRows([node(0, 'its own caller', 1), node(-1, 'fine', 1)]).map(({ frame }) => frame.functionName)).toEqual([
    'fine',
  ]);
});

it('writes stacks as text, original places first', () => {
  const place = { functionName: 'n', url: 'file:///app/out.js', lineNumber: 1, columnNumber: 900 };
  const original = { functionName: 'renderReport', url: '/app/report.ts', lineNumber: 88, columnNumber: 3 };
  const text = stacksText({
    targetId: 't1',
    takenAt: '2026-01-31T12:00:00.000Z',
    omittedThreads: 2,
    threads: [
      {
        thread: 'main',
        title: 'shop',
        state: 'running',
        frames: [
          { ...place, original },
          { ...place, functionName: '', original: null },
        ],
        hasMore: true,
        span: { traceId: '0a24', spanId: '1', name: 'GET', sampled: true, route: '/reports/:id' },
        summary: 'running renderReport',
        turnMs: 900,
        turnUnknown: null,
        waitedMs: 1,
        error: null,
      },
    ],
  });
  expect(text.split('\n')).toEqual([
    'Stacks of t1, 2026-01-31T12:00:00.000Z',
    '',
    'main shop: running renderReport',
    '  in /reports/:id, trace 0a24',
    '    at renderReport (/app/report.ts:88:3)',
    '    at (anonymous) (/app/out.js:1:900)',
    '    …',
    '',
    '2 more threads',
    '',
  ]);
});
