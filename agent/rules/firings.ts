import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import type { RuleFiring } from '../../protocol/rest/rules.ts';
import type { Alerts } from '../alerts/alerts.ts';
import type { AlertClock } from '../alerts/clock.ts';
import { newId } from '../store/id.ts';
import type { ProfileStore } from '../store/store.ts';
import { whenText, type Rule } from './rule.ts';
import type { RuleState } from './rule-state.ts';
import type { RuleStates } from './rule-states.ts';
import { markProfiles, takeCapture, type RuleCaptureOptions, type TakenCapture } from './take-capture.ts';

export interface FiringsOptions extends Omit<RuleCaptureOptions, 'signal' | 'store'> {
  readonly alerts: Pick<Alerts, 'raise' | 'settle' | 'openAlerts' | 'attachProfile'>;
  readonly store: ProfileStore | undefined;
  readonly states: RuleStates;
  readonly clock: AlertClock;
  readonly log: {
    info(facts: object, message: string): void;
    warn(facts: object, message: string): void;
    error(facts: object, message: string): void;
  };
}

export interface FiringRequest {
  readonly targetId: string;
  /** `rule`, or who asked for it. */
  readonly by: string;
  readonly why: string;
}

/** What rules do once they fire: the record, the alert, and the capture, which two rules that want the same share. */
export class Firings implements AsyncDisposable {
  readonly #options: FiringsOptions;
  /** Captures under way, by target and kind. */
  readonly #pending = new Map<string, { rule: string; taken: Promise<TakenCapture>; operationId: string | null }>();
  readonly #running = new Set<Promise<void>>();
  readonly #stopped = new AbortController();

  constructor(options: FiringsOptions) {
    this.#options = options;
  }

  /** Whatever its conditions and limits say. Throws `shutting-down`. */
  fire(rule: Rule, { targetId, by, why }: FiringRequest): RuleFiring {
    this.#stopped.signal.throwIfAborted();
    const { states, clock, log } = this.#options;
    const state = states.of(rule.name, targetId);
    const firing: RuleFiring = {
      id: newId(),
      rule: rule.name,
      targetId,
      at: new Date(clock.wallMs()).toISOString(),
      by,
      why: why.slice(0, 1_000),
      state: rule.capture === undefined ? 'told' : 'capturing',
      operationId: null,
      profileIds: [],
      sharedWith: null,
      error: null,
    };
    state.fire(firing);
    states.save(state);
    log.info({ rule: rule.name, target: targetId, by }, `a rule fires: ${why}`);
    this.#raise(rule, { targetId, why });
    if (rule.capture !== undefined) {
      const running = this.#capture(rule, { state, firing, targetId });
      this.#running.add(running);
      void running.finally(() => this.#running.delete(running));
    }
    return firing;
  }

  /** Its conditions hold no more, or nobody asks them any more. */
  settle(rule: Rule, { targetId, why }: { targetId: string; why: string }): void {
    this.#options.alerts.settle(episodeOf(rule, targetId), why);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort(new SidescopeError('shutting-down', 'the agent is stopping'));
    await Promise.all(this.#running);
  }

  async #capture(
    rule: Rule,
    { state, firing, targetId }: { state: RuleState; firing: RuleFiring; targetId: string },
  ): Promise<void> {
    const { alerts, states, store, log } = this.#options;
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
    states.save(state);
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
}

function episodeOf({ name }: Rule, targetId: string): { problem: 'rule'; targetId: string; key: string } {
  return { problem: 'rule', targetId, key: name };
}
