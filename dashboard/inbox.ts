/** More waiting than this means that the reader does not come after: the connection starts anew. */
const maxWaiting = 5_000;

/** Messages from whoever has them to one reader, in order, bounded. */
export class Inbox {
  readonly #messages: string[] = [];
  #wake: (() => void) | null = null;
  #touchedAtMs = performance.now();
  #end: { readonly failure: Error | null } | null = null;

  push(message: string): void {
    if (this.#messages.length >= maxWaiting) return this.end(new Error(`${maxWaiting} events wait to be read`));
    this.#messages.push(message);
    this.touch();
  }

  /** The sender is alive, and has nothing to say. */
  touch(): void {
    this.#touchedAtMs = performance.now();
    this.#wake?.();
  }

  /** No more comes; with a failure the reader fails by it, after what came before. */
  end(failure: Error | null = null): void {
    this.#end ??= { failure };
    this.#wake?.();
  }

  /** Ends with the messages, fails when nobody touched it for `silenceMs`. */
  async *read(silenceMs: number): AsyncGenerator<string> {
    for (;;) {
      for (let message = this.#messages.shift(); message !== undefined; message = this.#messages.shift()) {
        yield message;
      }
      if (this.#end !== null) {
        if (this.#end.failure === null) return;
        throw this.#end.failure;
      }
      const leftMs = this.#touchedAtMs + silenceMs - performance.now();
      if (leftMs <= 0) throw new Silence();
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = null;
    }
  }
}

export class Silence extends Error {
  constructor() {
    super('the event stream fell silent');
    this.name = 'Silence';
  }
}
