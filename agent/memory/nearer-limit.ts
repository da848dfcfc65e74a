import type { Vitals } from '../../protocol/rest/vitals.ts';

export interface LimitUse {
  readonly pool: 'heap' | 'container';
  readonly usedBytes: number;
  readonly limitBytes: number;
  readonly share: number;
  /**
   * The share with what V8 keeps free for young objects: a heap that grows fast dies when the two together reach the limit (Node 24: old generation at 82 %,
   * 33 MB kept free), one that grows slowly gives the room back first. Enough to look for sites, and too little for an alert.
   */
  readonly pressure: number;
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

/** What the limit of the heap depends on beside what V8 tells of it. */
export interface HeapSettings {
  readonly nodeVersion: string;
  /** `--max-old-space-size`; null where it was not set, or is not known. */
  readonly oldSpaceMiB: number | null;
}

/**
 * The limit that V8 dies at is the old generation's. What it tells as `heap_size_limit` has the young generation's reserve in it, which never fills: 48 MiB on
 * Node 18-22, 192 MiB on 24, 96 MiB on 26 (measured), less where the container is small. With `--max-old-space-size=60` Node 24 tells 252 MiB and dies at 60.
 * At its death the old generation is at 95-99 % of this on all of them; at 83-86 % on 18 when the heap is below 100 MiB, where young objects need the rest.
 */
export function oldGenerationLimitBytes(heapLimitBytes: number, { nodeVersion, oldSpaceMiB }: HeapSettings): number {
  const setBytes = (oldSpaceMiB ?? 0) * 2 ** 20;
  if (setBytes > 0 && setBytes <= heapLimitBytes) return setBytes;
  const major = Number(/^v?(\d+)/.exec(nodeVersion)?.[1]);
  const reserveBytes = (major <= 23 ? 48 : major <= 25 ? 192 : 96) * 2 ** 20;
  // V8 takes a sixty-fourth of a small old generation for each of the three parts of the reserve at most.
  return Math.max(heapLimitBytes - reserveBytes, heapLimitBytes / (1 + 3 / 64));
}

/** How near the memory of a reading is to its limits. Absurd ones are not believed, and `notes` says so. */
export function limitUses(
  { memory, cgroup, error }: Pick<Vitals, 'memory' | 'cgroup' | 'error'>,
  settings: HeapSettings,
): LimitUses {
  if (error !== null && memory.heapUsedBytes === null && memory.rssBytes === null)
    return { uses: [], notes: [`no reading: ${error.message}`] };
  // The file cache is not what the kernel kills for.
  const containerBytes = cgroup?.workingSetBytes ?? memory.rssBytes;
  const { heapUsedBytes, heapLimitBytes, spaces } = memory;
  const youngBytes = spaces.reduce((sum, { name, usedBytes }) => (name.startsWith('new_') ? sum + usedBytes : sum), 0);
  // Two halves, of which objects are copied from one to the other.
  const keptFreeBytes = (spaces.find(({ name }) => name === 'new_space')?.sizeBytes ?? 0) / 2;
  const candidates = [
    {
      pool: 'heap',
      usedBytes: heapUsedBytes === null ? null : Math.max(0, heapUsedBytes - youngBytes),
      limitBytes: heapLimitBytes === null ? null : oldGenerationLimitBytes(heapLimitBytes, settings),
    },
    { pool: 'container', usedBytes: containerBytes, limitBytes: memory.containerLimitBytes },
  ] as const;
  const uses: LimitUse[] = [];
  const notes: string[] = [];
  for (const { pool, usedBytes, limitBytes } of candidates) {
    const note = doubtOf({ pool, usedBytes, limitBytes });
    if (note !== undefined) notes.push(note);
    else if (usedBytes !== null && limitBytes !== null)
      uses.push({
        pool,
        usedBytes,
        limitBytes,
        share: usedBytes / limitBytes,
        pressure: (usedBytes + (pool === 'heap' ? keptFreeBytes : 0)) / limitBytes,
      });
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
