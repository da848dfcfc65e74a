import { alertSeverities } from '../../protocol/rest/alerts.ts';
import type { Alert, AlertChange } from '../../protocol/rest/alerts.ts';
import { newId } from '../store/id.ts';
import type { AlertClock } from './clock.ts';
import type { Condition } from './condition.ts';
import { boundEvidence } from './evidence.ts';
import { memoryEvidenceName } from './memory-evidence.ts';

/** Quiet for so long, and it is over: a problem that comes and goes within a minute is one. */
export const quietMs = 60_000;
/** Each return doubles the quiet time, up to this: what flaps is told of six times an hour at most. */
export const longestQuietMs = 10 * 60_000;
/** Back within this, and the same episode goes on. */
export const cooldownMs = 10 * 60_000;

const maxTitle = 500;
const maxText = 8_000;
const maxFacts = 64;
const maxFact = 500;
const maxProfiles = 20;

/** One alert while it changes. */
export class Episode {
  readonly #clock: AlertClock;
  #alert: Alert;
  #reportedMs: number;
  #settling: { sinceMs: number; why: string } | undefined;

  private constructor(alert: Alert, clock: AlertClock) {
    this.#alert = alert;
    this.#clock = clock;
    this.#reportedMs = clock.elapsedMs();
  }

  static open(condition: Condition, { service, clock }: { service: Alert['service']; clock: AlertClock }): Episode {
    const { problem, targetId, key = '', severity } = condition;
    const now = isoNow(clock);
    return new Episode(
      {
        id: newId(clock.wallMs()),
        problem,
        state: 'open',
        targetId,
        key,
        severity,
        service,
        openedAt: now,
        updatedAt: now,
        closedAt: null,
        closeReason: null,
        reports: 1,
        reopened: 0,
        ...contentOf(condition, { evidence: [], profileIds: [] }),
      },
      clock,
    );
  }

  /** One of an earlier agent that was open when that ended. */
  static resume(alert: Alert, clock: AlertClock): Episode {
    return new Episode(alert, clock);
  }

  get alert(): Alert {
    return this.#alert;
  }

  get silentMs(): number {
    return this.#clock.elapsedMs() - this.#reportedMs;
  }

  /** Why it is over now, when it has been quiet for long enough. */
  get endReason(): string | undefined {
    if (this.#settling === undefined) return undefined;
    const quietForMs = this.#clock.elapsedMs() - this.#settling.sinceMs;
    const neededMs = Math.min(quietMs * 2 ** this.#alert.reopened, longestQuietMs);
    return quietForMs >= neededMs ? this.#settling.why : undefined;
  }

  /** Reported again, or, when it was closed, back. A piece of evidence stays until one of its name comes, a profile until there are too many. */
  report(condition: Condition): AlertChange {
    const { state, severity, evidence, reports, reopened } = this.#alert;
    const isWorse = alertSeverities.indexOf(condition.severity) > alertSeverities.indexOf(severity);
    this.#settling = undefined;
    this.#reportedMs = this.#clock.elapsedMs();
    this.#alert = {
      ...this.#alert,
      ...contentOf(condition, this.#alert),
      state: 'open',
      severity: isWorse ? condition.severity : severity,
      updatedAt: isoNow(this.#clock),
      closedAt: null,
      closeReason: null,
      reports: reports + 1,
      reopened: state === 'closed' ? reopened + 1 : reopened,
    };
    if (isWorse) return 'escalated';
    if (state === 'closed') return 'reopened';
    return bringsNew(condition, evidence) ? 'extended' : 'updated';
  }

  /** A profile that came later; no report, so that it neither keeps the episode open nor ends it. */
  attach(profileId: string): void {
    this.#alert = { ...this.#alert, profileIds: withEarlier([profileId], this.#alert) };
  }

  settle(why: string): void {
    this.#settling = { sinceMs: this.#clock.elapsedMs(), why };
  }

  close(why: string): void {
    this.#settling = undefined;
    this.#alert = {
      ...this.#alert,
      state: 'closed',
      closedAt: isoNow(this.#clock),
      closeReason: why.slice(0, maxTitle),
    };
  }
}

/** Allocation sites are known only some time after the leak: they must not stay behind because the alert is open already. */
function bringsNew({ evidence = [] }: Condition, earlier: Alert['evidence']): boolean {
  const known = new Set(earlier.flatMap(({ name }) => [name, name.replace(/\.cut\.txt$/, '')]));
  return evidence.some(({ name }) => name !== memoryEvidenceName && !known.has(name));
}

type Content = Pick<Alert, 'title' | 'text' | 'facts' | 'evidence' | 'profileIds' | 'traceId'>;

function contentOf(condition: Condition, earlier: Pick<Alert, 'evidence' | 'profileIds'>): Content {
  const { title, text = null, facts = {}, evidence = [], profileIds = [], traceId = null } = condition;
  const replaced = new Set(evidence.flatMap(({ name }) => [name, `${name}.cut.txt`]));
  const kept = earlier.evidence.filter(({ name }) => !replaced.has(name));
  return {
    title: shorten(title, maxTitle),
    text: text === null ? null : shorten(text, maxText),
    facts: Object.fromEntries(
      Object.entries(facts)
        .slice(0, maxFacts)
        .map(([name, value]) => [name, typeof value === 'string' ? shorten(value, maxFact) : value]),
    ),
    evidence: boundEvidence([...evidence, ...kept]),
    profileIds: withEarlier(profileIds, earlier),
    traceId,
  };
}

/** The newest first. */
function withEarlier(profileIds: readonly string[], earlier: Pick<Alert, 'profileIds'>): string[] {
  return [...new Set([...profileIds, ...earlier.profileIds])].slice(0, maxProfiles);
}

function shorten(text: string, maxLength: number): string {
  return text.length > maxLength ? `${text.slice(0, maxLength - 1)}…` : text;
}

function isoNow(clock: AlertClock): string {
  return new Date(clock.wallMs()).toISOString();
}
