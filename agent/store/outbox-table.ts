import type { RecordIndex } from './record-table.ts';

/** What is to be sent, to each destination: a profile of the store, or a window of the flight recorder. Nothing is copied. */
export const outboxSchema = `CREATE TABLE outbox (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     destination TEXT NOT NULL,
     kind TEXT NOT NULL,
     item TEXT NOT NULL,
     state TEXT NOT NULL,
     bytes INTEGER NOT NULL,
     queued_ms INTEGER NOT NULL,
     ended_ms INTEGER,
     attempts INTEGER NOT NULL,
     reason TEXT,
     note TEXT,
     facts TEXT NOT NULL,
     UNIQUE (destination, kind, item)
   ) STRICT;
   CREATE INDEX outbox_by_state ON outbox (state, destination, id);`;

export type OutboxKind = 'profile' | 'window';
export type OutboxState = 'queued' | 'sent' | 'dropped';

export interface OutboxRow {
  readonly id: number;
  readonly destination: string;
  readonly kind: OutboxKind;
  /** The id of the profile or of the window. */
  readonly item: string;
  readonly state: OutboxState;
  /** Of the artifact, as it is stored. */
  readonly bytes: number;
  readonly queuedMs: number;
  readonly endedMs: number | null;
  readonly attempts: number;
  /** Why the last attempt failed, or why it was dropped. */
  readonly reason: string | null;
  /** What the destination wants to know at its next attempt. */
  readonly note: string | null;
  /** What was known of the service when it was queued. */
  readonly facts: Readonly<Record<string, string>>;
}

export interface OutboxSums {
  readonly items: number;
  readonly bytes: number;
  readonly oldestMs: number | null;
}

/** Rows of profiles that are done, for the page. */
const endedMax = 2_000;
/** Each write of the index may wait for the disk. */
const tidyEvery = 64;

/** Survives the agent. Every method throws `disk-full`, `storage-failed`, `shutting-down`; none takes over a millisecond. */
export class OutboxTable {
  readonly #index: RecordIndex;
  #ended = 0;

  constructor(index: RecordIndex) {
    this.#index = index;
  }

  /** False when it was queued before, whatever became of it. */
  add(row: Pick<OutboxRow, 'destination' | 'kind' | 'item' | 'bytes' | 'queuedMs' | 'facts'>): boolean {
    return this.#index.inIndex('queueing a profile', (database) => {
      const { changes } = database
        .prepare(
          `INSERT OR IGNORE INTO outbox (destination, kind, item, state, bytes, queued_ms, attempts, facts)
           VALUES (?, ?, ?, 'queued', ?, ?, 0, ?)`,
        )
        .run(row.destination, row.kind, row.item, row.bytes, row.queuedMs, JSON.stringify(row.facts));
      return Number(changes) > 0;
    });
  }

  /** Queued, the oldest first. */
  queued(destination: string, limit: number): OutboxRow[] {
    return this.#select(`state = 'queued' AND destination = ? ORDER BY id LIMIT ?`, destination, limit);
  }

  /** Of profiles, the newest first, whatever became of them. */
  ofProfiles(limit: number): OutboxRow[] {
    return this.#select(`kind = 'profile' ORDER BY id DESC LIMIT ?`, limit);
  }

  /** Queued for whomever. */
  ofItem(kind: OutboxKind, item: string): OutboxRow[] {
    return this.#select(`state = 'queued' AND kind = ? AND item = ?`, kind, item);
  }

  sums(destination: string): OutboxSums {
    return this.#index.inIndex('reading the queue', (database) => {
      const row = database
        .prepare(
          `SELECT count(*) AS items, total(bytes) AS bytes, min(queued_ms) AS oldest FROM outbox
           WHERE state = 'queued' AND destination = ?`,
        )
        .get(destination);
      const oldest = row?.['oldest'];
      return {
        items: Number(row?.['items']),
        bytes: Number(row?.['bytes']),
        oldestMs: typeof oldest === 'number' ? oldest : null,
      };
    });
  }

  noteFailure(id: number, reason: string): void {
    this.#run('UPDATE outbox SET attempts = attempts + 1, reason = ? WHERE id = ?', reason, id);
  }

  setNote(id: number, note: string | null): void {
    this.#run('UPDATE outbox SET note = ? WHERE id = ?', note, id);
  }

  /** It stays known for profiles, the newest 2,000; windows go. */
  end(
    { id, kind }: Pick<OutboxRow, 'id' | 'kind'>,
    { state, reason, atMs }: { state: 'sent' | 'dropped'; reason: string | null; atMs: number },
  ): void {
    if (kind === 'window') {
      this.#run('DELETE FROM outbox WHERE id = ?', id);
      return;
    }
    this.#run('UPDATE outbox SET state = ?, reason = ?, ended_ms = ? WHERE id = ?', state, reason, atMs, id);
    this.#ended += 1;
    if (this.#ended % tidyEvery !== 0) return;
    this.#run(
      `DELETE FROM outbox WHERE state <> 'queued' AND id <=
         (SELECT id FROM outbox WHERE state <> 'queued' ORDER BY id DESC LIMIT 1 OFFSET ?)`,
      endedMax,
    );
  }

  /** What is gone, or was never to come: of profiles that went, and of destinations that are no longer there. How many were still queued. */
  removeOrphans(destinations: readonly string[]): number {
    return this.#index.inIndex('tidying the queue', (database) => {
      const gone = `destination NOT IN (SELECT value FROM json_each(?))
        OR (kind = 'profile' AND item NOT IN (SELECT id FROM profiles))`;
      const names = JSON.stringify(destinations);
      const row = database.prepare(`SELECT count(*) AS n FROM outbox WHERE state = 'queued' AND (${gone})`).get(names);
      database.prepare(`DELETE FROM outbox WHERE ${gone}`).run(names);
      return Number(row?.['n']);
    });
  }

  forget(kind: OutboxKind, item: string): void {
    this.#run('DELETE FROM outbox WHERE kind = ? AND item = ?', kind, item);
  }

  /** Profiles that somebody still waits for. */
  waitingProfiles(): ReadonlySet<string> {
    return this.#index.inIndex('reading the queue', (database) => {
      const rows = database.prepare(`SELECT item FROM outbox WHERE state = 'queued' AND kind = 'profile'`).all();
      return new Set(rows.map((row) => String(row['item'])));
    });
  }

  #run(sql: string, ...values: (string | number | null)[]): void {
    this.#index.inIndex('changing the queue', (database) => database.prepare(sql).run(...values));
  }

  #select(condition: string, ...values: (string | number)[]): OutboxRow[] {
    return this.#index.inIndex('reading the queue', (database) =>
      database
        .prepare(`SELECT * FROM outbox WHERE ${condition}`)
        .all(...values)
        .map(rowOf),
    );
  }
}

/** Only this table writes rows. */
function rowOf(row: Record<string, unknown>): OutboxRow {
  return {
    id: Number(row['id']),
    destination: String(row['destination']),
    kind: row['kind'] as OutboxKind,
    item: String(row['item']),
    state: row['state'] as OutboxState,
    bytes: Number(row['bytes']),
    queuedMs: Number(row['queued_ms']),
    endedMs: row['ended_ms'] as number | null,
    attempts: Number(row['attempts']),
    reason: row['reason'] as string | null,
    note: row['note'] as string | null,
    facts: JSON.parse(String(row['facts'])) as Record<string, string>,
  };
}
