import { expect, it } from 'vitest';
import { gapsOf } from '../../dashboard/model/waterfall-gaps.ts';
import { layoutWaterfall, ticksOf } from '../../dashboard/model/waterfall-layout.ts';
import { sampleCpu, sampleTimeline, sampleTimelineSpan } from './request-samples.ts';

it('places spans on the axis of the request', () => {
  const { bars, fromMs, toMs, ticks, bands } = layoutWaterfall(sampleTimeline());
  expect([fromMs, toMs]).toEqual([0, 400]);
  expect(bars.map(({ left, width, isClipped }) => [left, Number(width.toFixed(9)), isClipped])).toEqual([
    [0, 1, false],
    [0.01, 0.975, false],
    [0.025, 0.93, false],
  ]);
  expect(ticks.map(({ atMs }) => atMs)).toEqual([0, 100, 200, 300, 400]);
  expect(bands).toMatchObject([
    { kind: 'stall', left: 0.25, width: 0.5 },
    { kind: 'gc', left: 0, width: 1, text: 'GC: 2 pauses, 6 ms somewhere in the 5 s around it' },
  ]);
});

it('does not tell a pause that nobody measured as none', () => {
  const gc = { count: 1, pauseMs: 0 };
  const moments = [{ fromOffsetMs: -1_000, toOffsetMs: 1_000, gc, measures: [] }];
  const { bands } = layoutWaterfall(sampleTimeline({ stalls: [], moments }));
  expect(bands.map(({ text }) => text)).toEqual(['GC: 1 pause of unknown length somewhere in the 2 s around it']);
});

it('draws what is too short to be seen, clips what goes on long after the answer, and bounds the rows', () => {
  const rows = [
    sampleTimelineSpan({ durationMs: 10 }),
    sampleTimelineSpan({ offsetMs: 10, durationMs: 0 }),
    sampleTimelineSpan({ offsetMs: 5, durationMs: 90_000 }),
    ...Array.from({ length: 600 }, () => sampleTimelineSpan({ offsetMs: -0.5, durationMs: 1 })),
  ];
  const { bars, fromMs, toMs, omitted } = layoutWaterfall(sampleTimeline({ durationMs: 10, rows }));
  expect([fromMs, toMs, omitted, bars.length]).toEqual([-0.5, 20, 103, 500]);
  for (const { left, width } of bars) {
    expect(left).toBeGreaterThanOrEqual(0);
    expect(width).toBeGreaterThan(0);
    expect(left + width).toBeLessThanOrEqual(1 + 1e-9);
  }
  expect(bars[2]?.isClipped).toBe(true);
});

it('has no axis of nothing', () => {
  const { bars, toMs } = layoutWaterfall(sampleTimeline({ durationMs: 0, rows: [] }));
  expect([bars, toMs]).toEqual([[], 0.001]);
});

it.each([
  [0, 7, [0, 2, 4, 6]],
  [0, 0.05, [0, 0.01, 0.02, 0.03, 0.04, 0.05]],
  [-1, 12_000, [0, 5_000, 10_000]],
])('has round ticks from %d to %d', (fromMs, toMs, ticks) => {
  expect(ticksOf(fromMs, toMs).map((tick) => Number(tick.toPrecision(6)))).toEqual(ticks);
});

it('says where no span was open below another, and what is known of that time', () => {
  const rows = [
    sampleTimelineSpan({ spanId: 'a', durationMs: 400 }),
    sampleTimelineSpan({ spanId: 'b', parentSpanId: 'a', operation: 'SELECT 1', offsetMs: 10, durationMs: 50 }),
    sampleTimelineSpan({ spanId: 'c', parentSpanId: 'a', operation: 'GET /x', offsetMs: 20, durationMs: 10 }),
    sampleTimelineSpan({ spanId: 'd', parentSpanId: 'a', operation: 'SELECT 2', offsetMs: 260, durationMs: 100 }),
  ];
  const detail = sampleTimeline({ rows, moments: [] });
  const gaps = gapsOf(detail);
  expect(gaps.map(({ startMs, endMs, where, why }) => [startMs, endMs, where, why])).toEqual([
    [60, 260, 'between SELECT 1 and SELECT 2', 'for 160 ms of it fib (a.js:3) blocked for 200 ms'],
    [360, 400, 'after SELECT 2', expect.stringContaining('a CPU profile taken meanwhile would tell')],
  ]);
  const { gapsOfSpan, blocked } = layoutWaterfall(detail, gaps);
  expect(gapsOfSpan.get('a')).toMatchObject([
    { left: 0.15, width: 0.5 },
    { left: 0.9, width: expect.closeTo(0.1, 6) as number },
  ]);
  expect(blocked).toEqual([{ left: 0.25, width: 0.5, isClipped: false }]);
  const cpu = { ...sampleCpu, cpuMs: 180 };
  expect(gapsOf({ ...detail, stalls: [], cpu })[0]?.why).toBe(
    'the request was on the CPU for 180 ms in all, most of it in rank (search.ts:12)',
  );
});
