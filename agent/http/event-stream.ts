import type { SidescopeEvent } from '../../protocol/rest/event.ts';

const maxQueuedEvents = 256;
const maxQueuedBytes = 1024 * 1024;
const writeBytes = 64 * 1024;

/**
 * One reader of events. What it has not taken waits here, bounded; a reader that falls behind loses all of it and is told
 * with `resync` how many there were, so that it reads the lists again.
 */
export class EventStream {
  readonly body: ReadableStream<Uint8Array>;
  readonly #onDropped: (events: number) => void;
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #dropped = 0;
  #isEnded = false;
  #wake: (() => void) | undefined;

  constructor(options: { onDropped: (events: number) => void; onEnd: () => void }) {
    this.#onDropped = options.onDropped;
    this.body = new ReadableStream<Uint8Array>(
      {
        pull: (controller) => this.#pull(controller),
        cancel: () => {
          this.#isEnded = true;
          options.onEnd();
        },
      },
      { highWaterMark: 0 },
    );
  }

  push(frame: Buffer): void {
    if (this.#isEnded) return;
    if (
      this.#dropped > 0 ||
      this.#queue.length >= maxQueuedEvents ||
      this.#queuedBytes + frame.length > maxQueuedBytes
    ) {
      const lost = this.#queue.length + 1;
      this.#queue = [];
      this.#queuedBytes = 0;
      this.#dropped += lost;
      this.#onDropped(lost);
    } else {
      this.#queue.push(frame);
      this.#queuedBytes += frame.length;
    }
    this.#wake?.();
  }

  /** A comment line keeps proxies and the server's own time limit from closing a quiet stream. */
  beat(): void {
    if (this.#queue.length === 0 && this.#dropped === 0) this.push(heartbeat);
  }

  /** The reader still gets what waits. */
  end(): void {
    // A reader that left has nothing to be woken for.
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#wake?.();
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    while (this.#queue.length === 0 && this.#dropped === 0) {
      if (this.#isEnded) {
        controller.close();
        return;
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
    controller.enqueue(this.#take());
  }

  #take(): Buffer {
    if (this.#dropped > 0) {
      const frame = eventFrame({ type: 'resync', dropped: this.#dropped });
      this.#dropped = 0;
      return frame;
    }
    let bytes = 0;
    const fitting = this.#queue.findIndex((frame) => (bytes += frame.length) > writeBytes);
    const taken = this.#queue.splice(0, fitting === -1 ? this.#queue.length : Math.max(1, fitting));
    this.#queuedBytes -= taken.reduce((sum, frame) => sum + frame.length, 0);
    return Buffer.concat(taken);
  }
}

const heartbeat = Buffer.from(': heartbeat\n\n');

/** JSON has no raw line break, so one `data:` line is always enough. */
export function eventFrame(event: SidescopeEvent, id?: number): Buffer {
  const idLine = id === undefined ? '' : `id: ${id}\n`;
  return Buffer.from(`event: ${event.type}\n${idLine}data: ${JSON.stringify(event)}\n\n`);
}
