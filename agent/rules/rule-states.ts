import { isSidescopeError } from '../../protocol/error.ts';
import type { AlertClock } from '../alerts/clock.ts';
import { RecordTable, type RecordIndex } from '../store/record-table.ts';
import { RuleState, type RuleRecord } from './rule-state.ts';

const maxRecords = 500;

interface RuleStatesOptions {
  readonly index: RecordIndex;
  readonly clock: AlertClock;
  readonly log: { error(facts: object, message: string): void };
}

/** How often each rule has fired for each target, over all agents of this data directory. */
export class RuleStates {
  readonly #options: RuleStatesOptions;
  readonly #table: RecordTable<RuleRecord>;
  readonly #states = new Map<string, RuleState>();
  #isWriteFailing = false;

  constructor(options: RuleStatesOptions) {
    this.#options = options;
    this.#table = new RecordTable({
      index: options.index,
      kind: 'rule',
      maxRecords,
      atMs: ({ firings }) => Date.parse(firings[0]?.at ?? new Date(0).toISOString()),
    });
    this.#load();
  }

  of(rule: string, targetId: string): RuleState {
    const key = keyOf(rule, targetId);
    let state = this.#states.get(key);
    if (state === undefined) this.#states.set(key, (state = new RuleState({ rule, targetId }, this.#options.clock)));
    return state;
  }

  /** A full disk must not stop rules; it is told once, and again when it was better in between. */
  save({ record }: RuleState): void {
    try {
      this.#table.save(record);
      this.#isWriteFailing = false;
    } catch (error) {
      if (!isSidescopeError(error)) throw error;
      if (!this.#isWriteFailing)
        this.#options.log.error({ code: error.code }, `a firing could not be recorded: ${error.message}`);
      this.#isWriteFailing = true;
    }
  }

  /** What is in memory. */
  forget(targetId: string): void {
    for (const [key, { record }] of this.#states) if (record.targetId === targetId) this.#states.delete(key);
  }

  /** For metrics. */
  totals(): { rule: string; target: string; fired: number; cooldown: number; limit: number }[] {
    return [...this.#states.values()].map(({ record }) => ({
      rule: record.rule,
      target: record.targetId,
      fired: record.total,
      ...record.suppressed,
    }));
  }

  #load(): void {
    const { clock, log } = this.#options;
    try {
      for (const record of this.#table.list().records) {
        // What was under way when the agent ended.
        const firings = record.firings.map((firing) =>
          firing.state === 'capturing'
            ? {
                ...firing,
                state: 'failed' as const,
                error: { code: 'shutting-down', message: 'the agent ended meanwhile' },
              }
            : firing,
        );
        const { rule, targetId } = record;
        this.#states.set(keyOf(rule, targetId), new RuleState({ rule, targetId }, clock, { ...record, firings }));
      }
    } catch (error) {
      if (!isSidescopeError(error)) throw error;
      log.error({ code: error.code }, `earlier firings could not be read: ${error.message}`);
    }
  }
}

function keyOf(rule: string, targetId: string): string {
  return `${rule}@${targetId}`;
}
