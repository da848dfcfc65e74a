import type { RequestWindow } from './spans.ts';

/** Span times are good to a millisecond: senders round starts to whole ones. */
const toleranceMs = 1;

/** Which requests may be on the CPU at a moment: those that are open and do not just wait. Moments are asked for in order. */
export class OpenRequests {
  readonly #events: readonly { readonly atMs: number; readonly request: number; readonly change: 1 | -1 }[];
  readonly #counts: Int32Array;
  readonly open = new Set<number>();
  #next = 0;

  constructor(requests: readonly RequestWindow[]) {
    this.#counts = new Int32Array(requests.length);
    this.#events = requests
      .flatMap(({ startMs, endMs, waitsMs }, request) => [
        { atMs: startMs - toleranceMs, request, change: 1 as const },
        { atMs: endMs + toleranceMs, request, change: -1 as const },
        ...waitsMs
          .filter(([from, to]) => to - from > 2 * toleranceMs)
          .flatMap(([from, to]) => [
            { atMs: from + toleranceMs, request, change: -1 as const },
            { atMs: to - toleranceMs, request, change: 1 as const },
          ]),
      ])
      .toSorted((a, b) => a.atMs - b.atMs);
  }

  /** The wall clock, in milliseconds since the epoch. */
  moveTo(wallMs: number): ReadonlySet<number> {
    for (let event = this.#events[this.#next]; event !== undefined; event = this.#events[++this.#next]) {
      if (event.atMs > wallMs) break;
      const count = (this.#counts[event.request]! += event.change);
      if (count > 0) this.open.add(event.request);
      else this.open.delete(event.request);
    }
    return this.open;
  }
}
