import { bucketCount, bucketOf, quantileOfBuckets } from './histogram.ts';

export interface EndedRequest {
  readonly name: string;
  readonly endMs: number;
  readonly durationMs: number;
  readonly failed: boolean;
}

/** Requests that ended in some time, with their durations in buckets: 1 kB. */
export class RequestSum {
  requests = 0;
  failed = 0;
  readonly counts = new Uint32Array(bucketCount);

  add({ durationMs, failed }: Pick<EndedRequest, 'durationMs' | 'failed'>): void {
    this.requests += 1;
    if (failed) this.failed += 1;
    this.counts[bucketOf(durationMs)]! += 1;
  }

  /** `q` from 0 to 1; null when nothing ended. */
  quantile(q: number): number | null {
    return quantileOfBuckets(this.counts, { q, total: this.requests });
  }
}

/** All requests of some time, and apart those of its busiest routes. */
export class RequestSums {
  readonly all = new RequestSum();
  readonly routes = new Map<string, RequestSum>();

  route(name: string): RequestSum {
    let sum = this.routes.get(name);
    if (sum === undefined) this.routes.set(name, (sum = new RequestSum()));
    return sum;
  }

  addTo(into: RequestSums): void {
    addSum(this.all, into.all);
    for (const [name, sum] of this.routes) addSum(sum, into.route(name));
  }

  seal(): SealedSums {
    return new SealedSums(this);
  }
}

function addSum(from: RequestSum, into: RequestSum): void {
  into.requests += from.requests;
  into.failed += from.failed;
  for (let bucket = 0; bucket < bucketCount; bucket++) into.counts[bucket]! += from.counts[bucket]!;
}

/** The same in 50 to 100 bytes a sum: requests, failed, first bucket, how many there are, and their counts, as LEB128 numbers. */
export class SealedSums {
  readonly #names: readonly string[];
  readonly #bytes: Uint8Array;

  constructor({ all, routes }: RequestSums) {
    this.#names = [...routes.keys()];
    const numbers: number[] = [];
    for (const sum of [all, ...routes.values()]) {
      const first = sum.counts.findIndex((count) => count > 0);
      const counts = first < 0 ? [] : sum.counts.subarray(first, sum.counts.findLastIndex((count) => count > 0) + 1);
      numbers.push(sum.requests, sum.failed, Math.max(0, first), counts.length, ...counts);
    }
    this.#bytes = pack(numbers);
  }

  addTo(into: RequestSums): void {
    const next = unpack(this.#bytes);
    for (const sum of [into.all, ...this.#names.map((name) => into.route(name))]) {
      sum.requests += next();
      sum.failed += next();
      const first = next();
      const length = next();
      for (let index = 0; index < length; index++) sum.counts[first + index]! += next();
    }
  }
}

function pack(numbers: readonly number[]): Uint8Array {
  const bytes: number[] = [];
  for (const number of numbers) {
    let left = number;
    while (left > 127) {
      bytes.push((left & 127) | 128);
      left >>>= 7;
    }
    bytes.push(left);
  }
  return Uint8Array.from(bytes);
}

function unpack(bytes: Uint8Array): () => number {
  let at = 0;
  return () => {
    let number = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] ?? 0;
      number |= (byte & 127) << shift;
      if (byte < 128) return number;
    }
  };
}
