import { containerMemoryBytes } from '../capture/container-memory.ts';
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

/**
 * One body of the largest size always fits, beside the ordinary ones of about 100 kB: 32 MiB more, less in a small container. Until V8 collects it, what was held
 * costs up to four times as much: in 256 MiB four bodies of 20 MiB at once ended the agent, with an eighth of it they do not.
 */
export function heldBytesMax({
  bodyBytesMax,
  containerBytes = containerMemoryBytes(),
}: {
  bodyBytesMax: number;
  containerBytes?: number | undefined;
}): number {
  return Math.max(bodyBytesMax, Math.min(bodyBytesMax + 32 * 1024 * 1024, containerBytes / 8));
}
