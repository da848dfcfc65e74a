import type { Death } from '../../protocol/rest/deaths.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import type { Target } from '../../protocol/rest/target.ts';
import type { SeriesValues } from '../../protocol/rest/vitals.ts';
import type { AlertNotice } from '../alerts/alert-sink.ts';
import type { Alerts } from '../alerts/alerts.ts';
import type { AlertClock } from '../alerts/clock.ts';
import type { Targets } from '../attach/targets.ts';
import type { Series } from '../baseline/series.ts';
import type { DeathRecords } from '../memory/death-records.ts';
import type { Timelines } from '../requests/timelines.ts';
import type { Monitor } from '../vitals/monitor.ts';
import { RuleEvaluator, whyOf, type Evaluation } from './evaluate.ts';
import type { Firings } from './firings.ts';
import { RecentEvents } from './recent-events.ts';
import type { Rule } from './rule.ts';
import type { RuleStates } from './rule-states.ts';
import { readingsOf, routesWindowMs, type ReadingSources } from './target-readings.ts';

export interface RuleWatchOptions {
  readonly targets: Pick<Targets, 'on' | 'off'>;
  readonly monitor: Pick<Monitor, 'on' | 'off'>;
  readonly alerts: Pick<Alerts, 'on' | 'off'>;
  readonly deaths: Pick<DeathRecords, 'on' | 'off'>;
  readonly timelines: Pick<Timelines, 'routes'>;
  readonly series: Pick<Series, 'value' | 'rate' | 'quantile'> | undefined;
  readonly states: RuleStates;
  readonly firings: Pick<Firings, 'fire' | 'settle'>;
  readonly clock: AlertClock;
}

/** Whatever a rule says about one target. */
interface Watched {
  readonly rule: Rule;
  readonly targetId: string;
  readonly evaluator: RuleEvaluator;
  last: Evaluation | undefined;
  /** What held the last evaluation back, so that one episode counts once for each. */
  obstacle: 'cooldown' | 'limit' | undefined;
}

/** Looks at the rules with every reading and event of a target, and fires those that hold and may. */
export class RuleWatch implements Disposable {
  readonly #options: RuleWatchOptions;
  readonly #watched = new Map<string, Watched>();
  readonly #values = new Map<string, SeriesValues>();
  readonly #events = new RecentEvents();
  readonly #resources = new DisposableStack();
  #rules: readonly Rule[] = [];

  constructor(options: RuleWatchOptions) {
    this.#options = options;
    const { targets, monitor, alerts, deaths, clock } = options;
    const onAttached = (target: Target): void => this.#onAttached(target);
    const onValues = ({ targetId, values }: { targetId: string; values: SeriesValues }): void => {
      this.#values.set(targetId, values);
      this.#evaluate(targetId);
    };
    const onStall = (stall: Stall): void => {
      if (this.#events.noteStall(stall, clock.elapsedMs()) !== undefined) this.#evaluate(stall.targetId);
    };
    const onAlert = (notice: AlertNotice): void => {
      if (this.#events.noteAlert(notice, clock.elapsedMs()) !== undefined) this.#evaluate(notice.alert.targetId);
    };
    const onDeath = (death: Death): void => {
      if (this.#events.noteDeath(death, clock.elapsedMs())) this.#evaluate(death.targetId);
    };
    deaths.on('death', onDeath);
    targets.on('attached', onAttached);
    monitor.on('values', onValues);
    monitor.on('stall', onStall);
    alerts.on('change', onAlert);
    this.#resources.defer(() => {
      targets.off('attached', onAttached);
      monitor.off('values', onValues);
      monitor.off('stall', onStall);
      alerts.off('change', onAlert);
      deaths.off('death', onDeath);
    });
  }

  get rules(): readonly Rule[] {
    return this.#rules;
  }

  /** A changed rule begins anew; how often it fired stays. */
  replace(rules: readonly Rule[]): void {
    for (const [key, { rule, targetId, last }] of this.#watched) {
      const now = rules.find(({ name }) => name === rule.name);
      if (JSON.stringify(now) === JSON.stringify(rule)) continue;
      this.#watched.delete(key);
      if (last?.holds === true)
        this.#options.firings.settle(rule, { targetId, why: 'the rule was changed or removed' });
    }
    this.#rules = rules;
  }

  /** What its conditions said at the last reading; undefined before the first one. */
  last(rule: string, targetId: string): Evaluation | undefined {
    return this.#watched.get(keyOf(rule, targetId))?.last;
  }

  forget(targetId: string): void {
    this.#values.delete(targetId);
    this.#events.forget(targetId);
    for (const [key, watched] of this.#watched) if (watched.targetId === targetId) this.#watched.delete(key);
  }

  [Symbol.dispose](): void {
    this.#resources.dispose();
  }

  /** Another run, or a time that nobody saw: what was true before is no beginning of it. An exit's last values are known until then. */
  #onAttached({ id }: Target): void {
    this.#values.delete(id);
    for (const watched of this.#watched.values()) {
      if (watched.targetId !== id) continue;
      watched.evaluator.restart();
      watched.last = undefined;
      watched.obstacle = undefined;
    }
  }

  #evaluate(targetId: string): void {
    const { states, firings, clock } = this.#options;
    const nowMs = clock.elapsedMs();
    const readings = readingsOf(targetId, this.#values.get(targetId), { sources: this.#sources, nowMs });
    for (const rule of this.#rules) {
      if (!rule.isEnabled) continue;
      const watched = this.#watch(rule, targetId);
      const evaluation = watched.evaluator.evaluate(readings, nowMs);
      const held = watched.last?.holds === true;
      watched.last = evaluation;
      if (!evaluation.holds) {
        watched.obstacle = undefined;
        if (held) firings.settle(rule, { targetId, why: 'its conditions hold no more' });
        continue;
      }
      const state = states.of(rule.name, targetId);
      const before = watched.obstacle;
      watched.obstacle = state.obstacle(rule);
      if (watched.obstacle !== undefined) {
        if (watched.obstacle !== before) state.suppress(watched.obstacle);
        continue;
      }
      watched.evaluator.consume(nowMs);
      firings.fire(rule, { targetId, by: 'rule', why: whyOf(evaluation) });
    }
  }

  get #sources(): ReadingSources {
    const { series, timelines, clock } = this.#options;
    const since = new Date(clock.wallMs() - routesWindowMs).toISOString();
    return { events: this.#events, series, routes: () => timelines.routes({ since, limit: 500 }) };
  }

  #watch(rule: Rule, targetId: string): Watched {
    const key = keyOf(rule.name, targetId);
    let watched = this.#watched.get(key);
    if (watched === undefined) {
      watched = { rule, targetId, evaluator: new RuleEvaluator(rule.when), last: undefined, obstacle: undefined };
      this.#watched.set(key, watched);
    }
    return watched;
  }
}

function keyOf(rule: string, targetId: string): string {
  return `${rule}@${targetId}`;
}
