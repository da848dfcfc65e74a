import { describe, expect, it } from 'vitest';
import { decodeReadings, encodeReadings } from '../../agent/capture/join-bytes.ts';
import { SpanLog } from '../../agent/capture/span-log.ts';
import type { CaptureWatch } from '../../agent/capture/span-reading.ts';
import { readingOf } from '../../protocol/cpu-profile/spans.ts';
import type { SpanReadings } from '../../protocol/cpu-profile/spans.ts';
import { decodeSpanReading } from '../../protocol/inspector/span-reading.ts';
import type { SpanReading } from '../../protocol/inspector/span-reading.ts';
import { openHarness, type Harness } from '../capture/harness.ts';
import { nodeVersions } from '../support/node-versions.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';

const me = { startedBy: 'tester', durationMs: 60_000 };

class Watch implements CaptureWatch {
  readonly readings: SpanReading['what'][] = [];
  ended = 0;
  began(): ReturnType<CaptureWatch['began']> {
    return { reading: ({ what }) => void this.readings.push(what), ended: () => void (this.ended += 1) };
  }
}

function readingsOf({ store }: Harness, profileId = ''): SpanReadings {
  const bytes = store.loadJoin(profileId, 'readings');
  if (bytes === undefined) throw new Error(`profile ${profileId} has no readings`);
  return decodeReadings(bytes);
}

describe.each(nodeVersions)('reading the active span on Node $major', ({ major }) => {
  it('goes on in each thread of a capture, and ends with the exit of the target', async () => {
    await using target = await startTarget('spans-in-a-worker', { node: major });
    const watch = new Watch();
    await using harness = await openHarness([target.inspectorAddress], { spanReading: { rateHz: 50, watch } });
    await waitFor(() => harness.targets.list()[0]?.threads.length === 2, { message: 'two threads' });
    const { id } = await harness.captures.startCpu({ ...me, thread: 'all' });
    await waitFor(() => watch.readings.filter((what) => typeof what !== 'string').length > 5, {
      message: () => `the span of the worker; there were ${JSON.stringify(watch.readings)}`,
    });
    await target.send('exit');
    expect((await target.exited).code).toBe(5);
    const { profileIds } = await harness.captures.waitFor(id, { timeoutMs: 20_000 });
    const profiles = profileIds.map((profileId) => harness.store.get(profileId));
    const of = (kind: string) => readingsOf(harness, profiles.find(({ thread }) => thread.kind === kind)?.id);
    const span = { traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), name: 'job', route: null };
    expect(of('worker')).toMatchObject({ spans: [span], problem: null, dropped: 0 });
    // The main thread has loaded the API and is in no span.
    expect(of('main').spans).toEqual([]);
    expect(watch.ended).toBe(2);
  });
});

it('stops, and says why, where the application lets nobody look', async () => {
  await using target = await startTarget('spans-in-a-worker', { args: ['hostile'] });
  const watch = new Watch();
  await using harness = await openHarness([target.inspectorAddress], { spanReading: { rateHz: 50, watch } });
  await waitFor(() => harness.targets.list()[0]?.threads.length === 2, { message: 'two threads' });
  const { id } = await harness.captures.startCpu({ ...me, durationMs: 1_500, thread: 'worker-1' });
  const { profileIds, state } = await harness.captures.waitFor(id, { timeoutMs: 20_000 });
  expect(state).toBe('succeeded');
  expect(readingsOf(harness, profileIds[0]).problem).toMatch(/^the active span could not be read: /);
});

it('says so where the program has no OpenTelemetry', async () => {
  await using target = await startTarget('busy');
  await using harness = await openHarness([target.inspectorAddress], { spanReading: { rateHz: 50 } });
  const operation = await harness.ended(await harness.captures.startCpu({ ...me, durationMs: 400 }));
  expect(readingsOf(harness, operation.profileIds[0])).toMatchObject({
    timesUs: [],
    problem: 'no OpenTelemetry API is loaded in this thread',
  });
});

it('takes no answer for a span that has no ids of one, and refuses one of another shape', () => {
  const ids = ['a'.repeat(32), 'b'.repeat(16)];
  expect(decodeSpanReading([1, 500, 2_000, [...ids, 'GET', '/'], 5])).toEqual({
    monotonicUs: 1_000_000.5,
    wallMs: 2_000,
    what: { traceId: ids[0], spanId: ids[1], name: 'GET', route: '/' },
    costUs: 5,
  });
  for (const what of [['x', ids[1], '', ''], ['0'.repeat(32), ids[1], '', ''], 'else', null, 7])
    expect(decodeSpanReading([1, 500, 2_000, what, 5]).what).toBe('unknown');
  for (const bad of [null, [], ['1', 2, 3, 'none', 4], [1, 2, 3, 'none'], [NaN, 2, 3, 'none', 4]])
    expect(() => decodeSpanReading(bad)).toThrow(expect.objectContaining({ code: 'inspector-bad-answer' }));
});

it('keeps as many as an hour has, shares spans, and comes back from the store as it was', () => {
  const log = new SpanLog();
  const at = (index: number, what: SpanReading['what']): SpanReading => {
    return { monotonicUs: index * 50_000 + 0.4, wallMs: 1_000 + index * 50, what, costUs: 5 };
  };
  const span = (index: number): SpanReading['what'] => {
    return { traceId: 'a'.repeat(32), spanId: (index % 30_000).toString(16).padStart(16, '0'), name: 'x', route: null };
  };
  const kept = Array.from({ length: 80_000 }, (_, index) => log.add(at(index, span(index))));
  expect(log.add(at(1, 'idle'))).toBe(true);
  const readings = log.finish(undefined);
  expect(readings.spans).toHaveLength(20_000);
  expect(readings.dropped).toBe(kept.filter((isKept) => !isKept).length);
  expect(readings.dropped).toBeGreaterThan(8_000);
  expect(readings.wallOffsetMs).toBeCloseTo(1_000.5, 2);
  const bytes = encodeReadings(readings);
  expect(bytes.length).toBeLessThan(1_000_000);
  expect(decodeReadings(bytes)).toEqual({ ...readings, timesUs: readings.timesUs.map(Math.round) });
  const none = new SpanLog();
  none.add(at(0, 'none'));
  expect(none.finish('why')).toMatchObject({ spanIndexes: [readingOf.noneRan], problem: 'why' });
});
