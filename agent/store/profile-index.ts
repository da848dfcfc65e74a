import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { invalidParameter } from '../../protocol/rest/invalid-request.ts';
import type { Profile, ProfileKind } from '../../protocol/rest/profile.ts';
import { parseRowCursor, rowCursor } from './row-cursor.ts';

export interface ProfileFilter {
  readonly kind?: ProfileKind | undefined;
  readonly targetId?: string | undefined;
  /** startedAt at or after. */
  readonly since?: string | undefined;
  /** startedAt before. */
  readonly before?: string | undefined;
  readonly trigger?: string | undefined;
}

export interface ProfileQuery extends ProfileFilter {
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

export interface ProfilePage {
  profiles: Profile[];
  nextCursor: string | null;
  total: number;
}

/** What retention needs of an artifact. */
export interface StoredArtifact {
  readonly id: string;
  readonly kind: ProfileKind;
  /** Age counts from here: a capture of an hour is new when it ends. */
  readonly endedMs: number;
  readonly pinned: boolean;
  /** Artifact and metadata file together. */
  readonly diskBytes: number;
}

const pageLimit = { default: 50, max: 500 } as const;

/** The `profiles` table: one row per artifact, the columns for queries and the whole profile as JSON. */
export class ProfileIndex {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  put(profile: Profile, metadataBytes: number): void {
    this.#database
      .prepare(
        `INSERT OR REPLACE INTO profiles
           (id, kind, target_id, trigger_kind, started_ms, ended_ms, pinned, stored_bytes, metadata_bytes, metadata)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        profile.id,
        profile.kind,
        profile.targetId,
        profile.trigger.kind,
        Date.parse(profile.startedAt),
        Date.parse(profile.endedAt),
        profile.pinned ? 1 : 0,
        profile.storedBytes,
        metadataBytes,
        JSON.stringify(profile),
      );
  }

  get(id: string): Profile | undefined {
    const row = this.#database.prepare('SELECT metadata FROM profiles WHERE id = ?').get(id);
    return row === undefined ? undefined : profileOf(row);
  }

  remove(id: string): void {
    this.#database.prepare('DELETE FROM profiles WHERE id = ?').run(id);
  }

  /** Newest first. The cursor names the last row of the page before, so rows that come or go elsewhere do not shift pages. */
  list(query: ProfileQuery): ProfilePage {
    const limit = Math.min(Math.max(query.limit ?? pageLimit.default, 1), pageLimit.max);
    const { where, values } = whereOf(query);
    const total = this.#database.prepare(`SELECT count(*) AS n FROM profiles WHERE ${where}`).get(...values);
    let position = '';
    const pageValues: SQLInputValue[] = [...values];
    if (query.cursor !== undefined) {
      position = 'AND (started_ms, id) < (?, ?)';
      pageValues.push(...parseRowCursor(query.cursor));
    }
    const rows = this.#database
      .prepare(`SELECT metadata FROM profiles WHERE ${where} ${position} ORDER BY started_ms DESC, id DESC LIMIT ?`)
      .all(...pageValues, limit + 1);
    const profiles = rows.slice(0, limit).map(profileOf);
    const last = profiles.at(-1);
    const nextCursor =
      rows.length > limit && last !== undefined ? rowCursor({ atMs: Date.parse(last.startedAt), id: last.id }) : null;
    return { profiles, nextCursor, total: Number(total?.['n']) };
  }

  /** Oldest first. */
  artifacts(filter: ProfileFilter = {}): StoredArtifact[] {
    const { where, values } = whereOf(filter);
    return this.#database
      .prepare(
        `SELECT id, kind, ended_ms, pinned, stored_bytes + metadata_bytes AS disk_bytes
         FROM profiles WHERE ${where} ORDER BY ended_ms, id`,
      )
      .all(...values)
      .map((row) => ({
        id: String(row['id']),
        kind: String(row['kind']) as ProfileKind,
        endedMs: Number(row['ended_ms']),
        pinned: row['pinned'] === 1,
        diskBytes: Number(row['disk_bytes']),
      }));
  }

  totals(): { count: number; storedBytes: number; metadataBytes: number } {
    const row = this.#database
      .prepare('SELECT count(*) AS n, total(stored_bytes) AS stored, total(metadata_bytes) AS metadata FROM profiles')
      .get();
    return {
      count: Number(row?.['n']),
      storedBytes: Number(row?.['stored']),
      metadataBytes: Number(row?.['metadata']),
    };
  }
}

function whereOf(filter: ProfileFilter): { where: string; values: SQLInputValue[] } {
  const terms: [string, SQLInputValue | undefined][] = [
    ['kind = ?', filter.kind],
    ['target_id = ?', filter.targetId],
    ['trigger_kind = ?', filter.trigger],
    ['started_ms >= ?', filter.since === undefined ? undefined : timeOf(filter.since, 'since')],
    ['started_ms < ?', filter.before === undefined ? undefined : timeOf(filter.before, 'before')],
  ];
  const used = terms.filter((term): term is [string, SQLInputValue] => term[1] !== undefined);
  return { where: used.map(([sql]) => sql).join(' AND ') || 'TRUE', values: used.map(([, value]) => value) };
}

function timeOf(text: string, parameter: string): number {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw invalidParameter(parameter, 'is not a time', text);
  return ms;
}

/** Only the store writes rows, and only from values of this type. */
function profileOf(row: Record<string, unknown>): Profile {
  return JSON.parse(String(row['metadata'])) as Profile;
}
