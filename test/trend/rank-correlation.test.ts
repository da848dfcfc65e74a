import { expect, test } from 'vitest';
import { rankCorrelation } from '../../protocol/trend/rank-correlation.ts';
import { seededRandom } from '../memory/simulated-process.ts';

const pairsOf = (a: readonly number[], b: readonly number[]) =>
  a.map((value, index): [number, number] => [value, b[index] ?? 0]);

interface Shape {
  name: string;
  a: readonly number[];
  b: readonly number[];
  expected: number;
}

test.each<Shape>([
  {
    name: 'rise together, whatever the scale',
    a: [1, 2, 3, 4, 5, 6],
    b: [1, 10, 100, 1e4, 1e5, 1e9],
    expected: 1,
  },
  { name: 'go opposite ways', a: [1, 2, 3, 4, 5, 6], b: [60, 50, 40, 30, 20, 10], expected: -1 },
  { name: 'are a step each, at the same time', a: [1, 1, 1, 9, 9, 9], b: [5, 5, 5, 6, 6, 6], expected: 1 },
  // Ranks 0..5 and 1 0 3 2 5 4: 1 - 6 * 6 / (6 * 35).
  { name: 'swap neighbours', a: [1, 2, 3, 4, 5, 6], b: [2, 1, 4, 3, 6, 5], expected: 1 - 36 / 210 },
  // Ties share the middle rank: Pearson of (0 1 2 3 4 5) and (0.5 0.5 2 3.5 3.5 5).
  { name: 'have ties', a: [1, 2, 3, 4, 5, 6], b: [7, 7, 8, 9, 9, 10], expected: 16.5 / Math.sqrt(17.5 * 16.5) },
])('two measures that $name', ({ a, b, expected }) => {
  expect(rankCorrelation(pairsOf(a, b))).toBeCloseTo(expected, 12);
  expect(rankCorrelation(pairsOf(b, a))).toBeCloseTo(expected, 12);
});

test('too few pairs, or one that never changes, say nothing', () => {
  expect(rankCorrelation(pairsOf([1, 2, 3, 4, 5], [1, 2, 3, 4, 5]))).toBeUndefined();
  expect(rankCorrelation(pairsOf([1, 2, 3, 4, 5, 6], [3, 3, 3, 3, 3, 3]))).toBeUndefined();
});

test('agrees with the plain definition on random values', () => {
  const random = seededRandom(11);
  for (let round = 0; round < 50; round++) {
    const pairs = Array.from({ length: 6 + Math.floor(random() * 30) }, (): [number, number] => [
      Math.floor(random() * 8),
      Math.floor(random() * 8),
    ]);
    const found = rankCorrelation(pairs);
    const plain = pearson(
      pairs.map(([a]) =>
        rank(
          a,
          pairs.map(([other]) => other),
        ),
      ),
      pairs.map(([, b]) =>
        rank(
          b,
          pairs.map(([, other]) => other),
        ),
      ),
    );
    if (Number.isNaN(plain)) expect(found).toBeUndefined();
    else expect(found).toBeCloseTo(plain, 10);
  }
});

function rank(value: number, all: readonly number[]): number {
  return all.filter((other) => other < value).length + all.filter((other) => other === value).length / 2;
}

function pearson(a: readonly number[], b: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  const sum = (of: (index: number) => number) => a.reduce((total, _, index) => total + of(index), 0);
  const both = sum((index) => ((a[index] ?? 0) - meanA) * ((b[index] ?? 0) - meanB));
  return both / Math.sqrt(sum((index) => ((a[index] ?? 0) - meanA) ** 2) * sum((i) => ((b[i] ?? 0) - meanB) ** 2));
}
