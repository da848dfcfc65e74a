export interface HistogramBucket {
  /** Upper bound: the number behind `le`. */
  readonly bound: number;
  /** Of observations up to it, those of the buckets below included. */
  readonly count: number;
}

/**
 * What a share `q` of the observations stayed below: linear within the bucket, as Prometheus has it. In the last bucket it is that bucket's lower
 * bound, in the first one, when its bound is positive, it starts from zero. Undefined without observations or without the `+Inf` bucket.
 */
export function histogramQuantile(q: number, buckets: readonly HistogramBucket[]): number | undefined {
  const sorted = monotonic(buckets.filter(({ bound }) => !Number.isNaN(bound)).sort((a, b) => a.bound - b.bound));
  const last = sorted.at(-1);
  if (last === undefined || last.bound !== Infinity || last.count <= 0 || !(q >= 0 && q <= 1)) return undefined;
  const rank = q * last.count;
  const index = sorted.findIndex(({ count }) => count >= rank);
  const bucket = sorted[index];
  const below = sorted[index - 1];
  if (bucket === undefined) return undefined;
  if (bucket.bound === Infinity) return below?.bound;
  if (below === undefined && bucket.bound <= 0) return bucket.bound;
  const [fromBound, fromCount] = below === undefined ? [0, 0] : [below.bound, below.count];
  const inside = bucket.count - fromCount;
  return inside <= 0 ? bucket.bound : fromBound + ((bucket.bound - fromBound) * (rank - fromCount)) / inside;
}

/** Counts of different moments, or of several processes, may fall by a few. */
function monotonic(buckets: readonly HistogramBucket[]): HistogramBucket[] {
  let highest = 0;
  return buckets.map(({ bound, count }) => {
    highest = Math.max(highest, count);
    return { bound, count: highest };
  });
}
