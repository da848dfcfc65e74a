import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import { seriesOf } from '../../protocol/rest/series-of-vitals.ts';
import type { Feature } from '../../protocol/rest/info.ts';
import type { RuleExplanation, RuleFiring, Rules as RulesView, RuleView } from '../../protocol/rest/rules.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import type { SeriesValues, Vitals } from '../../protocol/rest/vitals.ts';
import type { AlertNotice } from '../alerts/alert-sink.ts';
import type { Alerts } from '../alerts/alerts.ts';
import { systemClock, type AlertClock } from '../alerts/clock.ts';
import type { Targets } from '../attach/targets.ts';
import type { Series } from '../baseline/series.ts';
import type { Captures } from '../capture/captures.ts';
import type { FlightRecorder } from '../capture/recorder.ts';
import type { Timelines } from '../requests/timelines.ts';
import { newId } from '../store/id.ts';
import { RecordTable, type RecordIndex } from '../store/record-table.ts';
import type { ProfileStore } from '../store/store.ts';
import type { Monitor } from '../vitals/monitor.ts';
import { Catches } from './catches.ts';
import { RuleEvaluator, type Evaluation } from './evaluate.ts';
import { explainRule } from './explain.ts';
import { RecentEvents } from './recent-events.ts';
import { leavesOf, whenText, type Rule } from './rule.ts';
import { RuleState, type RuleRecord } from './rule-state.ts';
import { RulesFile } from './rules-file.ts';
import { markProfiles, takeCapture, type TakenCapture } from './take-capture.ts';
import { readingsOf, type ReadingSources } from './target-readings.ts';

const maxRecords = 500;
const shownFirings = 10;

export interface RulesOptions {
  readonly targets: Pick<Targets, 'list' | 'watcher'>;
  readonly monitor: Pick<Monitor, 'on' | 'off' | 'vitals' | 'listStalls'>;
  readonly alerts: Pick<Alerts, 'on' | 'off' | 'raise' | 'settle' | 'openAlerts' | 'attachProfile'>;
  readonly captures: Pick<Captures, 'startCpu' | 'startHeapSampling' | 'startHeapSnapshot' | 'readStacks' | 'waitFor'>;
  readonly recorder: Pick<FlightRecorder, 'keep' | 'lease'>;
  readonly timelines: Pick<Timelines, 'routes' | 'sink'>;
  readonly series: Pick<Series, 'value' | 'rate' | 'quantile' | 'latest'> | undefined;
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

/** Whatever a rule says about one target. */
interface Watched {
  readonly rule: Rule;
  readonly evaluator: RuleEvaluator;
  last: Evaluation | undefined;
  /** Whether the last evaluation was held back, so that one episode counts once. */
  isSuppressed: boolean;
}

/** Rules of the configuration file: looked at with every reading and event of a target; what they capture goes through the same limits as what people ask for. */
export class Rules implements AsyncDisposable {
  readonly #options: RulesOptions;
  readonly #clock: AlertClock;
  readonly #table: RecordTable<RuleRecord>;
  readonly #states = new Map<string, RuleState>();
  readonly #watched = new Map<string, Watched>();
  readonly #values = new Map<string, { values: SeriesValues; atMs: number }>();
  readonly #events = new RecentEvents();
  /** Captures under way, by target and kind: a second rule that wants the same shares it. */
  readonly #pending = new Map<string, { rule: string; taken: Promise<TakenCapture>; operationId: string | null }>();
  readonly #running = new Set<Promise<void>>();
  readonly #stopped = new AbortController();
  readonly #resources = new DisposableStack();
  readonly #catches: Catches;
  #rules: readonly Rule[] = [];
  #file: RulesFile | undefined;
  #isWriteFailing = false;

  static async open(options: RulesOptions): Promise<Rules> {
    const rules = new Rules(options);
    const { path, log, lookEveryMs } = options;
    if (path !== undefined) {
      const onRules = (read: readonly Rule[]): void => rules.#replace(read);
      rules.#file = rules.#resources.use(await RulesFile.open({ path, onRules, log, lookEveryMs }));
    }
    return rules;
  }

  private constructor(options: RulesOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#table = new RecordTable({
      index: options.index,
      kind: 'rule',
      maxRecords,
      atMs: ({ firings }) => Date.parse(firings[0]?.at ?? new Date(0).toISOString()),
    });
    this.#loadStates();
    this.#catches = this.#resources.use(new Catches(options));
    const { monitor, alerts } = options;
    const onVitals = (vitals: Vitals): void => this.#onVitals(vitals);
    const onStall = (stall: Stall): void => {
      if (this.#events.noteStall(stall, this.#clock.elapsedMs()) !== undefined) this.#evaluate(stall.targetId);
    };
    const onAlert = (notice: AlertNotice): void => {
      if (this.#events.noteAlert(notice, this.#clock.elapsedMs()) !== undefined) this.#evaluate(notice.alert.targetId);
    };
    monitor.on('vitals', onVitals);
    monitor.on('stall', onStall);
    alerts.on('change', onAlert);
    this.#resources.defer(() => {
      monitor.off('vitals', onVitals);
      monitor.off('stall', onStall);
      alerts.off('change', onAlert);
    });
  }

  /** Throws `unknown-target`. */
  list(targetId?: string): RulesView {
    const targets =
      targetId === undefined ? this.#options.targets.list() : [this.#options.targets.watcher(targetId).view];
    return {
      file: this.#file?.path ?? null,
      loadedAt: this.#file?.loadedAt ?? null,
      problems: [...(this.#file?.problems ?? [])],
      rules: this.#rules.map((rule) =>
        this.#describe(
          rule,
          targets.map(({ id }) => id),
        ),
      ),
      catches: this.#catches.list(),
    };
  }

  /** By a person: conditions and limits are not asked. Throws `unknown-rule`, `target-required`, `unknown-target`, `shutting-down`. */
  fire(name: string, { targetId, by }: { targetId: string | undefined; by: string }): RuleFiring {
    const rule = this.#rule(name);
    const { id } = this.#options.targets.watcher(targetId);
    this.#stopped.signal.throwIfAborted();
    return this.#fire(rule, { targetId: id, by, why: `fired by ${by}` });
  }

  /** Throws `unknown-rule`, `target-required`, `unknown-target`, `storage-failed`. */
  explain(name: string, targetId: string | undefined): RuleExplanation {
    const rule = this.#rule(name);
    const { id } = this.#options.targets.watcher(targetId);
    const now = this.#watched.get(keyOf(name, id))?.last ?? { holds: false, leaves: [] };
    return explainRule(rule, { targetId: id, monitor: this.#options.monitor, now, nowMs: this.#clock.wallMs() });
  }

  /** "Catch the next one". Throws `target-required`, `unknown-target`, `target-not-attached`, `too-many-captures`, `data-directory-unusable`. */
  catchNext(request: Parameters<Catches['start']>[0]): ReturnType<Catches['start']> {
    this.#stopped.signal.throwIfAborted();
    return this.#catches.start(request);
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
    if (this.#rules.length === 0) return { name, state: 'off', reason: 'the configuration file has none', remedy };
    return { name, state: 'on', reason: null, remedy: null };
  }

  /** How often rules fired, for metrics. */
  totals(): { rule: string; target: string; fired: number; cooldown: number; limit: number }[] {
    return [...this.#states.values()].map(({ record }) => ({
      rule: record.rule,
      target: record.targetId,
      fired: record.total,
      ...record.suppressed,
    }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort(new SidescopeError('shutting-down', 'the agent is stopping'));
    this.#resources.dispose();
    await Promise.all([...this.#running, this.#catches.ended()]);
  }

  get #sources(): ReadingSources {
    const { series, timelines } = this.#options;
    const since = new Date(this.#clock.wallMs() - 300_000).toISOString();
    return { events: this.#events, series, routes: () => timelines.routes({ since, limit: 500 }) };
  }

  #rule(name: string): Rule {
    const found = this.#rules.find((rule) => rule.name === name);
    if (found !== undefined) return found;
    const known = this.#rules.map((rule) => rule.name).join(', ') || 'none';
    throw new SidescopeError(
      'unknown-rule',
      `there is no rule ${JSON.stringify(name.slice(0, 64))}; there are: ${known}`,
    );
  }

  #replace(rules: readonly Rule[]): void {
    for (const [key, { rule }] of this.#watched) {
      const now = rules.find(({ name }) => name === rule.name);
      // A changed one begins anew; how often it fired stays.
      if (JSON.stringify(now) !== JSON.stringify(rule)) this.#watched.delete(key);
    }
    this.#rules = rules;
  }

  #onVitals(vitals: Vitals): void {
    const { targetId, at } = vitals;
    const atMs = Date.parse(at);
    const before = this.#values.get(targetId)?.atMs;
    const elapsedMs = before === undefined || before >= atMs ? 5_000 : atMs - before;
    this.#values.set(targetId, { values: seriesOf(vitals, elapsedMs), atMs });
    this.#evaluate(targetId);
  }

  #evaluate(targetId: string): void {
    if (this.#stopped.signal.aborted) return;
    const nowMs = this.#clock.elapsedMs();
    const readings = readingsOf(targetId, this.#values.get(targetId)?.values, { sources: this.#sources, nowMs });
    for (const rule of this.#rules) {
      if (!rule.isEnabled) continue;
      const watched = this.#watch(rule, targetId);
      const evaluation = watched.evaluator.evaluate(readings, nowMs);
      const held = watched.last?.holds === true;
      watched.last = evaluation;
      if (!evaluation.holds) {
        watched.isSuppressed = false;
        if (held) this.#options.alerts.settle(episodeOf(rule, targetId), 'its conditions hold no more');
        continue;
      }
      const state = this.#state(rule.name, targetId);
      const obstacle = state.obstacle(rule);
      if (obstacle !== undefined) {
        if (!watched.isSuppressed) state.suppress(obstacle);
        watched.isSuppressed = true;
        continue;
      }
      watched.isSuppressed = false;
      watched.evaluator.consume(nowMs);
      this.#fire(rule, { targetId, by: 'rule', why: whyOf(evaluation) });
    }
  }

  #watch(rule: Rule, targetId: string): Watched {
    const key = keyOf(rule.name, targetId);
    let watched = this.#watched.get(key);
    if (watched === undefined) {
      watched = { rule, evaluator: new RuleEvaluator(rule.when), last: undefined, isSuppressed: false };
      this.#watched.set(key, watched);
    }
    return watched;
  }

  #fire(rule: Rule, { targetId, by, why }: { targetId: string; by: string; why: string }): RuleFiring {
    const state = this.#state(rule.name, targetId);
    const firing: RuleFiring = {
      id: newId(),
      rule: rule.name,
      targetId,
      at: new Date(this.#clock.wallMs()).toISOString(),
      by,
      why: why.slice(0, 1_000),
      state: rule.capture === undefined ? 'told' : 'capturing',
      operationId: null,
      profileIds: [],
      sharedWith: null,
      error: null,
    };
    state.fire(firing);
    this.#save(state);
    this.#options.log.info({ rule: rule.name, target: targetId, by }, `a rule fires: ${why}`);
    this.#raise(rule, { targetId, why });
    if (rule.capture !== undefined) {
      const running = this.#capture(rule, { state, firing, targetId });
      this.#running.add(running);
      void running.finally(() => this.#running.delete(running));
    }
    return firing;
  }

  async #capture(
    rule: Rule,
    { state, firing, targetId }: { state: RuleState; firing: RuleFiring; targetId: string },
  ): Promise<void> {
    const { alerts, store, log } = this.#options;
    try {
      const { operationId, profileIds, stacks } = await this.#take(rule, { state, firing, targetId });
      markProfiles(rule, profileIds, store);
      state.update(firing.id, { state: 'captured', operationId, profileIds: [...profileIds] });
      const alert = alerts
        .openAlerts()
        .find(({ problem, targetId: of, key }) => problem === 'rule' && of === targetId && key === rule.name);
      if (alert !== undefined) for (const id of profileIds) alerts.attachProfile(alert.id, id);
      if (stacks !== null) this.#raise(rule, { targetId, why: firing.why, stacks });
    } catch (error) {
      const known = isSidescopeError(error)
        ? error
        : new SidescopeError('internal', 'a fault of Sidescope itself; the log has it');
      if (!isSidescopeError(error)) log.error({ err: error, rule: rule.name }, 'the capture of a rule failed');
      else
        log.warn({ rule: rule.name, target: targetId, code: known.code }, `a rule could not capture: ${known.message}`);
      state.update(firing.id, { state: 'failed', error: { code: known.code, message: known.message } });
    }
    this.#save(state);
  }

  #take(
    rule: Rule,
    { state, firing, targetId }: { state: RuleState; firing: RuleFiring; targetId: string },
  ): Promise<TakenCapture> {
    const { capture } = rule;
    if (capture === undefined) throw new Error('a rule without a capture takes none');
    const key = `${targetId} ${capture.kind} ${'thread' in capture ? capture.thread : 'main'}`;
    const pending = this.#pending.get(key);
    if (pending !== undefined) {
      state.update(firing.id, { sharedWith: pending.rule, operationId: pending.operationId });
      return pending.taken;
    }
    const entry: { rule: string; taken: Promise<TakenCapture>; operationId: string | null } = {
      rule: rule.name,
      operationId: null,
      taken: takeCapture({ name: rule.name, capture }, targetId, {
        ...this.#options,
        signal: this.#stopped.signal,
        onStarted: (operationId) => {
          entry.operationId = operationId;
          state.update(firing.id, { operationId });
        },
      }).finally(() => this.#pending.delete(key)),
    };
    this.#pending.set(key, entry);
    return entry.taken;
  }

  #raise(rule: Rule, { targetId, why, stacks }: { targetId: string; why: string; stacks?: string }): void {
    if (rule.alert === 'off') return;
    this.#options.alerts.raise({
      ...episodeOf(rule, targetId),
      severity: rule.alert,
      title: `rule ${rule.name}: ${why}`.slice(0, 300),
      facts: { rule: rule.name, when: whenText(rule.when), capture: rule.capture?.kind ?? null },
      ...(stacks !== undefined && { evidence: [{ name: 'stacks.json', mediaType: 'application/json', text: stacks }] }),
    });
  }

  #state(rule: string, targetId: string): RuleState {
    const key = keyOf(rule, targetId);
    let state = this.#states.get(key);
    if (state === undefined) this.#states.set(key, (state = new RuleState({ rule, targetId }, this.#clock)));
    return state;
  }

  #loadStates(): void {
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
        this.#states.set(keyOf(rule, targetId), new RuleState({ rule, targetId }, this.#clock, { ...record, firings }));
      }
    } catch (error) {
      if (!isSidescopeError(error)) throw error;
      this.#options.log.error({ code: error.code }, `earlier firings could not be read: ${error.message}`);
    }
  }

  /** A full disk must not stop rules; it is told once, and again when it was better in between. */
  #save({ record }: RuleState): void {
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

  #describe(rule: Rule, targetIds: readonly string[]): RuleView {
    const { name, isEnabled, when, capture, limits, keep, alert } = rule;
    return {
      name,
      enabled: isEnabled,
      when: whenText(when),
      capture: capture?.kind ?? null,
      limits: { ...limits },
      keep: { pinned: keep.isPinned, labels: { ...keep.labels } },
      alert,
      notes: this.#notes(rule, targetIds),
      targets: targetIds.map((targetId) => {
        const state = this.#state(name, targetId);
        const last = this.#watched.get(keyOf(name, targetId))?.last;
        const obstacle = state.obstacle(rule);
        return {
          targetId,
          state: obstacle ?? (last === undefined ? 'unknown' : last.holds ? 'holds' : 'idle'),
          waitMs: Math.round(state.waitMs(rule)),
          conditions: [...(last?.leaves ?? [])],
          total: state.record.total,
          suppressed: state.record.suppressed,
          firings: state.record.firings.slice(0, shownFirings),
        };
      }),
    };
  }

  #notes({ when }: Rule, targetIds: readonly string[]): string[] {
    const { series, timelines } = this.#options;
    return leavesOf(when).flatMap((leaf): string[] => {
      if (leaf.kind === 'series') {
        if (series === undefined) return [`${leaf.series} needs --metrics-url`];
        const base = leaf.read === 'quantile' ? `${leaf.series}_bucket` : leaf.series;
        const isThere = targetIds.some((id) =>
          series.latest(id)?.samples.some((sample) => sample.series.name === base),
        );
        return isThere ? [] : [`no metrics page that was read has the series ${base}`];
      }
      if (leaf.kind !== 'route') return [];
      const { routes } = timelines.routes({ limit: 500 });
      const isSeen = routes.some(({ name }) => name === leaf.route || name.endsWith(` ${leaf.route}`));
      return isSeen ? [] : [`no spans of ${leaf.route} came in the last hour`];
    });
  }
}

function keyOf(rule: string, targetId: string): string {
  return `${rule}@${targetId}`;
}

function episodeOf({ name }: Rule, targetId: string): { problem: 'rule'; targetId: string; key: string } {
  return { problem: 'rule', targetId, key: name };
}

function whyOf({ leaves }: Evaluation): string {
  return leaves.flatMap(({ holds, text }) => (holds ? [text] : [])).join('; ');
}
