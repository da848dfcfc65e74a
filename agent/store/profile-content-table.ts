import type { DatabaseSync } from 'node:sqlite';

/** Rows go with their profile, by a trigger. */
const columns = {
  /** Where its functions come from: what the target's source maps said at the capture is nowhere else; with the index lost, exports show generated places again. */
  source_positions: 'positions',
  /** The source lines around its hot ones. With the index lost, there are none. */
  profile_sources: 'content',
} as const;

/** What is kept beside a profile, one piece for each, as the agent wrote it (compressed). */
export class ProfileContentTable {
  readonly #database: DatabaseSync;
  readonly #table: keyof typeof columns;
  readonly #column: string;

  constructor(database: DatabaseSync, table: keyof typeof columns) {
    this.#database = database;
    this.#table = table;
    this.#column = columns[table];
  }

  save(profileId: string, content: Uint8Array): void {
    this.#database
      .prepare(`INSERT OR REPLACE INTO ${this.#table} (profile_id, ${this.#column}) VALUES (?, ?)`)
      .run(profileId, content);
  }

  load(profileId: string): Uint8Array | undefined {
    const row = this.#database
      .prepare(`SELECT ${this.#column} AS content FROM ${this.#table} WHERE profile_id = ?`)
      .get(profileId);
    return row?.['content'] instanceof Uint8Array ? row['content'] : undefined;
  }

  /** Saved before their profile is: a capture that failed in between leaves some. */
  removeOrphans(): void {
    this.#database.exec(`DELETE FROM ${this.#table} WHERE profile_id NOT IN (SELECT id FROM profiles)`);
  }
}
