import { increaseIn, secondsOf } from './row-sums.ts';
import { columnsOf, type ScrapeRow } from './scrape-row.ts';
import type { Window } from './window.ts';

/** What scraped series were in the windows of a run, as far as their pages are in memory: the last two hours. */
export class SeriesWindows {
  readonly #rows: readonly ScrapeRow[];
  readonly #atMs: readonly number[];
  readonly #columns = new Map<number, Float64Array>();

  /** Windows and pages are on one clock that nobody sets, which for pages begins at `originMs`. */
  constructor(rows: readonly ScrapeRow[], originMs: number) {
    this.#rows = rows;
    this.#atMs = rows.map(({ elapsedMs }) => originMs + elapsedMs);
  }

  /** By the last page in the window: its value, or the rate since the page before it. Undefined without a page in the window. */
  valueIn({ id, isRate }: { id: number; isRate: boolean }, { fromMs, toMs }: Window): number | undefined {
    const at = this.#atMs.findLastIndex((atMs) => atMs > fromMs && atMs <= toMs);
    const column = this.#column(id);
    const value = column[at];
    if (value === undefined || Number.isNaN(value)) return undefined;
    if (!isRate) return value;
    const rows = this.#rows.slice(Math.max(0, at - 1), at + 1);
    const [seconds, increase] = [secondsOf(rows), increaseIn(rows, column.subarray(Math.max(0, at - 1), at + 1))];
    return seconds === undefined || increase === undefined ? undefined : increase / seconds;
  }

  #column(id: number): Float64Array {
    const known = this.#columns.get(id);
    if (known !== undefined) return known;
    const [column = new Float64Array()] = columnsOf(this.#rows, [id]);
    this.#columns.set(id, column);
    return column;
  }
}
