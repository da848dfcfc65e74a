import { isSidescopeError } from '../../protocol/error.ts';
import type { Catch } from '../../protocol/rest/rules.ts';
import { RecordTable, type RecordIndex } from '../store/record-table.ts';

/** One may wait for a day, while others come and go. */
const maxRecords = 200;
const shownEnded = 20;

interface CatchTableOptions {
  readonly index: RecordIndex;
  readonly log: { error(facts: object, message: string): void };
}

/** What is to be caught and what was, over all agents of this data directory; with a full disk, of this one. */
export class CatchTable {
  readonly #log: CatchTableOptions['log'];
  readonly #table: RecordTable<Catch>;
  /** The newest first. */
  readonly #catches = new Map<string, Catch>();
  #isWriteFailing = false;

  constructor({ index, log }: CatchTableOptions) {
    this.#log = log;
    const atMs = ({ startedAt }: Catch): number => Date.parse(startedAt);
    this.#table = new RecordTable({ index, kind: 'catch', maxRecords, atMs });
    try {
      for (const view of this.#table.list().records) this.#catches.set(view.id, view);
    } catch (error) {
      if (!isSidescopeError(error)) throw error;
      log.error({ code: error.code }, `what was to be caught could not be read: ${error.message}`);
    }
  }

  /** Newest first: all that wait, and the last that do not. */
  list(): Catch[] {
    let ended = 0;
    return [...this.#catches.values()]
      .toSorted((a, b) => (a.id < b.id ? 1 : -1))
      .filter(({ state }) => state === 'waiting' || state === 'keeping' || ended++ < shownEnded);
  }

  get(id: string): Catch | undefined {
    return this.#catches.get(id);
  }

  /** Those of an earlier agent, when asked for at the start. */
  unfinished(): Catch[] {
    return this.list().filter(({ state }) => state === 'waiting' || state === 'keeping');
  }

  /** It is told once when it cannot be written, and again when it could be in between. */
  save(view: Catch): void {
    this.#catches.set(view.id, view);
    const kept = new Set(this.list().map(({ id }) => id));
    for (const id of this.#catches.keys()) if (!kept.has(id)) this.#catches.delete(id);
    try {
      this.#table.save(view);
      this.#isWriteFailing = false;
    } catch (error) {
      if (!isSidescopeError(error)) throw error;
      if (!this.#isWriteFailing)
        this.#log.error({ code: error.code }, `what is to be caught could not be written: ${error.message}`);
      this.#isWriteFailing = true;
    }
  }
}
