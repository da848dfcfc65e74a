/** Neighbouring bounds: a quantile is told by the middle of its bucket, so it is wrong by 5 % at most. */
const growth = 1.1;
export const quantileErrorShare = 0.05;
const perUnit = 1 / Math.log(growth);
/** 1 µs; what is shorter counts as that. */
const lowestMs = 0.001;
/** Behind it (about 5 hours) all is one bucket. */
const maxBucket = 250;
export const bucketCount = maxBucket + 1;

/** Durations in buckets that grow by 10 %: 1 µs to hours, in as many numbers as there are buckets between the shortest and the longest. */
export class Histogram {
  #counts = new Uint32Array(0);
  #first = 0;
  #total = 0;

  get count(): number {
    return this.#total;
  }

  add(durationMs: number): void {
    this.#bump(bucketOf(durationMs), 1);
  }

  merge(other: Histogram): void {
    other.#counts.forEach((count, index) => {
      if (count > 0) this.#bump(other.#first + index, count);
    });
  }

  /** `q` from 0 to 1; null when empty. */
  quantile(q: number): number | null {
    if (this.#total === 0) return null;
    let left = Math.max(1, Math.ceil(q * this.#total));
    for (const [index, count] of this.#counts.entries()) {
      left -= count;
      if (left <= 0) return middleOf(this.#first + index);
    }
    return null;
  }

  #bump(bucket: number, count: number): void {
    if (this.#counts.length === 0) this.#first = bucket;
    if (bucket < this.#first) this.#grow(this.#first - bucket, 0);
    else if (bucket >= this.#first + this.#counts.length) this.#grow(0, bucket + 1 - this.#first - this.#counts.length);
    this.#counts[bucket - this.#first]! += count;
    this.#total += count;
  }

  #grow(before: number, after: number): void {
    const counts = new Uint32Array(before + this.#counts.length + after);
    counts.set(this.#counts, before);
    this.#counts = counts;
    this.#first -= before;
  }
}

export function bucketOf(durationMs: number): number {
  if (!(durationMs > lowestMs)) return 0;
  return Math.min(maxBucket, Math.floor(Math.log(durationMs / lowestMs) * perUnit));
}

/** Of counts by bucket; null where `total` is 0. */
export function quantileOfBuckets(
  counts: Uint32Array,
  { q, total }: { readonly q: number; readonly total: number },
): number | null {
  if (total === 0) return null;
  let left = Math.max(1, Math.ceil(q * total));
  for (let bucket = 0; bucket < counts.length; bucket++) {
    left -= counts[bucket]!;
    if (left <= 0) return middleOf(bucket);
  }
  return null;
}

function middleOf(bucket: number): number {
  return lowestMs * growth ** (bucket + 0.5);
}
