import type { SeenSpan, SpanReadings } from '../../protocol/cpu-profile/spans.ts';
import { readingOf } from '../../protocol/cpu-profile/spans.ts';
import type { SpanReading } from '../../protocol/inspector/span-reading.ts';

/** An hour at 20 Hz. */
const readingsMax = 72_000;
/** About 300 B each while the capture runs. */
const spansMax = 20_000;
/** Offsets of the two clocks; more say nothing more. */
const offsetsMax = 1_000;

/** The readings of one thread during one capture, bounded. */
export class SpanLog {
  readonly #timesUs: number[] = [];
  readonly #spanIndexes: number[] = [];
  readonly #spans: SeenSpan[] = [];
  readonly #indexOf = new Map<string, number>();
  readonly #offsetsMs: number[] = [];
  #dropped = 0;
  #hasApi = false;

  /** False for one beyond the bounds. */
  add({ monotonicUs, wallMs, what }: SpanReading): boolean {
    if (what === 'no-api') return true;
    this.#hasApi = true;
    if (this.#offsetsMs.length < offsetsMax) this.#offsetsMs.push(wallMs - monotonicUs / 1_000);
    if (what === 'idle' || what === 'unknown') return true;
    const span = what === 'none' ? readingOf.noneRan : this.#share(what);
    if (span === undefined || this.#timesUs.length >= readingsMax) {
      this.#dropped += 1;
      return false;
    }
    this.#timesUs.push(monotonicUs);
    this.#spanIndexes.push(span);
    return true;
  }

  /** `problem`: why the reader ended early. */
  finish(problem: string | undefined): SpanReadings {
    const noApi = this.#hasApi ? null : 'no OpenTelemetry API is loaded in this thread';
    return {
      timesUs: this.#timesUs,
      spanIndexes: this.#spanIndexes,
      spans: this.#spans,
      wallOffsetMs: this.#wallOffsetMs(),
      dropped: this.#dropped,
      problem: problem ?? noApi,
    };
  }

  #share(span: SeenSpan): number | undefined {
    const key = `${span.traceId} ${span.spanId}`;
    const known = this.#indexOf.get(key);
    if (known !== undefined) return known;
    if (this.#spans.length >= spansMax) return undefined;
    const { traceId, spanId, name, route } = span;
    const index = this.#spans.push({ traceId, spanId, name, route }) - 1;
    this.#indexOf.set(key, index);
    return index;
  }

  /** The wall clock is read in whole milliseconds, rounded down: half of one is missing on average. */
  #wallOffsetMs(): number | null {
    const sorted = this.#offsetsMs.toSorted((a, b) => a - b);
    const middle = sorted[sorted.length >> 1];
    return middle === undefined ? null : middle + 0.5;
  }
}
