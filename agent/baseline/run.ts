import type { Baseline } from '../../protocol/rest/baseline.ts';
import { BoundTally } from './bound-tally.ts';
import { baselineOf } from './baseline.ts';
import { settlingOf } from './settle.ts';
import type { Window } from './window.ts';

export interface RunTimes {
  readonly windowMs: number;
  /** Windows after the start that nothing is taken of. */
  readonly warmUp: number;
  /** Windows of the provisional baseline. */
  readonly provisional: number;
  /** Windows with a flat floor and load that the settled one takes. */
  readonly settled: number;
  /** How many windows a change must last. */
  readonly lasting: number;
  /** A window is told so long after its end: spans of its requests come until then. */
  readonly lateMs: number;
}

/** An exporter of OpenTelemetry sends every 5 s, and a trace is settled 2 s after its last span; on a machine without time 8 to 13 s were seen. */
const lateMs = 15_000;

/** With windows of a minute: minutes 2 to 7, half an hour, three minutes. */
export function runTimes(windowMs: number): RunTimes {
  return { windowMs, warmUp: 2, provisional: 5, settled: 30, lasting: 3, lateMs };
}

/** Two hours of minutes: what a chart shows beside a finding. */
const historyMax = 120;

export interface RunOptions {
  readonly startedMs: number;
  readonly attachedMs: number;
  readonly times: RunTimes;
  readonly bounds?: BoundTally | undefined;
}

/** One life of a process, window by window. Pure: every time is in the windows. */
export class BaselineRun {
  readonly beginsMs: number;
  readonly isLate: boolean;
  readonly #times: RunTimes;
  readonly #bounds: BoundTally;
  #windows: Window[] = [];
  #history: Window[] = [];
  #early: Window[] = [];
  provisional: Baseline | undefined;
  /** Why it has not settled yet. */
  settling = 'no window yet';
  settled: Baseline | undefined;

  /** `startedMs`: of the process. When the agent came after the warm-up, all counts from then on. */
  constructor({ startedMs, attachedMs, times, bounds = new BoundTally() }: RunOptions) {
    this.#times = times;
    this.#bounds = bounds;
    this.isLate = attachedMs - startedMs > times.warmUp * times.windowMs;
    this.beginsMs = this.isLate ? attachedMs : startedMs;
  }

  /** Past the warm-up, the newest last; as many as the settled baseline takes. */
  get windows(): readonly Window[] {
    return this.#windows;
  }

  /** All that could be used, the warm-up too, the newest last: the last 120. */
  get history(): readonly Window[] {
    return this.#history;
  }

  /** Those that a change must last for; undefined until there are so many in a row. */
  get lasting(): readonly Window[] | undefined {
    const { lasting, windowMs } = this.#times;
    const last = this.#windows.slice(-lasting);
    const [first, newest] = [last[0], last.at(-1)];
    if (last.length < lasting || first === undefined || newest === undefined) return undefined;
    return newest.toMs - first.fromMs <= 2 * lasting * windowMs ? last : undefined;
  }

  /** Windows in order. What this one completed. */
  add(window: Window, about: Pick<Baseline, 'takenAt' | 'series'>): { provisional?: Baseline; settled?: Baseline } {
    const { warmUp, windowMs, provisional, settled } = this.#times;
    this.#history = [...this.#history, window].slice(-historyMax);
    const warmMs = this.beginsMs + warmUp * windowMs;
    // A window may begin a little before the process, by the precision of its uptime.
    if (window.fromMs < warmMs - windowMs / 2) return {};
    this.#windows = [...this.#windows, window].slice(-settled);
    const facts = { ...about, isLate: this.isLate };
    const made: { provisional?: Baseline; settled?: Baseline } = {};
    if (this.provisional === undefined) {
      this.#early.push(window);
      if (this.#early.length >= provisional) {
        made.provisional = this.provisional = baselineOf(this.#early, { ...facts, kind: 'provisional' }, this.#bounds);
        this.#early = [];
      }
    }
    if (this.settled !== undefined) return made;
    const settling = settlingOf(this.#windows, settled);
    if (settling.isSettled)
      made.settled = this.settled = baselineOf(this.#windows, { ...facts, kind: 'settled' }, this.#bounds);
    else this.settling = settling.reason;
    return made;
  }

  /** Of the windows there are; undefined with fewer than a change must last. */
  takeNow(about: Pick<Baseline, 'takenAt' | 'series'>): Baseline | undefined {
    if (this.#windows.length < this.#times.lasting) return undefined;
    this.settled = baselineOf(this.#windows, { ...about, isLate: this.isLate, kind: 'manual' }, this.#bounds);
    return this.settled;
  }
}
