import { SidescopeError } from '../../protocol/error.ts';

/** One place among the heavy captures of a target. */
export interface Turn {
  /** Resolves when the capture may begin. */
  readonly ready: Promise<void>;
  /** 1 for the next one; null when it may begin. */
  readonly queuePosition: number | null;
  /** Gives the place up, also one in the queue. May be called twice. */
  leave(): void;
}

/** One limiter for all captures, of people and later of rules: so many heavy ones at a time per target, so many waiting. */
export class Limiter {
  readonly #concurrency: number;
  readonly #queueMax: number;
  /** Per target: those that run first, then those that wait. */
  readonly #lines = new Map<string, Place[]>();

  constructor(options: { concurrency: number; queueMax: number }) {
    this.#concurrency = options.concurrency;
    this.#queueMax = options.queueMax;
  }

  /** Throws `too-many-captures` when the queue is full; `retryAfterSeconds` goes into that answer. */
  enter(targetId: string, { retryAfterSeconds }: { retryAfterSeconds: number }): Turn {
    const line = this.#lines.get(targetId) ?? [];
    const waiting = Math.max(0, line.length - this.#concurrency);
    if (line.length >= this.#concurrency + this.#queueMax) {
      throw new SidescopeError(
        'too-many-captures',
        `${line.length - waiting} heavy captures run on ${targetId} (limit ${this.#concurrency}) and ${waiting} wait (limit ${this.#queueMax})`,
        { details: { running: line.length - waiting, waiting, retryAfterSeconds } },
      );
    }
    const place: Place = Promise.withResolvers<undefined>();
    line.push(place);
    this.#lines.set(targetId, line);
    this.#admit(line);
    const concurrency = this.#concurrency;
    return {
      ready: place.promise,
      get queuePosition() {
        const index = line.indexOf(place);
        return index < concurrency ? null : index - concurrency + 1;
      },
      leave: () => {
        const index = line.indexOf(place);
        if (index !== -1) line.splice(index, 1);
        if (line.length === 0) this.#lines.delete(targetId);
        this.#admit(line);
      },
    };
  }

  #admit(line: readonly Place[]): void {
    for (const place of line.slice(0, this.#concurrency)) place.resolve(undefined);
  }
}

type Place = PromiseWithResolvers<undefined>;
