import fs from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SidescopeError } from '../../protocol/error.ts';
import { historySchema } from './history-schema.ts';
import { newId } from './id.ts';
import { joinSchema } from './join-table.ts';
import { outboxSchema } from './outbox-table.ts';
import { recordSchema } from './record-schema.ts';
import { seriesSchema } from './series-schema.ts';
import { sourceSchema } from './source-schema.ts';
import type { StoreLog } from './log.ts';
import { reasonOf, sqliteErrorCode, systemCode } from './storage-error.ts';

const sqliteCorrupt = 11;
const sqliteNotADatabase = 26;

/** Each entry takes the schema one version up; entries are never changed once released. */
const migrations: readonly string[] = [
  `CREATE TABLE profiles (
     id TEXT PRIMARY KEY,
     kind TEXT NOT NULL,
     target_id TEXT NOT NULL,
     trigger_kind TEXT NOT NULL,
     started_ms INTEGER NOT NULL,
     ended_ms INTEGER NOT NULL,
     pinned INTEGER NOT NULL,
     stored_bytes INTEGER NOT NULL,
     metadata_bytes INTEGER NOT NULL,
     metadata TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX profiles_by_start ON profiles (started_ms, id);`,
  `CREATE TABLE operations (
     id TEXT PRIMARY KEY,
     created_ms INTEGER NOT NULL,
     ended INTEGER NOT NULL,
     expires_ms INTEGER,
     operation TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE snapshot_history (
     program TEXT PRIMARY KEY,
     taken_ms INTEGER NOT NULL,
     record TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE source_positions (
     profile_id TEXT PRIMARY KEY,
     positions BLOB NOT NULL
   ) STRICT;
   CREATE TRIGGER source_positions_go_with_their_profile AFTER DELETE ON profiles
     BEGIN DELETE FROM source_positions WHERE profile_id = OLD.id; END;`,
  historySchema,
  recordSchema,
  seriesSchema,
  joinSchema,
  outboxSchema,
  sourceSchema,
];

export const indexVersion = migrations.length;

/**
 * Opens the index and brings it to the present version. A corrupt one is moved to `asideDirectory` and an empty one is
 * made, which reconciling then fills from the files. Throws `data-directory-unusable` when a newer Sidescope wrote it:
 * changing it would lose what this version does not know.
 */
export function openIndex(
  file: string,
  { asideDirectory, log }: { asideDirectory: string; log: StoreLog },
): DatabaseSync {
  createPrivate(file);
  try {
    return openMigrated(file);
  } catch (error) {
    if (!isCorrupt(error)) throw error;
    const aside = path.join(asideDirectory, `${path.basename(file)}.corrupt-${newId()}`);
    log.error(
      { index: file, setAside: aside, reason: reasonOf(error) },
      'the index is corrupt: it is set aside and made again from the files; the history of operations starts anew',
    );
    setAside(file, aside);
    createPrivate(file);
    return openMigrated(file);
  }
}

function openMigrated(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: 1000 });
  try {
    // Exclusive: the directory is locked anyway, and the WAL then needs no shared memory file, which some volumes cannot do.
    // NORMAL: after a power cut the last commits may be missing; the metadata files beside the artifacts are fsynced and
    // bring them back at start, so an fsync per commit would buy nothing.
    // Small checkpoints: the WAL counts into the disk budget.
    database.exec(`PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
      PRAGMA wal_autocheckpoint = 64; PRAGMA journal_size_limit = 262144; PRAGMA cache_size = -1024;`);
    const [check] = database.prepare('PRAGMA quick_check(1)').all();
    if (check?.['quick_check'] !== 'ok') throw new CorruptIndex(String(check?.['quick_check']));
    migrate(database, file);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function migrate(database: DatabaseSync, file: string): void {
  const found = Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
  if (found > indexVersion) {
    throw new SidescopeError(
      'data-directory-unusable',
      `${file} has index version ${found}, written by a newer Sidescope; this one knows up to ${indexVersion}`,
    );
  }
  for (const [version, sql] of migrations.entries()) {
    if (version < found) continue;
    database.exec(`BEGIN IMMEDIATE; ${sql} PRAGMA user_version = ${version + 1}; COMMIT`);
  }
}

/** SQLite would make the file readable for all; its WAL takes the mode of the file. */
function createPrivate(file: string): void {
  try {
    fs.closeSync(fs.openSync(file, 'wx', 0o600));
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
  }
}

/** The WAL goes along: without it the file set aside would be older than what is in it. */
function setAside(file: string, aside: string): void {
  for (const suffix of ['', '-wal', '-shm']) {
    try {
      fs.renameSync(file + suffix, aside + suffix);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
    }
  }
}

function isCorrupt(error: unknown): boolean {
  if (error instanceof CorruptIndex) return true;
  const code = sqliteErrorCode(error);
  return code === sqliteCorrupt || code === sqliteNotADatabase;
}

class CorruptIndex extends Error {}
