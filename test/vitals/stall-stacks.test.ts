import { expect, it } from 'vitest';
import { indexInMemory } from '../../agent/vitals/history.ts';
import { StallRecord } from '../../agent/vitals/stall-record.ts';
import { StallStacks } from '../../agent/vitals/stall-stacks.ts';
import { StallTable } from '../../agent/vitals/stall-table.ts';
import type { StackReading } from '../../protocol/inspector/readings.ts';
import { stallListSchema } from '../../protocol/rest/stalls.ts';

/** `work:3 < handle:9`: the running function first. */
function stack(text: string, spanId?: string): StackReading {
  const frames = text.split(' < ').map((part) => {
    const [functionName = '', line] = part.split(':');
    const url = functionName.startsWith('node_') ? 'node:internal' : 'file:///app.js';
    return { functionName, url, lineNumber: Number(line), columnNumber: 1 };
  });
  const span =
    spanId === undefined
      ? null
      : { traceId: '0'.repeat(32), spanId: spanId.repeat(16), name: spanId, sampled: true, route: null };
  return { frames, hasMore: false, span };
}

it('merges stacks from their outermost frame and names function, line and span', () => {
  const stacks = new StallStacks();
  stacks.add(stack('work:3 < handle:9', 'a'));
  stacks.add(stack('work:3 < handle:9', 'b'));
  stacks.add(stack('node_parse:1 < work:4 < handle:9', 'b'));
  stacks.add(stack('other:7 < handle:9'));
  const shown = stacks
    .tree()
    .map((node) => `${node.functionName} in ${node.parent}: ${node.samples}, self ${node.self}`);
  expect(shown).toEqual([
    'handle in -1: 4, self 0',
    'work in 0: 3, self 2',
    'node_parse in 1: 1, self 1',
    'other in 0: 1, self 1',
  ]);
  expect(stacks.dominant()).toMatchObject({ functionName: 'work', lineNumber: 3, share: 0.75 });
  expect(stacks.span()).toMatchObject({ spanId: 'b'.repeat(16), share: 0.5 });
});

it('keeps at most 200 nodes, and counts what is beyond in the callers', () => {
  const stacks = new StallStacks();
  for (let i = 0; i < 500; i++) stacks.add(stack(`f${i}:1 < handle:9`));
  const tree = stacks.tree();
  expect(tree).toHaveLength(200);
  expect(tree[0]).toMatchObject({ functionName: 'handle', samples: 500, self: 301 });
});

it('a list pages from the newest, filters, and keeps a bounded number', () => {
  using index = indexInMemory();
  const table = new StallTable({ index, budgetBytes: 1e6 });
  const records = Array.from({ length: 15 }, (_, i) => {
    const about = {
      targetId: `t${i % 2}`,
      instanceId: '1-1',
      thread: 'main',
      kind: i % 3 === 0 ? 'saturated' : 'blocked',
    } as const;
    const record = new StallRecord(about, { startMs: performance.now() + i * 1_000, thresholdMs: 1_000 });
    return record.view('ended', { nowMs: record.startMs + 1_000, endMs: record.startMs + 1_000 });
  });
  for (const record of records) table.save(record);
  const newest = records.toReversed().slice(0, 10);
  expect(table.list({ limit: 100 }).stalls).toEqual(newest);
  const first = stallListSchema.parse(table.list({ limit: 4 }));
  const second = table.list({ limit: 100, cursor: first.nextCursor ?? '' });
  expect([...first.stalls, ...second.stalls]).toEqual(newest);
  expect(second.nextCursor).toBeNull();
  expect(table.list({ targetId: 't1' }).stalls).toEqual(newest.filter(({ targetId }) => targetId === 't1'));
  expect(table.list({ kind: 'saturated' }).stalls).toEqual(newest.filter(({ kind }) => kind === 'saturated'));
  expect(table.list({ since: newest[2]?.startedAt }).stalls).toEqual(newest.slice(0, 3));
  expect(() => table.list({ cursor: 'x' })).toThrow('cursor');
  expect(newest[0]?.summary).toBe('the event loop was blocked for 1.0 s; nothing told by what');
});
