import type { DatabaseSync } from 'node:sqlite';

/** Whose work a CPU profile's samples were: `readings` of active spans, and the `requests` of that time, both as the agent wrote them (compressed). */
export type JoinPart = 'readings' | 'requests';

/** Rows go with their profile, by a trigger. With the index lost, profiles are joined with the requests that are still in memory, without readings. */
export const joinSchema = `CREATE TABLE profile_joins (
     profile_id TEXT NOT NULL,
     part TEXT NOT NULL,
     content BLOB NOT NULL,
     PRIMARY KEY (profile_id, part)
   ) STRICT, WITHOUT ROWID;
   CREATE TRIGGER profile_joins_go_with_their_profile AFTER DELETE ON profiles
     BEGIN DELETE FROM profile_joins WHERE profile_id = OLD.id; END;`;

export class JoinTable {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  save(profileId: string, part: JoinPart, content: Uint8Array): void {
    this.#database
      .prepare('INSERT OR REPLACE INTO profile_joins (profile_id, part, content) VALUES (?, ?, ?)')
      .run(profileId, part, content);
  }

  load(profileId: string, part: JoinPart): Uint8Array | undefined {
    const row = this.#database
      .prepare('SELECT content FROM profile_joins WHERE profile_id = ? AND part = ?')
      .get(profileId, part);
    return row?.['content'] instanceof Uint8Array ? row['content'] : undefined;
  }

  /** Saved before their profile is: a capture that failed in between leaves some. */
  removeOrphans(): void {
    this.#database.exec('DELETE FROM profile_joins WHERE profile_id NOT IN (SELECT id FROM profiles)');
  }
}
