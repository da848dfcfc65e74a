import type { Vitals } from '../../protocol/rest/vitals.ts';

export interface LimitUse {
  readonly pool: 'heap' | 'container';
  readonly usedBytes: number;
  readonly limitBytes: number;
  readonly share: number;
}

export interface LimitUses {
  /** Those that are known, the nearer one first. */
  readonly uses: readonly LimitUse[];
  /** Why a limit is not among them. */
  readonly notes: readonly string[];
}

/** What is used cannot be far above a limit that is one: the kernel kills there. */
const believableShare = 1.1;
/** No isolate of Node starts with less, no process has more. */
const believableBytes = { min: 4 * 2 ** 20, max: 2 ** 50 };

/** How near the memory of a reading is to its limits. Absurd ones are not believed, and `notes` says so. */
export function limitUses({ memory, cgroup, error }: Pick<Vitals, 'memory' | 'cgroup' | 'error'>): LimitUses {
  if (error !== null && memory.heapUsedBytes === null && memory.rssBytes === null)
    return { uses: [], notes: [`no reading: ${error.message}`] };
  // The file cache is not what the kernel kills for.
  const containerBytes = cgroup?.workingSetBytes ?? memory.rssBytes;
  const candidates = [
    { pool: 'heap', usedBytes: memory.heapUsedBytes, limitBytes: memory.heapLimitBytes },
    { pool: 'container', usedBytes: containerBytes, limitBytes: memory.containerLimitBytes },
  ] as const;
  const uses: LimitUse[] = [];
  const notes: string[] = [];
  for (const { pool, usedBytes, limitBytes } of candidates) {
    const note = doubtOf({ pool, usedBytes, limitBytes });
    if (note !== undefined) notes.push(note);
    else if (usedBytes !== null && limitBytes !== null)
      uses.push({ pool, usedBytes, limitBytes, share: usedBytes / limitBytes });
  }
  return { uses: uses.toSorted((a, b) => b.share - a.share), notes };
}

function doubtOf(limit: { pool: string; usedBytes: number | null; limitBytes: number | null }): string | undefined {
  const { pool, usedBytes, limitBytes } = limit;
  const name = `the ${pool} limit`;
  if (limitBytes === null)
    return pool === 'heap'
      ? `${name} is not known yet`
      : `${name} is not known, or there is none: only the heap's counts`;
  if (!Number.isFinite(limitBytes) || limitBytes < believableBytes.min || limitBytes > believableBytes.max)
    return `${name} of ${limitBytes} bytes is absurd and does not count`;
  if (usedBytes === null) return `how much of ${name} is used is not known`;
  return usedBytes > believableShare * limitBytes
    ? `${name} of ${limitBytes} bytes is less than the ${usedBytes} used: it cannot be one, and does not count`
    : undefined;
}
