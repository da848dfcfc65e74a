import { expect, test } from 'vitest';
import { watchedFindings } from './watched-findings.ts';

const mb = 1e6;
const rested = { rss: 100 * mb, 'heap-floor': 30 * mb, 'external-floor': 5 * mb, 'delay-p99': 12, starved: 0.04 };
const swollen = { ...rested, rss: 175 * mb, starved: 0.7 };

function watched(baseline: Record<string, number>) {
  const at = watchedFindings(baseline, 'unknown');
  return (...asked: Parameters<typeof at>): string[] =>
    at(...asked).map(
      ({ change, regression: { metric, outcome, severity } }) => `${change} ${metric} ${outcome} ${severity}`,
    );
}

test('RSS that grew while the process got no CPU, and collections leave what they left, is explained for an hour', () => {
  const at = watched(rested);
  expect(at(0, swollen)).toEqual(['opened rss explained critical']);
  // It has its CPU again, and gives nothing back.
  expect(at(20, { ...swollen, starved: 0.05 })).toEqual(['updated rss explained critical']);
  expect(at(61, { ...swollen, starved: 0.05 })).toEqual(['updated rss sent critical']);
  expect(at(70, rested)).toEqual(['ended rss sent critical']);
  // A later one has to be explained anew.
  expect(at(80, { ...swollen, starved: 0.05 })).toEqual(['opened rss sent critical']);
});

test('what the heap or Buffers hold is sent at once, starved or not', () => {
  expect(watched(rested)(0, { ...swollen, 'heap-floor': 100 * mb })).toEqual([
    'opened rss sent critical',
    'opened heap-floor sent critical',
  ]);
  expect(watched(rested)(0, { ...swollen, 'external-floor': 70 * mb })).toEqual(['opened rss sent critical']);
});

test('a baseline that was starved as much, or does not say, explains nothing', () => {
  expect(watched({ ...rested, starved: 0.68 })(0, swollen)).toEqual(['opened rss sent critical']);
  const { starved: _, ...older } = rested;
  expect(watched(older)(0, swollen)).toEqual(['opened rss sent critical']);
});

test('a loop that turns late for want of CPU is explained', () => {
  expect(watched(rested)(0, { ...rested, 'delay-p99': 200, starved: 0.7 })).toEqual([
    'opened delay-p99 explained warning',
  ]);
  expect(watched(rested)(0, { ...rested, 'delay-p99': 200 })).toEqual(['opened delay-p99 sent warning']);
});
