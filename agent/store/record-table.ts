import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { parseRowCursor, rowCursor } from './row-cursor.ts';

/** The index of the store, or one in memory: then the records end with the agent. */
export interface RecordIndex {
  inIndex<T>(attempt: string, work: (database: DatabaseSync) => T): T;
  /** Records went because their table is full. */
  noteEvicted?(kind: string, count: number): void;
}

export interface StoredRecord {
  readonly id: string;
  readonly targetId: string;
}

export interface RecordQuery {
  readonly targetId?: string | undefined;
  readonly since?: string | undefined;
  /** Fields of the record itself that must be these texts. */
  readonly fields?: Readonly<Record<string, string | undefined>> | undefined;
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

/** Records of one kind: the newest `maxRecords`; older ones go as new ones come. */
export class RecordTable<Item extends StoredRecord> {
  readonly #index: RecordIndex;
  readonly #kind: string;
  readonly #maxRecords: number;
  readonly #atMs: (record: Item) => number;

  constructor(options: { index: RecordIndex; kind: string; maxRecords: number; atMs: (record: Item) => number }) {
    this.#index = options.index;
    this.#kind = options.kind;
    this.#maxRecords = options.maxRecords;
    this.#atMs = options.atMs;
  }

  /** Throws `disk-full`, `storage-failed`, `shutting-down`. */
  save(record: Item): void {
    const evicted = this.#index.inIndex(`writing a record of ${this.#kind}`, (database) => {
      database
        .prepare('INSERT OR REPLACE INTO records (kind, id, target, at_ms, record) VALUES (?, ?, ?, ?, ?)')
        .run(this.#kind, record.id, record.targetId, this.#atMs(record), JSON.stringify(record));
      const { changes } = database
        .prepare(
          `DELETE FROM records WHERE kind = ? AND id IN
             (SELECT id FROM records WHERE kind = ? ORDER BY at_ms DESC, id DESC LIMIT -1 OFFSET ?)`,
        )
        .run(this.#kind, this.#kind, this.#maxRecords);
      return Number(changes);
    });
    if (evicted > 0) this.#index.noteEvicted?.(this.#kind, evicted);
  }

  /** Those with such an id; says how many went. Throws `storage-failed`, `shutting-down`. */
  remove(isWanted: (id: string) => boolean): number {
    return this.#index.inIndex(`removing records of ${this.#kind}`, (database) => {
      const ids = database.prepare('SELECT id FROM records WHERE kind = ?').all(this.#kind);
      const wanted = ids.map(({ id }) => String(id)).filter(isWanted);
      const remove = database.prepare('DELETE FROM records WHERE kind = ? AND id = ?');
      for (const id of wanted) remove.run(this.#kind, id);
      return wanted.length;
    });
  }

  /** Newest first. Throws `invalid-request` for a cursor that is none, `storage-failed`. */
  list(query: RecordQuery = {}): { readonly records: Item[]; readonly nextCursor: string | null } {
    const { targetId, since, fields = {}, limit = this.#maxRecords, cursor } = query;
    const conditions: [string, ...SQLInputValue[]][] = [['kind = ?', this.#kind]];
    if (targetId !== undefined) conditions.push(['target = ?', targetId]);
    if (since !== undefined) conditions.push(['at_ms >= ?', Date.parse(since)]);
    for (const [name, value] of Object.entries(fields))
      if (value !== undefined) conditions.push(['json_extract(record, ?) = ?', `$.${name}`, value]);
    if (cursor !== undefined) conditions.push(['(at_ms, id) < (?, ?)', ...parseRowCursor(cursor)]);
    const rows = this.#index.inIndex(`reading records of ${this.#kind}`, (database) =>
      database
        .prepare(
          `SELECT record, at_ms, id FROM records WHERE ${conditions.map(([text]) => text).join(' AND ')}
             ORDER BY at_ms DESC, id DESC LIMIT ?`,
        )
        .all(...conditions.flatMap(([, ...values]) => values), limit + 1),
    );
    const last = rows.length > limit ? rows[limit - 1] : undefined;
    return {
      records: rows.slice(0, limit).map((row) => JSON.parse(String(row['record'])) as Item),
      nextCursor: last === undefined ? null : rowCursor({ atMs: Number(last['at_ms']), id: String(last['id']) }),
    };
  }
}
