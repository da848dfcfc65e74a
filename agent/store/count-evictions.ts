import type { RecordIndex } from './record-table.ts';

export interface CountedIndex extends RecordIndex {
  /** By kind: how many records made room for newer ones. */
  readonly evicted: ReadonlyMap<string, number>;
}

/** The same index, which counts what its tables of records let go at their bounds. */
export function countEvictions(index: RecordIndex): CountedIndex {
  const evicted = new Map<string, number>();
  return {
    inIndex: (attempt, work) => index.inIndex(attempt, work),
    noteEvicted: (kind, count) => void evicted.set(kind, (evicted.get(kind) ?? 0) + count),
    evicted,
  };
}
