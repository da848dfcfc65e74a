import type { AlertClock } from '../alerts/clock.ts';
import type { RuleFiring } from '../../protocol/rest/rules.ts';
import type { Rule } from './rule.ts';

export interface RuleRecord {
  readonly id: string;
  readonly targetId: string;
  readonly rule: string;
  /** The last ones, the newest first. */
  readonly firings: readonly RuleFiring[];
  /** When it fired, by the wall clock, the oldest first: as many as a limit may count. Undefined in records of an earlier version of the agent. */
  readonly firedAtMs?: readonly number[] | undefined;
  readonly total: number;
  readonly suppressed: { readonly cooldown: number; readonly limit: number };
}

const maxFirings = 50;
/** The highest `max`. */
const maxTimes = 1_000;

/**
 * How often a rule has fired for one target. Its times are of a clock that only grows: what an earlier agent wrote is dated back by the wall clock, and is never in the
 * future, so that a step of the clock can neither block a rule for years nor let it fire twice.
 */
export class RuleState {
  readonly #clock: AlertClock;
  #record: RuleRecord;
  #firedMs: number[];

  constructor(key: { rule: string; targetId: string }, clock: AlertClock, earlier?: RuleRecord) {
    this.#clock = clock;
    this.#record = earlier ?? {
      id: `${key.rule}@${key.targetId}`,
      ...key,
      firings: [],
      total: 0,
      suppressed: { cooldown: 0, limit: 0 },
    };
    const [nowMs, wallMs] = [clock.elapsedMs(), clock.wallMs()];
    this.#firedMs = firedAtMs(this.#record).map((atMs) => nowMs - Math.max(0, wallMs - atMs));
  }

  get record(): RuleRecord {
    return this.#record;
  }

  /** Why it may not fire now; undefined when it may. */
  obstacle({ limits }: Pick<Rule, 'limits'>): 'cooldown' | 'limit' | undefined {
    const nowMs = this.#clock.elapsedMs();
    const last = this.#firedMs.at(-1);
    if (last !== undefined && nowMs - last < limits.cooldownMs) return 'cooldown';
    const inWindow = this.#firedMs.filter((at) => nowMs - at < limits.windowMs).length;
    return inWindow >= limits.max ? 'limit' : undefined;
  }

  /** Milliseconds until `obstacle` is gone by itself; 0 when there is none. */
  waitMs({ limits }: Pick<Rule, 'limits'>): number {
    const nowMs = this.#clock.elapsedMs();
    const cooldownEnd = (this.#firedMs.at(-1) ?? -Infinity) + limits.cooldownMs;
    const nthLast = this.#firedMs.at(-limits.max);
    const limitEnd = nthLast === undefined ? -Infinity : nthLast + limits.windowMs;
    return Math.max(0, cooldownEnd - nowMs, limitEnd - nowMs);
  }

  suppress(obstacle: 'cooldown' | 'limit'): void {
    const { suppressed } = this.#record;
    this.#record = { ...this.#record, suppressed: { ...suppressed, [obstacle]: suppressed[obstacle] + 1 } };
  }

  fire(firing: RuleFiring): void {
    this.#firedMs = [...this.#firedMs, this.#clock.elapsedMs()].slice(-maxTimes);
    this.#record = {
      ...this.#record,
      total: this.#record.total + 1,
      firings: [firing, ...this.#record.firings].slice(0, maxFirings),
      firedAtMs: [...firedAtMs(this.#record), Date.parse(firing.at)].slice(-maxTimes),
    };
  }

  /** What became of it. */
  update(id: string, change: Partial<RuleFiring>): void {
    const firings = this.#record.firings.map((firing) => (firing.id === id ? { ...firing, ...change } : firing));
    this.#record = { ...this.#record, firings };
  }
}

function firedAtMs({ firedAtMs: known, firings }: RuleRecord): readonly number[] {
  return known ?? firings.map(({ at }) => Date.parse(at)).toReversed();
}
