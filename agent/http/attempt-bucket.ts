/**
 * Bounds wrong credentials for all clients together: behind a port-forward every peer is 127.0.0.1, so there is nobody
 * to tell apart. Right credentials never take from it.
 */
export class AttemptBucket {
  readonly #burst: number;
  readonly #perSecond: number;
  readonly #now: () => number;
  #level: number;
  #filledAtMs: number;

  constructor({ burst = 100, perSecond = 20, now = Date.now } = {}) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#now = now;
    this.#level = burst;
    this.#filledAtMs = now();
  }

  /** True when one more wrong try may be answered as such. */
  take(): boolean {
    const nowMs = this.#now();
    const gained = Math.max(0, ((nowMs - this.#filledAtMs) / 1000) * this.#perSecond);
    this.#level = Math.min(this.#burst, this.#level + gained);
    this.#filledAtMs = nowMs;
    if (this.#level < 1) return false;
    this.#level -= 1;
    return true;
  }
}
