import type { DatabaseSync } from 'node:sqlite';

/** Rows go with their profile, by a trigger: source text is nowhere else in the data directory, and is gone when the profile is. */
export const sourceSchema = `CREATE TABLE profile_sources (
     profile_id TEXT PRIMARY KEY,
     content BLOB NOT NULL
   ) STRICT;
   CREATE TRIGGER profile_sources_go_with_their_profile AFTER DELETE ON profiles
     BEGIN DELETE FROM profile_sources WHERE profile_id = OLD.id; END;`;

/** Per profile the source lines around its hot ones, as the agent wrote them (compressed). With the index lost, there are none. */
export class SourceTable {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  save(profileId: string, content: Uint8Array): void {
    this.#database
      .prepare('INSERT OR REPLACE INTO profile_sources (profile_id, content) VALUES (?, ?)')
      .run(profileId, content);
  }

  load(profileId: string): Uint8Array | undefined {
    const row = this.#database.prepare('SELECT content FROM profile_sources WHERE profile_id = ?').get(profileId);
    return row?.['content'] instanceof Uint8Array ? row['content'] : undefined;
  }

  /** Saved before their profile is: a capture that failed in between leaves some. */
  removeOrphans(): void {
    this.#database.exec('DELETE FROM profile_sources WHERE profile_id NOT IN (SELECT id FROM profiles)');
  }
}
