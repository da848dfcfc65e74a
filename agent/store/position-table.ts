import type { DatabaseSync } from 'node:sqlite';

/**
 * The `source_positions` table, whose rows a trigger removes with their profile: per profile, where its functions come from, as the agent wrote it (compressed). What the target's source maps
 * said at the capture is nowhere else: with the index lost, exports show generated places again.
 */
export class PositionTable {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  save(profileId: string, positions: Uint8Array): void {
    this.#database
      .prepare('INSERT OR REPLACE INTO source_positions (profile_id, positions) VALUES (?, ?)')
      .run(profileId, positions);
  }

  load(profileId: string): Uint8Array | undefined {
    const row = this.#database.prepare('SELECT positions FROM source_positions WHERE profile_id = ?').get(profileId);
    return row?.['positions'] instanceof Uint8Array ? row['positions'] : undefined;
  }

  /** Saved before their profile is: a capture that failed in between leaves some. */
  removeOrphans(): void {
    this.#database.exec('DELETE FROM source_positions WHERE profile_id NOT IN (SELECT id FROM profiles)');
  }
}
