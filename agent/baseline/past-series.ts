import type { Labels } from '../../protocol/prometheus/model.ts';
import { columnsOf, type ScrapeRow } from './scrape-row.ts';
import { quantileIn, rateIn } from './row-sums.ts';
import type { KeptSeries } from './series-store.ts';

/** Names one series or several: `labels` are those that must be equal, the others are free. */
export interface PastSelector {
  readonly name: string;
  readonly labels?: Labels | undefined;
}

/** An older page says nothing about a moment: as for what is now. */
const staleMs = 5 * 60_000;

/** What the kept pages of one target said at a moment that is over. `atMs` is to be set before each question; times only ever grow. */
export class PastSeries {
  /** Oldest first. */
  readonly #rows: readonly ScrapeRow[];
  readonly #select: (selector: PastSelector) => readonly KeptSeries[];
  readonly #answers = new Map<string, { readonly row: ScrapeRow | undefined; readonly value: number | null }>();
  #atMs = 0;
  /** The first row that is later than `atMs`. */
  #next = 0;

  constructor(rows: readonly ScrapeRow[], select: (selector: PastSelector) => readonly KeptSeries[]) {
    this.#rows = rows;
    this.#select = select;
  }

  /** When the first page of that time was read; undefined without one. */
  get fromMs(): number | undefined {
    return this.#rows[0]?.atMs;
  }

  has(selector: PastSelector): boolean {
    return this.#select(selector).length > 0;
  }

  moveTo(atMs: number): void {
    this.#atMs = atMs;
    while ((this.#rows[this.#next]?.atMs ?? Infinity) <= atMs) this.#next += 1;
  }

  value(selector: PastSelector): number | null {
    return this.#once(`value ${keyOf(selector)}`, (row) => {
      const ids = this.#select(selector).map(({ id }) => id);
      const values = columnsOf([row], ids).flatMap(([value = Number.NaN]) => (Number.isNaN(value) ? [] : [value]));
      return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0);
    });
  }

  rate(selector: PastSelector, windowMs: number): number | null {
    return this.#once(`rate ${windowMs} ${keyOf(selector)}`, (row) =>
      rateIn(this.#window(row, windowMs), this.#select(selector)),
    );
  }

  quantile({ q, ...selector }: PastSelector & { readonly q: number }, windowMs: number): number | null {
    return this.#once(`quantile ${q} ${windowMs} ${keyOf(selector)}`, (row) => {
      const buckets = this.#select({ ...selector, name: `${selector.name}_bucket` });
      return quantileIn(this.#window(row, windowMs), { q, buckets });
    });
  }

  /** The answer is the same until the next page. */
  #once(question: string, answer: (row: ScrapeRow) => number | null): number | null {
    const row = this.#rows[this.#next - 1];
    if (row === undefined || this.#atMs - row.atMs > staleMs) return null;
    const known = this.#answers.get(question);
    if (known?.row === row) return known.value;
    const value = answer(row);
    this.#answers.set(question, { row, value });
    return value;
  }

  /** From the last page before it begins, or the first one in it. */
  #window(last: ScrapeRow, windowMs: number): readonly ScrapeRow[] {
    const fromMs = last.atMs - windowMs;
    const rows = this.#rows.slice(0, this.#next);
    const before = rows.findLastIndex(({ atMs }) => atMs <= fromMs && atMs >= fromMs - windowMs);
    return rows.slice(before === -1 ? rows.findIndex(({ atMs }) => atMs >= fromMs) : before);
  }
}

function keyOf({ name, labels = {} }: PastSelector): string {
  return `${name} ${JSON.stringify(labels)}`;
}
