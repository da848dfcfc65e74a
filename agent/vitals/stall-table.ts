import type { SQLInputValue } from 'node:sqlite';
import type { Stall, StallList } from '../../protocol/rest/stalls.ts';
import { parseRowCursor, rowCursor } from '../store/row-cursor.ts';
import type { Index } from './history.ts';

/** A record with 200 frames is about 25 kB. */
const recordBytes = 25_000;
const maxStalls = 300;
/** Of those; the main thread's are the ones that requests wait for. */
const maxOfWorkers = 100;

export interface StallQuery {
  readonly targetId?: string | undefined;
  readonly kind?: Stall['kind'] | undefined;
  readonly since?: string | undefined;
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

/** The `stalls` table: the newest 300, of workers 100, fewer where the disk budget is small. */
export class StallTable {
  readonly #index: Index;
  readonly #maxStalls: number;

  constructor({ index, budgetBytes }: { index: Index; budgetBytes: number }) {
    this.#index = index;
    this.#maxStalls = Math.max(10, Math.floor(Math.min(maxStalls, budgetBytes / 20 / recordBytes)));
    this.#cutOngoing();
  }

  save(stall: Stall): void {
    this.#index.inIndex('writing a stall', (database) => {
      database
        .prepare('INSERT OR REPLACE INTO stalls (id, target, kind, started_ms, stall) VALUES (?, ?, ?, ?, ?)')
        .run(stall.id, stall.targetId, stall.kind, Date.parse(stall.startedAt), JSON.stringify(stall));
      database
        .prepare(
          'DELETE FROM stalls WHERE id IN (SELECT id FROM stalls ORDER BY started_ms DESC, id DESC LIMIT -1 OFFSET ?)',
        )
        .run(this.#maxStalls);
      if (stall.thread === 'main') return;
      database
        .prepare(
          `DELETE FROM stalls WHERE id IN (SELECT id FROM stalls WHERE json_extract(stall, '$.thread') <> 'main'
             ORDER BY started_ms DESC, id DESC LIMIT -1 OFFSET ?)`,
        )
        .run(Math.min(maxOfWorkers, Math.ceil(this.#maxStalls / 3)));
    });
  }

  /** Newest first. Throws `invalid-request` for a cursor that is none. */
  list(query: StallQuery): StallList {
    const { targetId, kind, since, limit = 20, cursor } = query;
    const conditions: [string, ...SQLInputValue[]][] = [['1 = 1']];
    if (targetId !== undefined) conditions.push(['target = ?', targetId]);
    if (kind !== undefined) conditions.push(['kind = ?', kind]);
    if (since !== undefined) conditions.push(['started_ms >= ?', Date.parse(since)]);
    if (cursor !== undefined) conditions.push(['(started_ms, id) < (?, ?)', ...parseRowCursor(cursor)]);
    const rows = this.#index.inIndex('reading stalls', (database) =>
      database
        .prepare(
          `SELECT stall, started_ms, id FROM stalls WHERE ${conditions.map(([text]) => text).join(' AND ')}
             ORDER BY started_ms DESC, id DESC LIMIT ?`,
        )
        .all(...conditions.flatMap(([, ...values]) => values), limit + 1),
    );
    const last = rows.length > limit ? rows[limit - 1] : undefined;
    return {
      stalls: rows.slice(0, limit).map((row) => {
        const stall = JSON.parse(String(row['stall'])) as Omit<Stall, 'waitedMs'> & { waitedMs?: number | null };
        // Undefined in one of an earlier agent.
        return { ...stall, waitedMs: stall.waitedMs ?? null };
      }),
      nextCursor: last === undefined ? null : rowCursor({ atMs: Number(last['started_ms']), id: String(last['id']) }),
    };
  }

  /** At start: what was ongoing was cut by the end of the agent that watched it. */
  #cutOngoing(): void {
    for (const stall of this.list({ limit: this.#maxStalls }).stalls)
      if (stall.state === 'ongoing') this.save({ ...stall, state: 'cut' });
  }
}
