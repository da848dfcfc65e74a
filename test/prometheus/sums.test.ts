import { expect, test } from 'vitest';
import { increaseOf } from '../../protocol/prometheus/increase.ts';
import { histogramQuantile } from '../../protocol/prometheus/quantile.ts';

const none = Number.NaN;
const never = () => false;

test.each([
  ['what it grew', [1, 3, 10], never, 9],
  ['a start from zero in the middle', [5, 8, 2, 4], never, 7],
  ['a drop to zero', [5, 0, 0], never, 0],
  ['a restart that overtook the old process', [5, 8, 20], (index: number) => index === 2, 23],
  ['pages that did not have it', [1, none, 4, none], never, 3],
  ['its first event, when it appears', [none, none, 2, 3], never, 3],
  ['nothing, when it was there once', [7, none], never, 0],
  ['not known from one page', [7], never, undefined],
  ['not known when no page has it', [none, none], never, undefined],
])('the increase of a counter is %s', (...[, values, isRestart, expected]) => {
  expect(increaseOf(values, isRestart)).toBe(expected);
});

const buckets = (...pairs: [number, number][]) => pairs.map(([bound, count]) => ({ bound, count }));

test.each([
  ['linear within its bucket', 0.5, buckets([1, 0], [2, 10], [Infinity, 10]), 1.5],
  ['from zero in the first one', 0.5, buckets([2, 10], [Infinity, 10]), 1],
  ['the lower bound of the last one', 0.99, buckets([1, 5], [Infinity, 10]), 1],
  ['the bound of a first bucket below zero', 0.1, buckets([-1, 5], [Infinity, 10]), -1],
  ['of buckets in any order', 0.5, buckets([Infinity, 10], [2, 10], [1, 0]), 1.5],
  ['of counts that fall by a few', 0.5, buckets([1, 6], [2, 5], [Infinity, 10]), 5 / 6],
  ['unknown without observations', 0.5, buckets([1, 0], [Infinity, 0]), undefined],
  ['unknown without the bucket of all', 0.5, buckets([1, 5]), undefined],
  ['unknown for what is no share', 1.5, buckets([1, 5], [Infinity, 5]), undefined],
])('the quantile of a histogram is %s', (...[, q, histogram, expected]) => {
  expect(histogramQuantile(q, histogram)).toBe(expected);
});
