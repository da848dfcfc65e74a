/** A place among those that may work at once; disposing gives it up. */
export interface HeldTurn extends Disposable {
  /** Resolves when the work may begin. */
  readonly ready: Promise<void>;
}

/** So many at once, so many waiting, in the order in which they came. */
export class Turns {
  readonly #concurrency: number;
  readonly #waitingMax: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(options: { concurrency: number; waitingMax: number }) {
    this.#concurrency = options.concurrency;
    this.#waitingMax = options.waitingMax;
  }

  /** Undefined when too many wait already. */
  take(): HeldTurn | undefined {
    if (this.#running < this.#concurrency) {
      this.#running += 1;
      return this.#held(Promise.resolve());
    }
    if (this.#waiting.length >= this.#waitingMax) return undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    return this.#held(promise);
  }

  #held(ready: Promise<void>): HeldTurn {
    return { ready, [Symbol.dispose]: () => this.#next() };
  }

  /** The place goes from hand to hand, so nobody who comes now gets it before those who wait. */
  #next(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running -= 1;
    else next();
  }
}
