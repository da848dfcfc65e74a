import type { DatabaseSync } from 'node:sqlite';
import type { TargetIdentity } from '../../protocol/rest/target.ts';

/** What makes two processes "the same program" for a prediction. */
export interface ProgramKey {
  readonly program: string;
  readonly appVersion: string | null;
  readonly nodeMajor: number;
}

/** What a heap snapshot was predicted to cost, and did cost. */
export interface SnapshotRecord {
  readonly takenAt: string;
  readonly predictedExtraBytes: { readonly low: number; readonly high: number };
  /** Peak minus RSS before; null where it could not be measured. */
  readonly actualExtraBytes: number | null;
  readonly predictedPauseMs: { readonly low: number; readonly high: number };
  readonly actualPauseMs: number | null;
  readonly heapUsedBytes: number;
  readonly oldSpaceBytes: number;
  readonly largeObjectBytes: number;
  readonly fileBytes: number;
}

/** A program per deploy and version; older ones are never asked for again. */
const maxPrograms = 200;

/** The `snapshot_history` table: the last snapshot of each program, which the next forecast learns from. */
export class SnapshotHistory {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  remember(key: ProgramKey, record: SnapshotRecord): void {
    this.#database
      .prepare('INSERT OR REPLACE INTO snapshot_history (program, taken_ms, record) VALUES (?, ?, ?)')
      .run(keyText(key), Date.parse(record.takenAt), JSON.stringify(record));
    this.#database
      .prepare(
        `DELETE FROM snapshot_history WHERE program IN
           (SELECT program FROM snapshot_history ORDER BY taken_ms DESC LIMIT -1 OFFSET ?)`,
      )
      .run(maxPrograms);
  }

  last(key: ProgramKey): SnapshotRecord | undefined {
    const row = this.#database.prepare('SELECT record FROM snapshot_history WHERE program = ?').get(keyText(key));
    return row === undefined ? undefined : (JSON.parse(String(row['record'])) as SnapshotRecord);
  }
}

/** Undefined when the target tells neither its package's name nor its script: then nothing may be learned from another one. */
export function programKeyOf(target: TargetIdentity): ProgramKey | undefined {
  const program = target.appName ?? target.mainScript;
  const nodeMajor = Number(/^v?(\d+)/.exec(target.nodeVersion)?.[1]);
  if (program === null || Number.isNaN(nodeMajor)) return undefined;
  return { program, appVersion: target.appVersion, nodeMajor };
}

function keyText(key: ProgramKey): string {
  return JSON.stringify([key.program, key.appVersion, key.nodeMajor]);
}
