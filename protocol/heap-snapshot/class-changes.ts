import type { HeapClass } from './classes.ts';

export interface ClassChange {
  readonly name: string;
  /** One per snapshot, the first one first; 0 where there is none. */
  readonly counts: readonly number[];
  readonly selfBytes: readonly number[];
  readonly retainedBytes: readonly number[];
  /** In the last, not in the first. */
  readonly newCount: number;
  readonly newBytes: number;
  /** In the first, not in the last. */
  readonly freedCount: number;
  readonly freedBytes: number;
  /** Never fewer, and more at last, in each snapshot of three: what neither a burst nor a cache that is full does. */
  readonly isGrowingSteadily: boolean;
}

export interface DiffTotals {
  readonly newCount: number;
  readonly newBytes: number;
  readonly freedCount: number;
  readonly freedBytes: number;
  readonly survivedCount: number;
  readonly survivedBytes: number;
}

/** What can be said without telling objects apart: new and freed is what a class has more or fewer of at last. The earliest histogram first. */
export function diffHistograms(histograms: readonly (readonly HeapClass[])[]): {
  totals: DiffTotals;
  classes: ClassChange[];
} {
  const changes = new ClassChanges();
  const totals = { newCount: 0, newBytes: 0, freedCount: 0, freedBytes: 0, survivedCount: 0, survivedBytes: 0 };
  const before = new Map(histograms[0]!.map((entry) => [entry.name, entry]));
  const after = new Map(histograms.at(-1)!.map((entry) => [entry.name, entry]));
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const [old, now] = [before.get(name) ?? nothing, after.get(name) ?? nothing];
    const more = { count: Math.max(0, now.count - old.count), bytes: Math.max(0, now.selfBytes - old.selfBytes) };
    const fewer = { count: Math.max(0, old.count - now.count), bytes: Math.max(0, old.selfBytes - now.selfBytes) };
    if (more.count + more.bytes > 0) changes.addNew(name, more.bytes, more.count);
    if (fewer.count + fewer.bytes > 0) changes.addFreed(name, fewer.bytes, fewer.count);
    totals.newCount += more.count;
    totals.newBytes += more.bytes;
    totals.freedCount += fewer.count;
    totals.freedBytes += fewer.bytes;
    totals.survivedCount += old.count - fewer.count;
    totals.survivedBytes += old.selfBytes - fewer.bytes;
  }
  return { totals, classes: changes.list(histograms) };
}

const nothing = { count: 0, selfBytes: 0 };

export class ClassChanges {
  readonly #byName = new Map<string, { newCount: number; newBytes: number; freedCount: number; freedBytes: number }>();

  addNew(name: string, bytes: number, count = 1): void {
    const change = this.#of(name);
    change.newCount += count;
    change.newBytes += bytes;
  }

  addFreed(name: string, bytes: number, count = 1): void {
    const change = this.#of(name);
    change.freedCount += count;
    change.freedBytes += bytes;
  }

  list(histograms: readonly (readonly HeapClass[])[]): ClassChange[] {
    const byName = histograms.map((classes) => new Map(classes.map((entry) => [entry.name, entry])));
    const changes = [...this.#byName].map(([name, change]) => {
      const column = (field: 'count' | 'selfBytes' | 'retainedBytes'): number[] =>
        byName.map((classes) => classes.get(name)?.[field] ?? 0);
      const counts = column('count');
      return {
        name,
        counts,
        selfBytes: column('selfBytes'),
        retainedBytes: column('retainedBytes'),
        ...change,
        isGrowingSteadily:
          counts.length > 2 && counts.every((count, index) => index === 0 || count > counts[index - 1]!),
      };
    });
    return changes.sort(
      (a, b) =>
        growth(b.retainedBytes) - growth(a.retainedBytes) ||
        growth(b.selfBytes) - growth(a.selfBytes) ||
        (a.name < b.name ? -1 : 1),
    );
  }

  #of(name: string) {
    let change = this.#byName.get(name);
    if (change === undefined) {
      change = { newCount: 0, newBytes: 0, freedCount: 0, freedBytes: 0 };
      this.#byName.set(name, change);
    }
    return change;
  }
}

export function growth(values: readonly number[]): number {
  return values.at(-1)! - values[0]!;
}
