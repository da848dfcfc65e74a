/**
 * Bounds the wait for a process that works but says nothing: refused memory, V8 can come to a halt instead of an end (1 of 60 on Node 24, `prlimit --data`
 * on the running process), which nothing else would notice.
 */
export class SilenceWatch implements Disposable {
  readonly #silenceMs: number;
  readonly #onSilence: () => void;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(silenceMs: number, onSilence: () => void) {
    this.#silenceMs = silenceMs;
    this.#onSilence = onSilence;
    this.wait();
  }

  /** It was silent for too long. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** From now on: it said something, or is listened to again. */
  wait(): void {
    this.pause();
    this.#timer = setTimeout(() => {
      this.#isOver = true;
      this.#onSilence();
    }, this.#silenceMs);
  }

  pause(): void {
    clearTimeout(this.#timer);
  }

  [Symbol.dispose](): void {
    this.pause();
  }
}

/** All of 907 MB takes 6 s on a quiet machine, and something is said some 25 times: nobody is ended for being slow. */
export const childSilenceMs = 600_000;
