/** The ids of one snapshot, for asking whether an object was there: a bit per id where they are dense, as V8's are. */
export class IdSet {
  readonly #bits: Uint8Array | undefined;
  readonly #sorted: Uint32Array | undefined;

  constructor(ids: Uint32Array) {
    let max = 0;
    for (const id of ids) max = Math.max(max, id);
    // A bit per id costs less than the ids themselves.
    if (max / 8 <= ids.length * 4 + 4_096) {
      const bits = new Uint8Array((max >>> 3) + 1);
      for (const id of ids) bits[id >>> 3]! |= 1 << (id & 7);
      this.#bits = bits;
    } else {
      this.#sorted = ids.slice().sort();
    }
  }

  has(id: number): boolean {
    if (this.#bits !== undefined) return ((this.#bits[id >>> 3] ?? 0) & (1 << (id & 7))) !== 0;
    const sorted = this.#sorted!;
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sorted[middle]! < id) low = middle + 1;
      else high = middle;
    }
    return sorted[low] === id;
  }
}
