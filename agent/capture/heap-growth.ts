import type { HeapDiff } from '../../protocol/heap-snapshot/diff.ts';
import { growth } from '../../protocol/heap-snapshot/class-changes.ts';
import { heapGrowthRowsMax, type HeapGrowth } from '../../protocol/rest/leak-snapshots.ts';
import type { Profile } from '../../protocol/rest/profile.ts';

/** Paths of linked lists are long. */
const textMax = 300;
/** Less tells nothing. */
const leastShare = 0.01;

/** The little of a comparison that a leak is told with, some 2 kB. */
export function heapGrowthOf(diff: HeapDiff, { before, after }: { before: Profile; after: Profile }): HeapGrowth {
  const { newBytes, freedBytes } = diff.totals;
  return {
    before: before.id,
    after: after.id,
    beforeAt: before.startedAt,
    afterAt: after.startedAt,
    warning: diff.warning,
    newBytes,
    freedBytes,
    classes: diff.classes
      .map(({ name, counts, retainedBytes }) => ({
        name: cut(name),
        counts: [counts[0] ?? 0, counts.at(-1) ?? 0] satisfies [number, number],
        grownBytes: growth(retainedBytes),
      }))
      .filter(({ grownBytes }) => grownBytes > 0)
      .slice(0, heapGrowthRowsMax),
    paths: diff.grown
      .map(({ className, path, count, retainedBytes }) => ({
        className: cut(className),
        path: cut(path),
        count,
        retainedBytes,
        // A new object may have got hold of old ones: then it retains more than is new.
        share: newBytes === 0 ? 0 : Math.min(1, retainedBytes / newBytes),
      }))
      .filter(({ share, path, className }) => share >= leastShare && path !== className)
      .slice(0, heapGrowthRowsMax),
  };
}

function cut(text: string): string {
  return text.length <= textMax ? text : `${text.slice(0, textMax / 2)}…${text.slice(-textMax / 2)}`;
}
