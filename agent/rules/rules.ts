import { SidescopeError } from '../../protocol/error.ts';
import type { Feature } from '../../protocol/rest/info.ts';
import type { Catch, RuleExplanation, RuleFiring, Rules as RulesView } from '../../protocol/rest/rules.ts';
import type { Alerts } from '../alerts/alerts.ts';
import { systemClock, type AlertClock } from '../alerts/clock.ts';
import type { Targets } from '../attach/targets.ts';
import type { Series } from '../baseline/series.ts';
import type { Captures } from '../capture/captures.ts';
import type { FlightRecorder } from '../capture/recorder.ts';
import type { DeathRecords } from '../memory/death-records.ts';
import type { Timelines } from '../requests/timelines.ts';
import type { RecordIndex } from '../store/record-table.ts';
import type { ProfileStore } from '../store/store.ts';
import type { Monitor } from '../vitals/monitor.ts';
import { Catches, type CatchRequest } from './catches.ts';
import { describeRule } from './describe-rule.ts';
import { explainRule } from './explain.ts';
import { Firings } from './firings.ts';
import type { Rule } from './rule.ts';
import { RuleStates } from './rule-states.ts';
import { RuleWatch } from './rule-watch.ts';
import { RulesFile } from './rules-file.ts';

export interface RulesOptions {
  readonly targets: Pick<Targets, 'list' | 'watcher' | 'on' | 'off'>;
  readonly monitor: Pick<Monitor, 'on' | 'off' | 'vitals' | 'listStalls'>;
  readonly alerts: Pick<Alerts, 'on' | 'off' | 'raise' | 'settle' | 'list' | 'openAlerts' | 'attachProfile'>;
  readonly deaths: Pick<DeathRecords, 'on' | 'off' | 'list'>;
  readonly captures: Pick<Captures, 'startCpu' | 'startHeapSampling' | 'startHeapSnapshot' | 'readStacks' | 'waitFor'>;
  readonly recorder: Pick<FlightRecorder, 'keep' | 'lease' | 'recording' | 'run'>;
  readonly timelines: Pick<Timelines, 'routes' | 'sink'>;
  readonly series: Pick<Series, 'value' | 'rate' | 'quantile' | 'latest' | 'past'> | undefined;
  readonly store: ProfileStore | undefined;
  readonly index: RecordIndex;
  /** The configuration file; undefined without `--config`. */
  readonly path: string | undefined;
  readonly lookEveryMs?: number | undefined;
  readonly clock?: AlertClock | undefined;
  readonly log: {
    info(facts: object, message: string): void;
    warn(facts: object, message: string): void;
    error(facts: object, message: string): void;
  };
}

/** Rules of the configuration file, and what is to be caught: what they capture goes through the same limits as what people ask for. */
export class Rules implements AsyncDisposable {
  readonly #options: RulesOptions;
  readonly #clock: AlertClock;
  readonly #states: RuleStates;
  readonly #firings: Firings;
  readonly #watch: RuleWatch;
  readonly #catches: Catches;
  readonly #resources = new AsyncDisposableStack();
  readonly #stopped = new AbortController();
  #file: RulesFile | undefined;

  static async open(options: RulesOptions): Promise<Rules> {
    const rules = new Rules(options);
    const { path, log, lookEveryMs } = options;
    if (path !== undefined) {
      const onRules = (read: readonly Rule[]): void => rules.#watch.replace(read);
      rules.#file = rules.#resources.use(await RulesFile.open({ path, onRules, log, lookEveryMs }));
    }
    return rules;
  }

  private constructor(options: RulesOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const parts = { ...options, clock: this.#clock };
    this.#states = new RuleStates(parts);
    this.#firings = this.#resources.use(new Firings({ ...parts, states: this.#states }));
    this.#catches = this.#resources.use(new Catches(options));
    this.#watch = this.#resources.use(new RuleWatch({ ...parts, states: this.#states, firings: this.#firings }));
  }

  /** Throws `unknown-target`. */
  list(targetId?: string): RulesView {
    const { targets, series, timelines } = this.#options;
    const views = targetId === undefined ? targets.list() : [targets.watcher(targetId).view];
    const targetIds = views.map(({ id }) => id);
    const sources = { states: this.#states, watch: this.#watch, series, timelines };
    return {
      file: this.#file?.path ?? null,
      loadedAt: this.#file?.loadedAt ?? null,
      problems: [...(this.#file?.problems ?? [])],
      rules: this.#watch.rules.map((rule) => describeRule(rule, targetIds, sources)),
      catches: this.#catches.list(),
    };
  }

  /** By a person: conditions and limits are not asked. Throws `unknown-rule`, `target-required`, `unknown-target`, `shutting-down`. */
  fire(name: string, { targetId, by }: { targetId: string | undefined; by: string }): RuleFiring {
    const rule = this.#rule(name);
    const { id } = this.#options.targets.watcher(targetId);
    return this.#firings.fire(rule, { targetId: id, by, why: `fired by ${by}` });
  }

  /** Rejects with `unknown-rule`, `target-required`, `unknown-target`, `storage-failed`. */
  async explain(name: string, targetId: string | undefined): Promise<RuleExplanation> {
    const rule = this.#rule(name);
    const { id } = this.#options.targets.watcher(targetId);
    const now = this.#watch.last(name, id) ?? { holds: false, leaves: [] };
    return explainRule(rule, { targetId: id, sources: this.#options, now, nowMs: this.#clock.wallMs() });
  }

  /** "Catch the next one". Throws as `Catches.start` does, and `shutting-down`. */
  catchNext(request: CatchRequest): Catch {
    this.#stopped.signal.throwIfAborted();
    return this.#catches.start(request);
  }

  /** Throws `unknown-catch`, `operation-ended`. */
  cancelCatch(id: string, by: string): Catch {
    return this.#catches.cancel(id, by);
  }

  feature(): Feature {
    const name = 'rules';
    const remedy = 'Write `rules:` into the file that --config names.';
    if (this.#file === undefined) return { name, state: 'off', reason: 'there is no configuration file', remedy };
    const [problem] = this.#file.problems;
    if (problem !== undefined) {
      const reason = `${this.#file.path} line ${problem.line}: ${problem.message}`;
      const isKept = this.#file.loadedAt !== null;
      const correct = 'Correct the file; it is read again when it changes.';
      return {
        name,
        state: isKept ? 'on' : 'failed',
        reason: isKept ? `the rules of before stay: ${reason}` : reason,
        remedy: correct,
      };
    }
    if (this.#watch.rules.length === 0)
      return { name, state: 'off', reason: 'the configuration file has none', remedy };
    return { name, state: 'on', reason: null, remedy: null };
  }

  /** Of a target that has ended a while ago and has no id any more. */
  forget(targetId: string): void {
    this.#watch.forget(targetId);
    this.#states.forget(targetId);
  }

  /** How often rules fired, for metrics. */
  totals(): ReturnType<RuleStates['totals']> {
    return this.#states.totals();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort(new SidescopeError('shutting-down', 'the agent is stopping'));
    await this.#resources.disposeAsync();
  }

  #rule(name: string): Rule {
    const { rules } = this.#watch;
    const found = rules.find((rule) => rule.name === name);
    if (found !== undefined) return found;
    const known = rules.map((rule) => rule.name).join(', ') || 'none';
    throw new SidescopeError(
      'unknown-rule',
      `there is no rule ${JSON.stringify(name.slice(0, 64))}; there are: ${known}`,
    );
  }
}
