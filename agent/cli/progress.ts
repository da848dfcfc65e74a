/** One line that is written over, on a terminal; nothing elsewhere. */
export class ProgressLine implements Disposable {
  readonly #say: ((text: string) => void) | undefined;
  #lastMs = 0;
  #width = 0;

  constructor(say: ((text: string) => void) | undefined) {
    this.#say = say;
  }

  /** At most ten a second. */
  show(text: string, { isDue = false } = {}): void {
    const nowMs = performance.now();
    if (this.#say === undefined || (!isDue && nowMs - this.#lastMs < 100)) return;
    this.#lastMs = nowMs;
    this.#say(`\r${text.slice(0, 78).padEnd(this.#width)}`);
    this.#width = Math.min(78, text.length);
  }

  [Symbol.dispose](): void {
    if (this.#width > 0) this.#say?.(`\r${' '.repeat(this.#width)}\r`);
  }
}
