import type { ClockReading } from '../../protocol/inspector/readings.ts';
import type { TargetIdentity, Thread } from '../../protocol/rest/target.ts';
import type { RecordIndex } from '../store/record-table.ts';

export interface StoredWindow {
  readonly id: number;
  readonly targetId: string;
  /** The run of the target; windows of two runs are never joined. */
  readonly instanceId: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** On the target's CLOCK_MONOTONIC, which no clock step moves. */
  readonly startUs: number;
  readonly endUs: number;
  readonly intervalUs: number;
  readonly plainBytes: number;
  readonly storedBytes: number;
  readonly facts: WindowFacts;
}

export interface WindowFacts {
  readonly pauseMs: number | null;
  readonly clock: ClockReading | null;
  readonly identity: TargetIdentity;
  readonly targetName: string;
  readonly thread: Thread;
  /** What its profile lacks. Undefined in windows of an earlier version of the agent. */
  readonly warnings?: readonly string[] | undefined;
}

export type WindowDraft = Omit<StoredWindow, 'id' | 'storedBytes'> & { readonly gzip: Uint8Array };

/** Made where the recorder is used, and nowhere else. */
const schema = `CREATE TABLE IF NOT EXISTS recorder_windows (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     target TEXT NOT NULL,
     instance TEXT NOT NULL,
     stored_bytes INTEGER NOT NULL,
     facts TEXT NOT NULL,
     profile BLOB NOT NULL
   ) STRICT;
   CREATE INDEX IF NOT EXISTS recorder_windows_by_target ON recorder_windows (target, id);`;

/**
 * The last windows of each target, in the index: they survive the agent, and count into the disk budget. Ordered by when they were written, so that clock steps
 * do nothing. Synchronous; a window of 100 kB takes about a millisecond.
 */
export class RecorderWindows {
  readonly #index: RecordIndex;
  readonly #maxPerTarget: number;
  readonly #maxBytes: number;
  #isMade = false;
  /** Windows that went before their time because all together were over the bound of bytes. */
  droppedForBytes = 0;

  constructor(options: { index: RecordIndex; maxPerTarget: number; maxBytes: number }) {
    this.#index = options.index;
    this.#maxPerTarget = options.maxPerTarget;
    this.#maxBytes = options.maxBytes;
  }

  /** Its id. Throws `disk-full`, `storage-failed`, `shutting-down`. */
  add({ gzip, targetId, instanceId, ...facts }: WindowDraft): number {
    this.#make();
    return this.#index.inIndex('writing a window of the flight recorder', (database) => {
      const { lastInsertRowid } = database
        .prepare('INSERT INTO recorder_windows (target, instance, stored_bytes, facts, profile) VALUES (?, ?, ?, ?, ?)')
        .run(targetId, instanceId, gzip.length, JSON.stringify(facts), gzip);
      database
        .prepare(
          `DELETE FROM recorder_windows WHERE target = ? AND id IN
             (SELECT id FROM recorder_windows WHERE target = ? ORDER BY id DESC LIMIT -1 OFFSET ?)`,
        )
        .run(targetId, targetId, this.#maxPerTarget);
      const { changes } = database
        .prepare(
          `DELETE FROM recorder_windows WHERE id IN (SELECT id FROM
             (SELECT id, sum(stored_bytes) OVER (ORDER BY id DESC) AS bytes FROM recorder_windows) WHERE bytes > ?)`,
        )
        .run(this.#maxBytes);
      this.droppedForBytes += Number(changes);
      return Number(lastInsertRowid);
    });
  }

  /** The oldest first. Throws `storage-failed`. */
  list(targetId?: string): StoredWindow[] {
    this.#make();
    return this.#index.inIndex('reading windows of the flight recorder', (database) =>
      database
        .prepare(
          `SELECT id, target, instance, stored_bytes, facts FROM recorder_windows WHERE ? IS NULL OR target = ? ORDER BY id`,
        )
        .all(targetId ?? null, targetId ?? null)
        .map(windowOf),
    );
  }

  /** Undefined when it is gone. Throws `storage-failed`. */
  get(id: number): StoredWindow | undefined {
    this.#make();
    return this.#index.inIndex('reading a window of the flight recorder', (database) => {
      const row = database
        .prepare('SELECT id, target, instance, stored_bytes, facts FROM recorder_windows WHERE id = ?')
        .get(id);
      return row === undefined ? undefined : windowOf(row);
    });
  }

  /** The gzipped profile; undefined when it is gone meanwhile. */
  read(id: number): Uint8Array | undefined {
    return this.#index.inIndex('reading a window of the flight recorder', (database) => {
      const row = database.prepare('SELECT profile FROM recorder_windows WHERE id = ?').get(id);
      return row?.['profile'] as Uint8Array | undefined;
    });
  }

  #make(): void {
    if (this.#isMade) return;
    this.#index.inIndex('making the table of the flight recorder', (database) => database.exec(schema));
    this.#isMade = true;
  }
}

/** Only this table writes rows. */
function windowOf(row: Record<string, unknown>): StoredWindow {
  return {
    ...(JSON.parse(String(row['facts'])) as Omit<StoredWindow, 'id' | 'targetId' | 'instanceId' | 'storedBytes'>),
    id: Number(row['id']),
    targetId: String(row['target']),
    instanceId: String(row['instance']),
    storedBytes: Number(row['stored_bytes']),
  };
}
