import { expect, test } from 'vitest';
import { byCorrelation, windowsAround } from '../../agent/baseline/correlated.ts';
import { SeriesWindows } from '../../agent/baseline/series-windows.ts';
import type { ScrapeRow } from '../../agent/baseline/scrape-row.ts';
import type { Window } from '../../agent/baseline/window.ts';

const originMs = 1_000_000;

/** A page a minute, 10 s into each window: a counter of 60 a minute and then 120, a gauge that is the number of the page. */
function page(index: number, counter: number, startedS = 5): ScrapeRow {
  return {
    atMs: 0,
    elapsedMs: index * 60_000 + 10_000,
    startedS,
    ids: Uint32Array.of(1, 2),
    values: Float64Array.of(counter, index),
  };
}

function windowAt(index: number, cpu = 0.3): Window {
  const fromMs = originMs + index * 60_000;
  return { fromMs, toMs: fromMs + 60_000, values: { cpu }, loadSource: 'unknown', routeRequests: {} };
}

test('a series is known by the last page in a window: its value, or its rate since the page before', () => {
  const windows = new SeriesWindows([page(0, 60), page(1, 120), page(2, 240)], originMs);
  const counter = { id: 1, isRate: true };
  expect([0, 1, 2, 3].map((index) => windows.valueIn(counter, windowAt(index)))).toEqual([undefined, 1, 2, undefined]);
  const gauge = { id: 2, isRate: false };
  expect([0, 1, 2, 3].map((index) => windows.valueIn(gauge, windowAt(index)))).toEqual([0, 1, 2, undefined]);
  expect(windows.valueIn({ id: 9, isRate: false }, windowAt(1))).toBeUndefined();
});

test('a restart between two pages is no fall of a counter', () => {
  const windows = new SeriesWindows([page(0, 6_000), page(1, 30, 65)], originMs);
  expect(windows.valueIn({ id: 1, isRate: true }, windowAt(1))).toBe(0.5);
});

test('of series that moved the one that goes with the metric comes first, with its number', () => {
  const history = Array.from({ length: 12 }, (_, index) => windowAt(index, index < 8 ? 0.3 + (index % 3) / 100 : 0.6));
  const around = windowsAround({ history, sinceMs: originMs + 8 * 60_000 });
  expect(around).toHaveLength(12);
  const counts = Array.from({ length: 12 }, (_, index) => (index < 8 ? 60 * index : 480 + 240 * (index - 8)));
  const windows = new SeriesWindows(
    counts.map((count, index) => page(index, count)),
    originMs,
  );
  const ids = new Map([
    ['rate of jobs', { id: 1, isRate: true }],
    ['unknown', { id: 9, isRate: false }],
  ]);
  const moved = [...ids.keys()].reverse().map((name) => ({ name, baseline: 1, now: 4 }));
  const correlated = byCorrelation(moved, {
    windows: around,
    metric: 'cpu',
    valueOf: (name, window) => windows.valueIn(ids.get(name) ?? { id: 0, isRate: false }, window),
  });
  expect(correlated.map(({ name, windows: of }) => [name, of])).toEqual([
    ['rate of jobs', 11],
    ['unknown', 0],
  ]);
  expect(correlated[0]?.correlation).toBeGreaterThan(0.7);
  expect(correlated[1]?.correlation).toBeNull();
});

test('with nothing from before the change there is nothing to correlate', () => {
  expect(windowsAround({ history: [windowAt(0), windowAt(1)], sinceMs: originMs })).toEqual([]);
});
