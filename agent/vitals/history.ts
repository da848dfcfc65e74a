import { DatabaseSync } from 'node:sqlite';
import { invalidParameter } from '../../protocol/rest/invalid-request.ts';
import { seriesNames } from '../../protocol/rest/vitals.ts';
import type { VitalsHistory, VitalsPoint } from '../../protocol/rest/vitals.ts';
import { historySchema } from '../store/history-schema.ts';
import { recordSchema } from '../store/record-schema.ts';
import { seriesSchema } from '../store/series-schema.ts';
import type { ProfileStore } from '../store/store.ts';
import { mergeRows, packValues, unpackValues, type SeriesRow } from './series.ts';

export const minuteMs = 60_000;
const fineAgeMs = 3_600_000;
const minuteAgeMs = 7 * 24 * 3_600_000;
/** A row with its key and its place in the tree. */
const rowBytes = 240;
/** One target has 720 + 10080 rows, 2.6 MB; ten of them fill this. */
const maxBytes = 32 * 2 ** 20;
const maxPoints = 2_000;
const defaultPoints = 720;

/** The index of the store, or a database of its own in memory: then the history ends with the agent. */
export type Index = Pick<ProfileStore, 'inIndex'>;

export function indexInMemory(): Index & Disposable {
  const database = new DatabaseSync(':memory:');
  database.exec(historySchema + recordSchema + seriesSchema);
  return {
    inIndex: (_attempt, work) => work(database),
    [Symbol.dispose]: () => database.close(),
  };
}

interface HistoryOptions {
  readonly index: Index;
  /** Of the data directory: the history takes a twentieth of it at most. */
  readonly budgetBytes: number;
  /** Wall clock in ms. */
  readonly now?: () => number;
}

/**
 * The `vitals` table: every reading for an hour, one row a minute for seven days. What is written is never a guess: a time without readings has no
 * row. Synchronous: a write takes 0.1 ms, the longest query about 20.
 */
export class History {
  readonly #index: Index;
  readonly #now: () => number;
  readonly #maxRows: number;
  /** Per target: the minute that was last made of its readings. */
  readonly #rolled = new Map<string, number>();

  constructor({ index, budgetBytes, now = Date.now }: HistoryOptions) {
    this.#index = index;
    this.#now = now;
    this.#maxRows = Math.floor(Math.min(maxBytes, budgetBytes / 20) / rowBytes);
  }

  /** Throws `disk-full` or `storage-failed`; then this reading is not in the history. */
  add(target: string, row: SeriesRow): void {
    this.#index.inIndex('writing vitals', (database) => {
      insert(database, { target, stepMs: 0, row });
      const minute = startOf(row.atMs, minuteMs);
      if (this.#rolled.get(target) === minute) return;
      this.#rolled.set(target, minute);
      rollUp(database, { target, before: minute });
      this.#prune(database, target);
    });
  }

  /** Throws `invalid-request` when the times are not in order. */
  read(
    targetId: string,
    query: { from?: string | undefined; to?: string | undefined; step?: number | undefined },
  ): Omit<VitalsHistory, 'latest'> {
    const toMs = query.to === undefined ? this.#now() : Date.parse(query.to);
    const fromMs = query.from === undefined ? toMs - 3_600_000 : Date.parse(query.from);
    if (fromMs >= toMs) throw invalidParameter('from', `must be before \`to\`, ${iso(toMs)}`, iso(fromMs));
    const lowestMs = Math.ceil((toMs - fromMs) / maxPoints);
    const stepMs = Math.max(query.step ?? roundStep((toMs - fromMs) / defaultPoints), lowestMs);
    const rows = this.#index.inIndex('reading vitals', (database) => select(database, { targetId, fromMs, toMs }));
    return { targetId, from: iso(fromMs), to: iso(toMs), stepMs, points: pointsOf(rows, stepMs) };
  }

  #prune(database: DatabaseSync, target: string): void {
    const nowMs = this.#now();
    const remove = database.prepare('DELETE FROM vitals WHERE target = ? AND step_ms = ? AND at_ms < ?');
    remove.run(target, 0, nowMs - fineAgeMs);
    remove.run(target, minuteMs, nowMs - minuteAgeMs);
    // Those of targets that no option names any more, too.
    database.prepare('DELETE FROM vitals WHERE at_ms < ?').run(nowMs - minuteAgeMs);
    const rows = Number(database.prepare('SELECT count(*) AS rows FROM vitals').get()?.['rows']);
    if (rows <= this.#maxRows) return;
    database
      .prepare(
        `DELETE FROM vitals WHERE (target, step_ms, at_ms) IN
           (SELECT target, step_ms, at_ms FROM vitals ORDER BY at_ms LIMIT ?)`,
      )
      .run(rows - this.#maxRows);
  }
}

function insert(
  database: DatabaseSync,
  { target, stepMs, row }: { target: string; stepMs: number; row: SeriesRow },
): void {
  database
    .prepare(
      'INSERT OR REPLACE INTO vitals (target, step_ms, at_ms, readings, failed, series) VALUES (?, ?, ?, ?, ?, ?)',
    )
    .run(target, stepMs, row.atMs, row.readings, row.failed, packValues(row.values));
}

/** Makes the minutes that are over. Those of an earlier agent as well: the readings are all in the table. */
function rollUp(database: DatabaseSync, { target, before }: { target: string; before: number }): void {
  const last = database
    .prepare('SELECT max(at_ms) AS at_ms FROM vitals WHERE target = ? AND step_ms = ?')
    .get(target, minuteMs)?.['at_ms'];
  const from = last === null || last === undefined ? 0 : Number(last) + minuteMs;
  const fine = rowsOf(database, { target, stepMs: 0, fromMs: from, toMs: before });
  for (const [atMs, rows] of grouped(fine, minuteMs))
    insert(database, { target, stepMs: minuteMs, row: mergeRows(atMs, rows) });
}

/** Minutes up to the first whole minute that there are single readings of; from there on those. */
function select(database: DatabaseSync, asked: { targetId: string; fromMs: number; toMs: number }): SeriesRow[] {
  const { targetId: target, fromMs, toMs } = asked;
  const first = database
    .prepare('SELECT min(at_ms) AS at_ms FROM vitals WHERE target = ? AND step_ms = 0')
    .get(target)?.['at_ms'];
  const firstMs = first === null || first === undefined ? toMs : Number(first);
  // Of the first minute of all, every reading is there; of a later one some may be pruned.
  const hasMinutes =
    Number(
      database
        .prepare('SELECT count(*) AS rows FROM vitals WHERE target = ? AND step_ms = ? AND at_ms < ?')
        .get(target, minuteMs, startOf(firstMs, minuteMs))?.['rows'],
    ) > 0;
  const splitMs = hasMinutes ? Math.ceil(firstMs / minuteMs) * minuteMs : 0;
  return [
    ...rowsOf(database, { target, stepMs: minuteMs, fromMs, toMs: Math.min(toMs, splitMs) }),
    ...rowsOf(database, { target, stepMs: 0, fromMs: Math.max(fromMs, splitMs), toMs }),
  ];
}

function rowsOf(
  database: DatabaseSync,
  asked: { target: string; stepMs: number; fromMs: number; toMs: number },
): SeriesRow[] {
  return database
    .prepare(
      'SELECT at_ms, readings, failed, series FROM vitals WHERE target = ? AND step_ms = ? AND at_ms >= ? AND at_ms < ? ORDER BY at_ms',
    )
    .all(asked.target, asked.stepMs, asked.fromMs, asked.toMs)
    .map((row) => ({
      atMs: Number(row['at_ms']),
      readings: Number(row['readings']),
      failed: Number(row['failed']),
      values: unpackValues(row['series'] as Uint8Array),
    }));
}

function pointsOf(rows: readonly SeriesRow[], stepMs: number): VitalsPoint[] {
  return [...grouped(rows, stepMs)].map(([startMs, group]) => {
    const { atMs, readings, failed, values } = mergeRows(startMs, group);
    const rounded = Object.fromEntries(seriesNames.map((name) => [name, round(values[name])]));
    return { at: iso(atMs), readings, failed, ...(rounded as SeriesRow['values']) };
  });
}

function grouped(rows: readonly SeriesRow[], stepMs: number): Map<number, SeriesRow[]> {
  const groups = new Map<number, SeriesRow[]>();
  for (const row of rows) {
    const start = startOf(row.atMs, stepMs);
    const group = groups.get(start);
    if (group === undefined) groups.set(start, [row]);
    else group.push(row);
  }
  return groups;
}

/** To what people would choose: 5 s, 10 s, 15 s, 30 s, whole minutes. */
function roundStep(stepMs: number): number {
  return [5_000, 10_000, 15_000, 30_000].find((step) => step >= stepMs) ?? Math.ceil(stepMs / minuteMs) * minuteMs;
}

function startOf(atMs: number, stepMs: number): number {
  return Math.floor(atMs / stepMs) * stepMs;
}

/** Six digits say all that was measured, and keep the answer short. */
function round(value: number | null): number | null {
  if (value === null || Number.isInteger(value)) return value;
  return Math.abs(value) >= 1e6 ? Math.round(value) : Number(value.toPrecision(6));
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
