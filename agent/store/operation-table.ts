import type { DatabaseSync } from 'node:sqlite';
import { isEndedState } from '../../protocol/rest/operation.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import { isDiskFull } from './storage-error.ts';

/** The table in memory of the captures holds fewer; this bounds what a rule that fires all day leaves on disk. */
const maxOperations = 500;
/** For those that a restart cut off: long enough that whoever started one still finds the reason. */
const keepAfterRestartMs = 24 * 3_600_000;

/** The `operations` table: what a client with an operation's URL finds after the agent has restarted. */
export class OperationTable {
  readonly #database: DatabaseSync;
  /** Interrupted ones that a full disk kept from being saved as such. */
  readonly #unsaved = new Map<string, Operation>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  save(operation: Operation): void {
    this.#database
      .prepare(
        'INSERT OR REPLACE INTO operations (id, created_ms, ended, expires_ms, operation) VALUES (?, ?, ?, ?, ?)',
      )
      .run(
        operation.id,
        Date.parse(operation.createdAt),
        isEndedState(operation.state) ? 1 : 0,
        operation.expiresAt === null ? null : Date.parse(operation.expiresAt),
        JSON.stringify(operation),
      );
    this.#unsaved.delete(operation.id);
    this.#database
      .prepare(
        `DELETE FROM operations WHERE id IN
           (SELECT id FROM operations ORDER BY ended, created_ms DESC, id DESC LIMIT -1 OFFSET ?)`,
      )
      .run(maxOperations);
  }

  /** Newest first, without the expired ones. */
  load(nowMs: number): Operation[] {
    return this.#database
      .prepare(
        `SELECT operation FROM operations WHERE expires_ms IS NULL OR expires_ms > ?
         ORDER BY created_ms DESC, id DESC`,
      )
      .all(nowMs)
      .map((row) => JSON.parse(String(row['operation'])) as Operation)
      .map((operation) => this.#unsaved.get(operation.id) ?? operation);
  }

  /** At start: whatever was under way ended with the agent that ran it. Gives how many there were. */
  failInterrupted(nowMs: number): number {
    const interrupted = this.load(nowMs).filter((operation) => !isEndedState(operation.state));
    for (const operation of interrupted) {
      const failed: Operation = {
        ...operation,
        state: 'failed',
        endedAt: new Date(nowMs).toISOString(),
        expiresAt: new Date(nowMs + keepAfterRestartMs).toISOString(),
        queuePosition: null,
        error: { code: 'agent-restarted', message: `the agent ended while the operation was ${operation.state}` },
      };
      try {
        this.save(failed);
      } catch (error) {
        if (!isDiskFull(error)) throw error;
        this.#unsaved.set(failed.id, failed);
      }
    }
    return interrupted.length;
  }
}
