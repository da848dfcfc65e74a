import type { Page } from 'playwright-core';
import { snapshotJson } from '../heap-snapshot/snapshots.ts';
import type { SketchNode } from '../heap-snapshot/snapshots.ts';
import { ago, sampleSnapshot } from './samples.ts';
import type { World } from './stand-in.ts';

/** Three snapshots of a shop whose sessions are never dropped, the last one opened, compared, and gone through. */
export function heapScenes() {
  const world: Partial<World> = {
    profiles: [
      sampleSnapshot({ id: 's-3', startedAt: ago(120_000) }),
      sampleSnapshot({ id: 's-2', startedAt: ago(900_000) }),
      sampleSnapshot({ id: 's-1', startedAt: ago(1_800_000) }),
    ],
    files: {
      's-3.heapsnapshot': shopHeap(3_000),
      's-2.heapsnapshot': shopHeap(2_000),
      's-1.heapsnapshot': shopHeap(1_000),
    },
  };
  const row = (page: Page, text: string): Promise<void> =>
    page.getByRole('row').filter({ hasText: text }).first().waitFor();
  return [
    {
      name: 'heap-grown',
      path: '/heap/s-3?against=s-1&third=s-2',
      world,
      ready: (page: Page) => row(page, 'grows steadily'),
    },
    {
      name: 'heap-compared',
      path: '/heap/s-3?against=s-1&tab=classes',
      world,
      ready: (page: Page) => row(page, '+2,000'),
    },
    {
      name: 'heap-object',
      path: `/heap/s-3?object=${sessionId(7)}`,
      world,
      ready: (page: Page) => page.getByText('["user 7"]').first().waitFor(),
    },
    {
      name: 'heap-hints',
      path: '/heap/s-3?tab=hints',
      world,
      ready: (page: Page) => page.getByText('with 3000 references').waitFor(),
    },
  ];
}

const sessionId = (index: number): number => 1_001 + index * 4;

function shopHeap(sessions: number): string {
  const at = (index: number): number => 8 + index * 2;
  const all = Array.from({ length: sessions }, (_, index) => index);
  const nodes: SketchNode[] = [
    {
      type: 'synthetic',
      name: '',
      id: 1,
      size: 0,
      edges: [
        [1, 'app', 'shortcut'],
        [1, 1],
        [6, 2],
      ],
    },
    {
      name: 'global',
      id: 3,
      edges: [
        [2, 'shop'],
        [7, 'setTimeout'],
      ],
    },
    {
      name: 'Shop',
      id: 5,
      edges: [
        [3, 'sessions'],
        [5, 'byName'],
        [6, 'title'],
      ],
    },
    { name: 'Map', id: 7, edges: [[4, 'table', 'internal']] },
    {
      type: 'array',
      name: '(object elements)',
      id: 9,
      size: 96_000,
      edges: all.map((index) => [at(index), index] as const),
    },
    { name: 'Object', id: 11, edges: all.slice(0, 40).map((index) => [at(index), `user ${index}`] as const) },
    { type: 'string', name: 'Shop of <b>all</b> things', id: 13, size: 48 },
    { type: 'closure', name: 'setTimeout', id: 15, size: 64 },
    ...all.flatMap((index): SketchNode[] => [
      {
        name: 'Session',
        id: sessionId(index),
        size: 120,
        edges: [
          [at(index) + 1, 'basket'],
          [5, 'others'],
          [6, 'note', 'weak'],
        ],
      },
      { name: 'Basket', id: sessionId(index) + 2, size: 480 },
    ]),
  ];
  return snapshotJson(nodes);
}
