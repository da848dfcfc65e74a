/**
 * How much a cumulative series grew over its values, oldest first; NaN where it was not on the page. A fall is a start from zero, as is
 * `isRestart` before a value, which also shows when the new process has overtaken the old one. A series that appears between two pages counts
 * from zero: its first event made it. Undefined with fewer than two pages to compare.
 */
export function increaseOf(values: ArrayLike<number>, isRestart: (index: number) => boolean): number | undefined {
  let sum = 0;
  let last: number | undefined;
  for (let index = 0; index < values.length; index++) {
    const value = values[index] ?? Number.NaN;
    // Gone from the page, it may come back as it was: that is no event.
    if (Number.isNaN(value)) continue;
    const from = last ?? 0;
    if (index > 0) sum += isRestart(index) || value < from ? value : value - from;
    last = value;
  }
  return values.length < 2 || last === undefined ? undefined : sum;
}
