import type { FlameTree } from './flame-tree.ts';

/** What each function has, by its index in the tree's frames; 0 for those that are not in it. */
export interface FunctionSums {
  readonly self: Float64Array;
  /** With all it called; a recursive call does not count again. */
  readonly totals: Float64Array;
}

export function sumFunctions({ frames, nodeFrames, ends, self, totals }: FlameTree): FunctionSums {
  const sums = { self: new Float64Array(frames.length), totals: new Float64Array(frames.length) };
  const openUntil = new Uint32Array(frames.length);
  for (let node = 1; node < nodeFrames.length; node++) {
    const frame = nodeFrames[node]!;
    sums.self[frame]! += self[node]!;
    // Below an open call of the same function.
    if (node < openUntil[frame]!) continue;
    openUntil[frame] = ends[node]!;
    sums.totals[frame]! += totals[node]!;
  }
  return sums;
}

export type FunctionOrder = 'self' | 'total' | 'name';

/** Indexes of frames that are in the tree, in this order; those that `isShown` leaves. */
export function orderFunctions(
  { frames }: Pick<FlameTree, 'frames'>,
  sums: FunctionSums,
  { order, isShown }: { order: FunctionOrder; isShown: (frame: number) => boolean },
): number[] {
  const present = frames.map((_, index) => index).filter((index) => sums.totals[index]! > 0 && isShown(index));
  const heavier = (a: number, b: number): number =>
    sums.self[b]! - sums.self[a]! || sums.totals[b]! - sums.totals[a]! || a - b;
  if (order === 'self') return present.sort(heavier);
  if (order === 'total') return present.sort((a, b) => sums.totals[b]! - sums.totals[a]! || heavier(a, b));
  return present.sort((a, b) => (frames[a]!.functionName < frames[b]!.functionName ? -1 : 1));
}
