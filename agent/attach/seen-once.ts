/** Whether something is seen for the first time, in rounds that each look at everything there is: what is gone is forgotten. */
export class SeenOnce {
  readonly #known = new Set<string>();
  #round = new Set<string>();

  /** What is known after the last round. */
  get size(): number {
    return this.#known.size;
  }

  /** It is there, whether or not somebody asks if it is new. */
  note(key: string): void {
    this.#round.add(key);
  }

  isNew(key: string): boolean {
    this.note(key);
    if (this.#known.has(key)) return false;
    this.#known.add(key);
    return true;
  }

  endRound(): void {
    for (const key of this.#known) if (!this.#round.has(key)) this.#known.delete(key);
    this.#round = new Set();
  }
}
