import type { Received } from './received.ts';

/** A request on its way to the upstream. */
export type Forwarded = Received & { readonly spanCount: number };

export interface QueueBounds {
  /** Of the bodies as they are sent. */
  readonly bytesMax: number;
  readonly requestsMax: number;
}

/** First in, first out; bounded by bytes and by count. What is new pushes out the oldest: the last minutes before somebody looks are the ones wanted. */
export class ForwardQueue {
  readonly #bounds: QueueBounds;
  readonly #onDropped: (dropped: Forwarded) => void;
  #items: Forwarded[] = [];
  /** Those before it are gone; removed in one go when they are many. */
  #head = 0;
  #bytes = 0;

  constructor(bounds: QueueBounds, onDropped: (dropped: Forwarded) => void) {
    this.#bounds = bounds;
    this.#onDropped = onDropped;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: Forwarded): void {
    this.#items.push(item);
    this.#bytes += item.body.length;
    this.#keepBounds();
  }

  shift(): Forwarded | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    this.#head++;
    this.#bytes -= item.body.length;
    if (this.#head > 1_024 || this.#head === this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Back to the front, for another try; when there is no room left it is the oldest, and goes. */
  unshift(item: Forwarded): void {
    this.#items = [item, ...this.#items.slice(this.#head)];
    this.#head = 0;
    this.#bytes += item.body.length;
    this.#keepBounds();
  }

  #keepBounds(): void {
    while (this.#bytes > this.#bounds.bytesMax || this.length > this.#bounds.requestsMax) {
      const oldest = this.shift();
      if (oldest !== undefined) this.#onDropped(oldest);
    }
  }
}
