import type { Death } from '../../protocol/rest/deaths.ts';
import type { MemoryLimit } from '../../protocol/rest/memory-limit.ts';
import type { Vitals, VitalsPoint } from '../../protocol/rest/vitals.ts';

/** Less than this in ten minutes is nothing that a process dies of. */
const leastGrowthBytes = 4e6;

/** What grew in the last minutes: the pool that it died of, where it died of memory. */
export function deathMemory(parts: {
  readonly points: readonly VitalsPoint[];
  readonly last: Vitals | undefined;
  readonly limit: MemoryLimit | null;
  readonly cause: Death['cause'];
}): Death['memory'] {
  const { points, last, limit, cause } = parts;
  const grown = (['heap', 'external', 'native'] as const)
    .map((pool) => ({ pool, grownBytes: growthOf(points, last, pool) }))
    .filter((each): each is { pool: typeof each.pool; grownBytes: number } => each.grownBytes !== null)
    .toSorted((a, b) => b.grownBytes - a.grownBytes);
  if (cause === 'v8-out-of-memory') {
    const heap = grown.find(({ pool }) => pool === 'heap');
    return { pool: 'heap', grownBytes: heap === undefined ? null : Math.round(heap.grownBytes), limit };
  }
  const [most] = grown;
  const isGrowth = most !== undefined && most.grownBytes >= leastGrowthBytes;
  return { pool: isGrowth ? most.pool : null, grownBytes: isGrowth ? Math.round(most.grownBytes) : null, limit };
}

type Pool = 'heap' | 'external' | 'native';

function growthOf(points: readonly VitalsPoint[], last: Vitals | undefined, pool: Pool): number | null {
  const values = points.map((point) => amountOf(point, pool)).filter((value) => value !== null);
  const now = last === undefined ? null : amountOf(last.memory, pool);
  const end = now ?? values.at(-1);
  return end === undefined || values.length === 0 ? null : end - Math.min(...values);
}

interface Amounts {
  readonly rssBytes: number | null;
  readonly heapUsedBytes: number | null;
  readonly heapTotalBytes: number | null;
  readonly externalBytes: number | null;
}

/** Native: of the resident memory what V8 knows nothing of. */
function amountOf({ rssBytes, heapUsedBytes, heapTotalBytes, externalBytes }: Amounts, pool: Pool): number | null {
  switch (pool) {
    case 'heap':
      return heapUsedBytes;
    case 'external':
      return externalBytes;
    case 'native':
      return rssBytes === null || heapTotalBytes === null || externalBytes === null
        ? null
        : Math.max(0, rssBytes - heapTotalBytes - externalBytes);
  }
}
