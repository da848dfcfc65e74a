import { expect, it } from 'vitest';
import { Histogram, quantileErrorShare } from '../../agent/requests/histogram.ts';
import { otherName, slotMs, WindowedTable } from '../../agent/requests/windowed-table.ts';

it('tells quantiles within the error that it names, over nine orders of magnitude', () => {
  let seed = 3;
  const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  for (let round = 0; round < 20; round++) {
    const values = Array.from({ length: 500 }, () => 10 ** (random() * 9 - 2.9)).toSorted((a, b) => a - b);
    const parts = [new Histogram(), new Histogram()] as const;
    for (const [index, value] of values.entries()) parts[index % 2 === 0 ? 0 : 1].add(value);
    const all = new Histogram();
    for (const part of parts) all.merge(part);
    expect(all.count).toBe(500);
    for (const q of [0.01, 0.5, 0.95, 0.99, 1]) {
      const exact = values[Math.ceil(q * 500) - 1]!;
      expect(Math.abs(all.quantile(q)! / exact - 1)).toBeLessThanOrEqual(quantileErrorShare);
    }
  }
});

it('counts what is no duration as the shortest, and what is endless as the longest', () => {
  const histogram = new Histogram();
  for (const value of [0, -1, NaN, Infinity]) histogram.add(value);
  expect([histogram.count, histogram.quantile(0.5)! < 0.002, histogram.quantile(1)! > 1e7]).toEqual([4, true, true]);
  expect(new Histogram().quantile(0.5)).toBeNull();
});

it('forgets after an hour, reads from a time on, and stands a clock that goes back', () => {
  const table = new WindowedTable({ maxRows: 10, create: () => ({ count: 0 }) });
  const at = (slot: number, name: string): unknown => (table.row('g', name, slot * slotMs).count += 1);
  for (const slot of [100, 100, 101, 105, 103]) at(slot, 'a');
  const counts = (since: number | undefined, now: number) =>
    table.read(since, now * slotMs).rows.map(({ row }) => row.count);
  expect(counts(undefined, 105)).toEqual([2, 1, 2]);
  expect(counts(101 * slotMs, 105)).toEqual([1, 2]);
  expect(counts(undefined, 113)).toEqual([2]);
  expect(table.read(undefined, 105 * slotMs).fromMs).toBe(100 * slotMs);
  for (let name = 0; name < 30; name++) at(105, `name ${name}`);
  const names = table.read(undefined, 105 * slotMs).rows.map(({ name }) => name);
  expect([names.length, names.at(-1), table.overflowed]).toEqual([13, otherName, 21]);
});
