import { SidescopeError } from '../../protocol/error.ts';
import type { Regression, RegressionList } from '../../protocol/rest/regressions.ts';
import { RecordTable, type RecordIndex } from '../store/record-table.ts';
import type { FindingChange } from './findings.ts';

const recordsMax = 500;

/** The history of findings. What is open is kept by who watches it; the table has it as it was when it last was news. */
export class RegressionRecords {
  readonly #table: RecordTable<Regression>;
  readonly #log: { error(facts: object, message: string): void };
  /** As last written, of findings that are open. */
  readonly #told = new Map<string, Regression>();
  #isWriteFailing = false;

  constructor({ index, log }: { index: RecordIndex; log: { error(facts: object, message: string): void } }) {
    this.#log = log;
    this.#table = new RecordTable({
      index,
      kind: 'regression',
      maxRecords: recordsMax,
      atMs: ({ foundAt }) => Date.parse(foundAt),
    });
    this.#endEarlier();
  }

  /** Is it news: begun, ended, of another outcome or severity? Then it is written. */
  note(regression: Regression, change: FindingChange['change']): { isNews: boolean; wasSent: boolean } {
    const before = this.#told.get(regression.id);
    const isSame = before?.outcome === regression.outcome && before.severity === regression.severity;
    const wasSent = before?.outcome === 'sent';
    if (change === 'updated' && isSame) return { isNews: false, wasSent };
    this.save(regression);
    if (change === 'ended') this.#told.delete(regression.id);
    return { isNews: true, wasSent };
  }

  /** A full disk must not end the watch; it is told once, and again when it was better in between. */
  save(regression: Regression): void {
    if (regression.state === 'open') this.#told.set(regression.id, regression);
    try {
      this.#table.save(regression);
      this.#isWriteFailing = false;
    } catch (error) {
      if (!(error instanceof SidescopeError)) throw error;
      if (!this.#isWriteFailing)
        this.#log.error({ code: error.code }, `a regression could not be recorded: ${error.message}`);
      this.#isWriteFailing = true;
    }
  }

  list(
    query: {
      targetId?: string | undefined;
      state?: Regression['state'] | undefined;
      outcome?: Regression['outcome'] | undefined;
      since?: string | undefined;
      limit?: number | undefined;
      cursor?: string | undefined;
    },
    open: readonly Regression[],
  ): RegressionList {
    const { targetId, state, outcome, since, limit = 20, cursor } = query;
    const { records, nextCursor } = this.#table.list({ targetId, since, limit, cursor, fields: { state, outcome } });
    const current = new Map(open.map((regression) => [regression.id, regression]));
    return { regressions: records.map((record) => current.get(record.id) ?? record), nextCursor };
  }

  /** The agent before this one had them open; whether they still are shows in some windows. */
  #endEarlier(): void {
    try {
      for (const regression of this.#table.list({ fields: { state: 'open' } }).records) {
        const { updatedAt } = regression;
        this.#table.save({ ...regression, state: 'ended', endedAt: updatedAt, endReason: 'the agent was restarted' });
      }
    } catch (error) {
      if (!(error instanceof SidescopeError)) throw error;
      this.#log.error({ code: error.code }, `regressions of the agent before could not be read: ${error.message}`);
    }
  }
}
