import type { Operation } from '../../protocol/rest/operation.ts';

const maxEnded = 200;

/** The operations that can be asked for: all that are active, and the ended ones until they expire, newest 200. */
export class OperationTable {
  readonly #operations = new Map<string, Operation>();

  constructor(earlier: readonly Operation[]) {
    for (const operation of earlier) this.put(operation);
  }

  put(operation: Operation): void {
    this.#operations.set(operation.id, operation);
    if (operation.endedAt !== null) this.#expire();
  }

  get(id: string): Operation | undefined {
    return this.#operations.get(id);
  }

  /** Newest first: ids sort by time. */
  list(): Operation[] {
    this.#expire();
    return [...this.#operations.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
  }

  #expire(): void {
    const ended = [...this.#operations.values()]
      .filter(({ endedAt }) => endedAt !== null)
      .sort((a, b) => (a.id < b.id ? 1 : -1));
    const nowMs = Date.now();
    for (const [index, { id, expiresAt }] of ended.entries()) {
      if (index >= maxEnded || (expiresAt !== null && Date.parse(expiresAt) < nowMs)) this.#operations.delete(id);
    }
  }
}
