import type { Vitals } from '../../protocol/rest/vitals.ts';
import { BoundTally } from './bound-tally.ts';
import { VitalsValues } from './vitals-values.ts';
import { WindowDraft } from './window-draft.ts';
import type { ExtraValues, Window } from './window.ts';

/** On the clock of the windows. */
export interface ServedRequest {
  readonly route: string;
  readonly durationMs: number;
  readonly endedMs: number;
  /** When its spans had come. */
  readonly cameMs: number;
}

/** Spans are the load as long as one came within so many windows. */
const silentWindowsMax = 10;

export interface WindowMakerOptions {
  readonly originMs: number;
  readonly windowMs: number;
  /** A window waits so long for the spans of its requests. */
  readonly lateMs: number;
  readonly bounds?: BoundTally | undefined;
}

/**
 * Makes windows out of readings and requests as they come. CPU time and requests are those of the window's own time, whenever they are told: spans come seconds later than the
 * reading that has their CPU, and where traffic changes the one would be compared with the other of another time.
 */
export class WindowMaker {
  readonly #bounds: BoundTally;
  readonly #windowMs: number;
  readonly #originMs: number;
  readonly #lateMs: number;
  readonly #vitals = new VitalsValues();
  /** By index, the oldest first: those that wait for spans, and the one that it is. */
  readonly #drafts = new Map<number, WindowDraft>();
  /** That the last reading fell into. */
  #index: number | undefined;
  /** Those before it are told. */
  #oldest = 0;
  #lastMs: number | undefined;
  #silentWindows = Infinity;

  /** Windows begin at `originMs` and whole `windowMs` after it. */
  constructor({ originMs, windowMs, lateMs, bounds = new BoundTally() }: WindowMakerOptions) {
    this.#bounds = bounds;
    this.#originMs = originMs;
    this.#windowMs = windowMs;
    this.#lateMs = lateMs;
  }

  /** One that came too late for its window counts when it came, as does one whose process has another clock. */
  addRequest({ route, durationMs, endedMs, cameMs }: ServedRequest): void {
    // Of a process that is not read any more no windows are kept.
    const newest = (this.#index ?? 0) + 1;
    const came = Math.min(newest, Math.max(this.#oldest, this.#indexOf(cameMs)));
    const ended = this.#indexOf(endedMs);
    if (ended < this.#oldest) this.#bounds.add('late-requests');
    this.#draft(ended < this.#oldest ? came : Math.min(ended, came)).addRequest(route, durationMs, this.#bounds);
  }

  /** A capture paused the target: what this window says is not the program's doing. */
  disturb(): void {
    if (this.#index !== undefined) this.#draft(this.#index).isDisturbed = true;
  }

  /**
   * The windows that ended `lateMs` before `atMs` and can be used; readings come in order. `extra` is asked when a window ends: rates of counters, series. A window that
   * the first reading falls into late is not whole, and is left out.
   */
  add(vitals: Vitals, atMs: number, extra: () => ExtraValues): Window[] {
    const index = this.#indexOf(atMs);
    if (this.#index === undefined) this.#begin(index, atMs);
    const draft = this.#draft(index);
    this.#addCpu(vitals, atMs);
    if (this.#index !== undefined && index !== this.#index) this.#draft(this.#index).endReadings(this.#vitals, extra);
    this.#index = index;
    if (vitals.error === null) draft.addReading(vitals);
    return this.#finish(atMs);
  }

  #begin(index: number, atMs: number): void {
    this.#drafts.clear();
    this.#oldest = index;
    const draft = this.#draft(index);
    draft.isDisturbed = atMs - draft.fromMs > this.#windowMs / 4;
  }

  /** Of readings without an answer too: the kernel has the CPU time. */
  #addCpu({ cpu: { userCores, systemCores } }: Vitals, atMs: number): void {
    const fromMs = this.#lastMs;
    this.#lastMs = atMs;
    if (fromMs === undefined || userCores === null || systemCores === null) return;
    for (const draft of this.#drafts.values()) draft.addCpu(userCores + systemCores, { fromMs, toMs: atMs });
  }

  #finish(atMs: number): Window[] {
    const finished: Window[] = [];
    for (const [index, draft] of [...this.#drafts].toSorted(([a], [b]) => a - b)) {
      if (index === this.#index || draft.toMs + this.#lateMs > atMs) break;
      this.#drafts.delete(index);
      this.#oldest = index + 1;
      this.#silentWindows = draft.requests > 0 ? 0 : this.#silentWindows + 1;
      if (draft.isUsable) finished.push(draft.finish({ hasSpans: this.#silentWindows <= silentWindowsMax }));
    }
    return finished;
  }

  #draft(index: number): WindowDraft {
    let draft = this.#drafts.get(index);
    if (draft === undefined) {
      const fromMs = this.#originMs + index * this.#windowMs;
      this.#drafts.set(index, (draft = new WindowDraft({ fromMs, windowMs: this.#windowMs })));
    }
    return draft;
  }

  #indexOf(atMs: number): number {
    return Math.floor((atMs - this.#originMs) / this.#windowMs);
  }
}
