import type { ByteBudget } from './read-body.ts';

/** A bound on bytes that several parts hold together. */
export class MemoryBudget implements ByteBudget {
  readonly #bytesMax: number;
  #taken = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get takenBytes(): number {
    return this.#taken;
  }

  /** At three quarters nothing new is let in, so that what has begun can end. */
  get isFull(): boolean {
    return this.#taken > this.#bytesMax * 0.75;
  }

  take(bytes: number): boolean {
    if (this.#taken + bytes > this.#bytesMax) return false;
    this.#taken += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#taken -= bytes;
  }
}
