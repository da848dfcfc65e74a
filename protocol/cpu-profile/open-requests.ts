import type { RequestWindow } from './spans.ts';

/** Span times are good to a millisecond: senders round starts to whole ones. */
const toleranceMs = 1;

/** Which requests may be on the CPU at a moment: those that are open and do not just wait. Moments are asked for in order. */
export class OpenRequests {
  readonly #events: readonly { readonly atMs: number; readonly request: number; readonly change: 1 | -1 }[];
  readonly #counts: Int32Array;
  readonly open = new Set<number>();
  #next = 0;

  /** Those in `quiet` count as never at work. */
  constructor(requests: readonly RequestWindow[], quiet: ReadonlySet<number> = none) {
    this.#counts = new Int32Array(requests.length);
    this.#events = requests
      .flatMap(({ startMs, endMs, waitsMs }, request) =>
        quiet.has(request)
          ? []
          : [
              { atMs: startMs - toleranceMs, request, change: 1 as const },
              { atMs: endMs + toleranceMs, request, change: -1 as const },
              ...waitsMs
                .filter(([from, to]) => to - from > 2 * toleranceMs)
                .flatMap(([from, to]) => [
                  { atMs: from + toleranceMs, request, change: -1 as const },
                  { atMs: to - toleranceMs, request, change: 1 as const },
                ]),
            ],
      )
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

const none: ReadonlySet<number> = new Set();

/** Readings that a request is open for and not seen by, before it counts as quiet: it did less than a tenth of the work then, by all that is likely. */
const readingsMin = 40;
/** Each reading is counted for every open one. */
const openMax = 256;

/**
 * The requests that were open for long and never seen at work, such as a job that waits for its next turn in a span: they would make every sample one that several can
 * have been. `readings` in order of time, with the number of their request.
 */
export function quietRequests(
  requests: readonly RequestWindow[],
  readings: readonly { readonly wallMs: number; readonly owner: number }[],
): ReadonlySet<number> {
  const missed = new Map<number, number>();
  const open = new OpenRequests(requests);
  for (const { wallMs } of readings) {
    const now = open.moveTo(wallMs);
    if (now.size > openMax) continue;
    for (const request of now) missed.set(request, (missed.get(request) ?? 0) + 1);
  }
  const seen = new Set(readings.map(({ owner }) => owner));
  return new Set(
    [...missed].filter(([request, count]) => count >= readingsMin && !seen.has(request)).map(([request]) => request),
  );
}
