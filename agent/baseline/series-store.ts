import type { DatabaseSync } from 'node:sqlite';
import type { Labels, MetricType, SampleRole } from '../../protocol/prometheus/model.ts';
import type { RecordIndex } from '../store/record-table.ts';
import { packRow, unpackRow } from './scrape-row.ts';
import type { ScrapeRow } from './scrape-row.ts';

/** One series as it is kept. A metric that changes its type is another series from then on. */
export interface KeptSeries {
  readonly id: number;
  readonly name: string;
  readonly labels: Labels;
  /** Canonical text of name and labels. */
  readonly key: string;
  readonly family: string;
  readonly type: MetricType;
  readonly role: SampleRole;
  readonly isCumulative: boolean;
  readonly unit: string | null;
}

/** A page a minute for a day; from then on one in ten minutes, for seven days. */
const fineAgeMs = 24 * 3_600_000;
const coarseAgeMs = 7 * 24 * 3_600_000;
const coarseStepMs = 10 * 60_000;
const maxBytes = 32 * 2 ** 20;
/** Of one target, those of earlier pages included. */
export const seriesMax = 10_000;

/** The tables of scraped series: bounded by age, by bytes (a twentieth of the budget, 32 MiB at most), and by the number of series. */
export class SeriesStore {
  readonly #index: RecordIndex;
  readonly #maxBytes: number;
  readonly #now: () => number;
  #rowsSincePrune = pruneEvery;

  constructor({ index, budgetBytes, now = Date.now }: { index: RecordIndex; budgetBytes: number; now?: () => number }) {
    this.#index = index;
    this.#maxBytes = Math.min(maxBytes, budgetBytes / 20);
    this.#now = now;
  }

  /** All that is known of a target, in the order of their keys. Throws `storage-failed`. */
  series(targetId: string): KeptSeries[] {
    return this.#index.inIndex('reading series', (database) =>
      database
        .prepare('SELECT id, series FROM metric_series WHERE target = ? ORDER BY key, id')
        .all(targetId)
        .map((row) => ({ ...(JSON.parse(String(row['series'])) as Omit<KeptSeries, 'id'>), id: Number(row['id']) })),
    );
  }

  /** Gives each its id: the one it had before, where it was there before. All or nothing. Throws `disk-full`, `storage-failed`. */
  addSeries(targetId: string, added: readonly Omit<KeptSeries, 'id'>[]): KeptSeries[] {
    return this.#index.inIndex('writing series', (database) =>
      inTransaction(database, () => {
        const insert = database.prepare(
          `INSERT INTO metric_series (target, name, key, type, last_ms, series) VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT (target, key, type) DO UPDATE SET last_ms = excluded.last_ms, series = excluded.series RETURNING id`,
        );
        const nowMs = this.#now();
        return added.map((series) => {
          const { name, key, type } = series;
          const row = insert.get(targetId, name, key, type, nowMs, JSON.stringify(series));
          return { ...series, id: Number(row?.['id']) };
        });
      }),
    );
  }

  /** Throws `disk-full`, `storage-failed`. Every hundredth call also tidies up. */
  add(targetId: string, row: ScrapeRow): void {
    this.#index.inIndex('writing a page of metrics', (database) => {
      database
        .prepare('INSERT OR REPLACE INTO metric_scrapes (target, at_ms, started_s, samples) VALUES (?, ?, ?, ?)')
        .run(targetId, row.atMs, row.startedS, packRow(row));
      this.#rowsSincePrune++;
      if (this.#rowsSincePrune < pruneEvery) return;
      this.#rowsSincePrune = 0;
      inTransaction(database, () => this.#prune(database));
    });
  }

  /** When these were last on a page: the others go first. Throws as `add` does. */
  noteSeen(series: Iterable<{ readonly id: number; readonly atMs: number }>): void {
    this.#index.inIndex('writing series', (database) =>
      inTransaction(database, () => {
        const update = database.prepare('UPDATE metric_series SET last_ms = ? WHERE id = ?');
        for (const { id, atMs } of series) update.run(atMs, id);
      }),
    );
  }

  /** Oldest first; with `stepMs` the last row of each step. */
  rows(targetId: string, { fromMs, toMs, stepMs = 1 }: { fromMs: number; toMs: number; stepMs?: number }): ScrapeRow[] {
    return this.#index.inIndex('reading series', (database) =>
      database
        .prepare(
          // A number of JavaScript's is bound as a REAL, which would divide without rounding. In SQLite the bare columns of a row with max() are those of the row that has it.
          `SELECT max(at_ms) AS at_ms, started_s, samples FROM metric_scrapes
             WHERE target = ? AND at_ms >= ? AND at_ms <= ? GROUP BY at_ms / CAST(? AS INTEGER) ORDER BY at_ms`,
        )
        .all(targetId, fromMs, toMs, stepMs)
        .map(rowOf),
    );
  }

  rowCount(targetId: string, { fromMs, toMs }: { fromMs: number; toMs: number }): number {
    const query = 'SELECT count(*) AS rows FROM metric_scrapes WHERE target = ? AND at_ms >= ? AND at_ms <= ?';
    return this.#index.inIndex('reading series', (database) =>
      Number(database.prepare(query).get(targetId, fromMs, toMs)?.['rows']),
    );
  }

  /** The row nearest to a moment on one side of it. */
  rowBeside(targetId: string, { atMs, side }: { atMs: number; side: 'before' | 'after' }): ScrapeRow | undefined {
    const [comparison, order] = side === 'before' ? ['<=', 'DESC'] : ['>=', 'ASC'];
    return this.#index.inIndex('reading series', (database) => {
      const row = database
        .prepare(
          `SELECT at_ms, started_s, samples FROM metric_scrapes WHERE target = ? AND at_ms ${comparison} ? ORDER BY at_ms ${order} LIMIT 1`,
        )
        .get(targetId, atMs);
      return row === undefined ? undefined : rowOf(row);
    });
  }

  #prune(database: DatabaseSync): void {
    const nowMs = this.#now();
    database.prepare('DELETE FROM metric_scrapes WHERE at_ms < ?').run(nowMs - coarseAgeMs);
    // The last one of each step stays: counters lose nothing.
    database
      .prepare(
        `DELETE FROM metric_scrapes WHERE at_ms < ? AND (target, at_ms) NOT IN
           (SELECT target, max(at_ms) FROM metric_scrapes GROUP BY target, at_ms / CAST(? AS INTEGER))`,
      )
      .run(nowMs - fineAgeMs, coarseStepMs);
    const bytes = Number(
      database.prepare('SELECT sum(length(samples) + 40) AS bytes FROM metric_scrapes').get()?.['bytes'],
    );
    if (bytes > this.#maxBytes) this.#dropOldest(database, bytes - this.#maxBytes * 0.95);
    const oldest = Number(database.prepare('SELECT min(at_ms) AS at_ms FROM metric_scrapes').get()?.['at_ms']);
    database.prepare('DELETE FROM metric_series WHERE last_ms < ?').run(Math.min(oldest, nowMs - 2 * 3_600_000));
  }

  #dropOldest(database: DatabaseSync, bytes: number): void {
    const remove = database.prepare('DELETE FROM metric_scrapes WHERE target = ? AND at_ms = ?');
    let left = bytes;
    for (const row of database
      .prepare('SELECT target, at_ms, length(samples) AS bytes FROM metric_scrapes ORDER BY at_ms')
      .all()) {
      if (left <= 0) return;
      remove.run(String(row['target']), Number(row['at_ms']));
      left -= Number(row['bytes']) + 40;
    }
  }
}

const pruneEvery = 100;

function rowOf(row: Record<string, unknown>): ScrapeRow {
  const atMs = Number(row['at_ms']);
  return { atMs, elapsedMs: atMs, startedS: Number(row['started_s']), ...unpackRow(row['samples'] as Uint8Array) };
}

function inTransaction<T>(database: DatabaseSync, work: () => T): T {
  // A caller may have one open already: then it is that one's to end.
  if (database.isTransaction) return work();
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    // A full disk has rolled back by itself.
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}
