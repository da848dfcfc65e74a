import { expect, test, vi } from 'vitest';
import { ProfilingContext } from '../../agent/requests/profiling-context.ts';
import type { SpanReading } from '../../protocol/inspector/span-reading.ts';
import { CollectingSink } from './otlp-harness.ts';
import type { Span } from '../../protocol/otlp/model.ts';
import { drawTrace } from './spans.ts';

const capture = { profileId: 'p1', operationId: 'o1', targetId: 't1', pid: 7, startedAtMs: 10_000 };
const entry = entryOf(7);

function entryOf(pid: number): Span {
  const [span] = drawTrace([{ name: 'GET', kind: 2, for: 50 }], { startMs: 11_000 });
  if (span === undefined) throw new Error('nothing was drawn');
  return { ...span, resource: { attributes: { 'process.pid': pid } } };
}

function reading(traceId: string): SpanReading {
  const what = { traceId, spanId: '2'.repeat(16), name: 'query', route: null };
  return { monotonicUs: 1, wallMs: 11_010, what, costUs: 5 };
}

test('entry spans that were open during a capture are told of it, and those seen on the CPU of their samples', () => {
  const onChange = vi.fn();
  using context = new ProfilingContext({ isOnlyTarget: () => true, onChange, now: () => 12_000 });
  expect(context.attributesOf(entry)).toBeUndefined();
  const running = context.began(capture);
  expect(onChange.mock.calls).toEqual([[true]]);
  const own = { 'sidescope.profile.id': 'p1', 'sidescope.operation.id': 'o1' };
  expect(context.attributesOf(entry)).toEqual(own);
  running.reading(reading(entry.traceId), true);
  expect(context.attributesOf(entry)).toEqual({ ...own, 'pyroscope.profile.id': entry.spanId });
  running.ended();
  // Spans come when they have ended, some seconds later.
  expect(context.attributesOf(entry)).toBeDefined();
  expect(context.attributesOf({ ...entry, startMs: 12_001 })).toBeUndefined();
  expect(context.attributesOf({ ...entry, startMs: 9_000 })).toBeUndefined();
  expect(context.attributesOf({ ...entry, parentSpanId: '3'.repeat(16), kind: 1 })).toBeUndefined();
  expect(context.attributesOf(entryOf(8))).toBeUndefined();
  expect(context.counts).toMatchObject({ span: 1, dropped: 0 });
});

test('the same goes into the timelines, beside what the application has set', () => {
  using context = new ProfilingContext({ isOnlyTarget: () => true, onChange: () => undefined, now: () => 12_000 });
  const sink = new CollectingSink();
  const into = context.into(sink);
  const batch = { receivedAtMs: 0, bytes: 1 };
  into.add([entry], batch);
  expect(sink.spans[0]).toBe(entry);
  context.began(capture);
  into.add([{ ...entry, attributes: { ...entry.attributes, 'sidescope.profile.id': 'theirs' } }], batch);
  expect(sink.spans[1]?.attributes).toMatchObject({
    'sidescope.profile.id': 'theirs',
    'sidescope.operation.id': 'o1',
  });
});

test('two minutes after the last capture spans go on as the bytes they came as', () => {
  vi.useFakeTimers({ now: 10_000 });
  try {
    const onChange = vi.fn();
    using context = new ProfilingContext({ isOnlyTarget: () => true, onChange });
    const [first, second] = [context.began(capture), context.began({ ...capture, profileId: 'p2' })];
    first.ended();
    vi.advanceTimersByTime(60_000);
    second.ended();
    vi.advanceTimersByTime(119_000);
    expect(onChange).not.toHaveBeenCalledWith(false);
    vi.advanceTimersByTime(2_000);
    expect(onChange).toHaveBeenLastCalledWith(false);
    expect(context.attributesOf(entry)).toBeUndefined();
  } finally {
    vi.useRealTimers();
  }
});
