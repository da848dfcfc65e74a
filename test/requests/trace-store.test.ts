import { describe, expect, it } from 'vitest';
import type { Span } from '../../protocol/otlp/model.ts';
import { sizeOfSpan } from '../../agent/requests/span-size.ts';
import { TraceStore } from '../../agent/requests/trace-store.ts';
import { createMetrics } from '../../agent/telemetry/metrics.ts';
import { observeTraces } from '../../agent/telemetry/observe-traces.ts';
import { waitFor } from '../support/wait-for.ts';
import { byTrace, drawTrace, recordedSpans, remote, serverAttributes } from './spans.ts';
import type { Drawn } from './spans.ts';

const batch = { receivedAtMs: 0, bytes: 0 };
const query: Drawn = {
  name: 'pg.query',
  kind: 3,
  from: 1,
  for: 6,
  attributes: { 'db.system': 'postgresql', 'db.statement': 'SELECT 1' },
};

function request(
  options: { route?: string; for?: number; failed?: boolean; below?: readonly Drawn[]; startMs?: number } = {},
): Span[] {
  const { route = '/a', for: durationMs = 10, failed = false, below = [query], startMs } = options;
  return drawTrace(
    [{ name: 'GET', kind: 2, ...remote, for: durationMs, failed, attributes: serverAttributes(route), below }],
    startMs === undefined ? {} : { startMs },
  );
}

const operationsOf = (store: TraceStore) =>
  store.statistics.operations
    .read(undefined, Date.now())
    .rows.map(({ group, name, row }) => `${group} ${name} ${row.count} self ${Math.round(row.selfMs)}`)
    .toSorted();
const routesOf = (store: TraceStore) =>
  store.statistics.routes.read(undefined, Date.now()).rows.map(({ name, row }) => `${name} ${row.count}`);

describe('a trace', () => {
  it('is settled by itself some time after its last span, and not before its entry', async () => {
    using store = new TraceStore();
    const settled: string[] = [];
    store.on('settled', ({ summary }) => settled.push(summary?.name ?? '?'));
    const [child, entry] = request() as [Span, Span];
    store.add([child], { receivedAtMs: Date.now() - 10_000, bytes: 0 });
    store.add([entry], { receivedAtMs: Date.now() - 10_000, bytes: 0 });
    await waitFor(() => settled.length > 0, { message: 'the trace to be settled' });
    expect(settled).toEqual(['GET /a']);
    expect(operationsOf(store)).toEqual(['database SELECT ? 1 self 6', 'server GET /a 1 self 4']);
  });

  it('is complete whatever the order of its batches', () => {
    const spans = byTrace(recordedSpans('small-express4.json'))[0] ?? [];
    for (const order of [spans, spans.toReversed(), spans.toSorted((a, b) => (a.spanId < b.spanId ? -1 : 1))]) {
      using store = new TraceStore();
      for (const span of order) store.add([span], batch);
      store.settle();
      expect(store.get(spans[0]!.traceId)?.summary).toMatchObject({
        name: 'GET /api/users/:id',
        durationMs: 22.165645,
        isWhole: true,
        requests: 2,
      });
    }
  });

  it('takes spans that come after it was settled, and counts each once', () => {
    using store = new TraceStore();
    const [child, entry] = request() as [Span, Span];
    store.add([entry], batch);
    store.settle();
    store.add([child], batch);
    store.settle();
    expect(routesOf(store)).toEqual(['GET /a 1']);
    expect(operationsOf(store).join()).toContain('database SELECT ? 1');
    expect(store.get(entry.traceId)?.summary?.shares.map(({ kind }) => kind)).toEqual(['server', 'database']);
  });

  it('is the same when its batch comes twice', () => {
    using store = new TraceStore();
    const spans = recordedSpans('express5-pg-redis-512.json.gz');
    store.add(spans, batch);
    store.settle();
    const before = [operationsOf(store), routesOf(store), store.bytes];
    store.add(spans, batch);
    store.settle();
    expect([operationsOf(store), routesOf(store), store.bytes]).toEqual(before);
    expect(store.counts).toMatchObject({ spans: 1024, duplicates: 512 });
  });

  it('of 100,000 spans keeps 2,000 and its entry, and counts the rest', () => {
    using store = new TraceStore();
    const below = Array.from({ length: 100_000 }, (_, index) => ({ ...query, from: index / 1000, for: 0.001 }));
    const spans = request({ for: 120, below });
    store.add(spans, batch);
    store.settle();
    expect(store.get(spans[0]!.traceId)).toMatchObject({
      droppedSpans: 98_000,
      summary: { name: 'GET /a', durationMs: 120 },
    });
    expect(store.counts.droppedSpans).toBe(98_000);
  });

  it('keeps the beginning of texts of a megabyte', () => {
    using store = new TraceStore();
    const text = 'x'.repeat(2 ** 20);
    const spans = request({
      below: [{ ...query, attributes: { ...query.attributes, text, list: [text], deep: { text } } }],
    });
    store.add(spans, batch);
    const kept = store.get(spans[0]!.traceId)?.spans.find(({ name }) => name === 'pg.query');
    expect(kept?.attributes['text']).toHaveLength(2_049);
    expect(sizeOfSpan(kept!)).toBeLessThan(10_000);
    expect(store.counts.cutSpans).toBe(1);
  });
});

describe('the store', () => {
  it('stays within its bytes, and keeps the slow and the failed longer', () => {
    using store = new TraceStore({ budgetBytes: 200_000 });
    const slow = request({ for: 900, startMs: 1_000 });
    const failed = request({ failed: true, startMs: 2_000 });
    const ordinary = request({ for: 5, startMs: 3_000 });
    for (const spans of [slow, failed, ordinary]) store.add(spans, batch);
    let mostBytes = 0;
    for (let count = 0; count < 1_000; count++) {
      store.add(request({ startMs: 10_000 + count }), batch);
      store.settle();
      mostBytes = Math.max(mostBytes, store.bytes);
    }
    expect(mostBytes).toBeLessThanOrEqual(200_000);
    expect(store.get(slow[0]!.traceId)?.summary?.durationMs).toBe(900);
    expect(store.get(failed[0]!.traceId)?.summary?.failed).toBe(true);
    expect(store.get(ordinary[0]!.traceId)).toBeUndefined();
    expect(store.counts.evictedTraces).toBe(1_003 - store.size);
    expect(routesOf(store)).toEqual(['GET /a 1003']);
  });

  it('never fills up with 10,000 traces that do not finish, and counts what they said', () => {
    using store = new TraceStore({ budgetBytes: 2 ** 20 });
    for (let count = 0; count < 10_000; count++)
      store.add(drawTrace([{ ...query, parent: 'aaaaaaaaaaaaaaaa' }]), batch);
    store.settle();
    expect(store.bytes).toBeLessThanOrEqual(2 ** 20);
    expect(store.size + store.counts.evictedTraces).toBe(10_000);
    expect(operationsOf(store)).toEqual(['database SELECT ? 10000 self 60000']);
    expect(routesOf(store)).toEqual([]);
  });

  it('sums up a million different names in one row, in bounded memory', () => {
    using store = new TraceStore();
    for (let count = 0; count < 100; count++) {
      const below = Array.from({ length: 1_000 }, (_, index) => ({ name: `job ${count} ${index}`, from: 1, for: 1 }));
      store.add(request({ route: `/${count}/${'x'.repeat(count)}`, below }), batch);
      store.settle();
    }
    const { rows } = store.statistics.operations.read(undefined, Date.now());
    expect(rows.length).toBeLessThanOrEqual(510);
    expect(rows.reduce((sum, { row }) => sum + row.count, 0)).toBe(100_100);
    expect(operationsOf(store).join()).toMatch(/internal \(other\) 99\d{3}/);
  });

  it('counts what it kept, cut and dropped in metrics', async () => {
    using store = new TraceStore({ budgetBytes: 20_000 });
    const metrics = createMetrics({ version: '0', nodeVersion: 'v24' });
    observeTraces(metrics, { sink: store, history: { left: { late: 2, targets: 1, clock: 3 } } });
    const spans = request({ failed: true });
    store.add([...spans, ...spans], batch);
    for (let count = 0; count < 50; count++) store.add(request(), batch);
    store.settle();
    const text = await metrics.registry.metrics();
    expect(text).toContain('sidescope_spans_total{result="kept"} 102');
    expect(text).toContain('sidescope_spans_total{result="duplicate"} 2');
    expect(text).toContain('sidescope_requests_total{result="failed"} 1');
    expect(text).toMatch(/sidescope_traces_evicted_total [1-9]/);
    expect(text).toContain('sidescope_request_history_left_total{reason="clock"} 3');
    expect(text).toMatch(/sidescope_trace_store_bytes 1\d{4}\n/);
  });

  it('has no timer while nothing waits', () => {
    const before = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    using store = new TraceStore();
    store.add([], batch);
    expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length).toBe(before);
  });
});
