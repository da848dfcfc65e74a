import { SidescopeError } from '../../protocol/error.ts';

/** One question at a time: while an answer is open, however long ago it was given up, nothing more is asked. */
export class Asker {
  readonly #what: string;
  #open: Promise<unknown> | undefined;

  constructor(what: string) {
    this.#what = what;
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** Rejects with `inspector-timeout` when there is no answer in time; the question itself stays open. */
  async ask<T>(question: () => Promise<T>, { giveUpMs }: { giveUpMs: number }): Promise<T> {
    if (this.#open !== undefined) throw this.#noAnswer('has not answered the question before yet');
    const answer = question();
    const open = answer
      // The one who asks gets the rejection; here it only says that the question is no longer open.
      .catch(() => undefined)
      .finally(() => {
        if (this.#open === open) this.#open = undefined;
      });
    this.#open = open;
    const { promise: givenUp, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(this.#noAnswer(`did not answer in ${giveUpMs} ms`)), giveUpMs);
    try {
      return await Promise.race([answer, givenUp]);
    } finally {
      clearTimeout(timer);
    }
  }

  #noAnswer(how: string): SidescopeError {
    return new SidescopeError('inspector-timeout', `${this.#what} ${how}: it is stopped, or in a native call`);
  }
}
