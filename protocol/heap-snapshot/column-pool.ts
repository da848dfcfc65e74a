/** Columns of one number per node, used again by the steps of an analysis: a freed one stays in memory until V8 collects it. */
export class ColumnPool {
  readonly #length: number;
  readonly #free: Uint32Array[] = [];

  /** `length`: one more than there are nodes, as some number from 1. */
  constructor(nodeCount: number) {
    this.#length = nodeCount + 1;
  }

  /** All zero. */
  take(): Uint32Array {
    return this.#free.pop()?.fill(0) ?? new Uint32Array(this.#length);
  }

  /** The caller must not use them any more. */
  give(...columns: readonly Uint32Array[]): void {
    this.#free.push(...columns);
  }
}
