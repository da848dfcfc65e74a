import { EventEmitter } from 'node:events';
import { SidescopeError } from '../../protocol/error.ts';
import type { Alert, AlertChange, AlertList } from '../../protocol/rest/alerts.ts';
import type { Log } from '../telemetry/log.ts';
import { RecordTable, type RecordIndex, type RecordQuery } from '../store/record-table.ts';
import type { AlertNotice, AlertSink, SinkStats } from './alert-sink.ts';
import { systemClock, type AlertClock } from './clock.ts';
import type { AlertDesk, AlertProblem, Condition, Evidence } from './condition.ts';
import { cooldownMs, Episode } from './episode.ts';
import { memoryEvidenceName } from './memory-evidence.ts';

/** An alert with all the evidence that it may have, about. */
const recordBytes = 110_000;
const maxRecords = 200;
const maxOpen = 100;
/** One target that stalls in ever new functions must not take the room of the others. */
const maxOpenOfOneProblem = 16;
const maxRecent = 32;
/** How often a change without news is written and told. */
const updateEveryMs = 10_000;
const tickEveryMs = 5_000;
/** What an earlier agent left open: so long its parts have to report it again. */
const resumeMs = 15 * 60_000;
/** Whoever reports does not settle for so long: it was forgotten. An end that nothing follows is over sooner. */
const longestSilenceMs: Readonly<Record<AlertProblem, number>> = {
  'memory-limit': 24 * 3_600_000,
  'memory-leak': 24 * 3_600_000,
  'target-death': 10 * 60_000,
  stall: 3_600_000,
  saturation: 3_600_000,
  regression: 24 * 3_600_000,
  rule: 3_600_000,
  'inspector-exposed': 24 * 3_600_000,
};

export interface AlertsOptions {
  readonly index: RecordIndex;
  /** Of the data directory: the alerts take a twentieth of it at most. */
  readonly budgetBytes: number;
  readonly sinks: readonly AlertSink[];
  /** Who the target is, asked when an episode opens. */
  readonly serviceOf: (targetId: string) => Alert['service'];
  /** Memory statistics of now, added to a report that brings none. */
  readonly memoryOf?: (targetId: string) => Evidence | undefined;
  readonly log: Pick<Log, 'warn' | 'error'>;
  readonly clock?: AlertClock;
}

export interface AlertQuery extends Pick<RecordQuery, 'targetId' | 'since' | 'limit' | 'cursor'> {
  readonly problem?: AlertProblem | undefined;
  readonly state?: Alert['state'] | undefined;
}

/** One episode per problem, target and key. What the parts of the agent report to, and what `GET /alerts` reads. */
export class Alerts extends EventEmitter<{ change: [AlertNotice] }> implements AlertDesk, AsyncDisposable {
  readonly #options: AlertsOptions;
  readonly #clock: AlertClock;
  readonly #table: RecordTable<Alert>;
  readonly #open = new Map<string, Episode>();
  /** Closed lately, the oldest first; a report within the cooldown opens them again. */
  readonly #recent = new Map<string, { readonly episode: Episode; readonly closedMs: number }>();
  /** Episodes with a report that is not written yet. */
  readonly #unwritten = new Map<Episode, number>();
  readonly #resumed = new Set<Episode>();
  readonly #ticker: NodeJS.Timeout;
  #refused = 0;
  #isFlooded = false;
  #isWriteFailing = false;

  constructor(options: AlertsOptions) {
    super();
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const byBudget = Math.floor(options.budgetBytes / 20 / recordBytes);
    this.#table = new RecordTable({
      index: options.index,
      kind: 'alert',
      maxRecords: Math.max(10, Math.min(maxRecords, byBudget)),
      atMs: ({ openedAt }) => Date.parse(openedAt),
    });
    this.#resume();
    this.#ticker = setInterval(() => this.tick(), tickEveryMs).unref();
  }

  raise(report: Condition): void {
    const condition = this.#withMemory(report);
    const key = keyOf(condition);
    const open = this.#open.get(key);
    if (open !== undefined) {
      this.#resumed.delete(open);
      this.#announce(open, open.report(condition));
      return;
    }
    if (this.#isFull(condition)) {
      this.#refuse(condition);
      return;
    }
    const recent = this.#recent.get(key);
    this.#recent.delete(key);
    if (recent !== undefined && this.#clock.elapsedMs() - recent.closedMs < cooldownMs) {
      this.#open.set(key, recent.episode);
      this.#announce(recent.episode, recent.episode.report(condition));
      return;
    }
    const service = this.#options.serviceOf(condition.targetId);
    const episode = Episode.open(condition, { service, clock: this.#clock });
    this.#open.set(key, episode);
    this.#announce(episode, 'opened');
  }

  settle(episode: Pick<Condition, 'problem' | 'targetId' | 'key'>, why: string): void {
    this.#open.get(keyOf(episode))?.settle(why);
  }

  /** A profile that belongs to an episode, open or closed lately, and was ready only later. */
  attachProfile(alertId: string, profileId: string): void {
    const recent = [...this.#recent.values()].map(({ episode }) => episode);
    const found = [...this.#open.values(), ...recent].find(({ alert }) => alert.id === alertId);
    if (found === undefined) return;
    found.attach(profileId);
    this.#announceNow(found, 'updated');
  }

  /** The target is gone, and with it what was wrong in it. Its death, and what it is compared with, outlive it. */
  settleTarget(targetId: string, why: string): void {
    for (const episode of this.#open.values()) {
      const { alert } = episode;
      if (alert.targetId === targetId && !['target-death', 'regression'].includes(alert.problem)) episode.settle(why);
    }
  }

  /** Newest first. Throws `invalid-request` for a cursor that is none, `storage-failed`. */
  list(query: AlertQuery): AlertList {
    const { targetId, problem, state, since, limit = 20, cursor } = query;
    // What is open is told as it is now; the table lags behind by some seconds.
    this.#writeAll();
    const { records, nextCursor } = this.#table.list({ targetId, since, limit, cursor, fields: { problem, state } });
    return { alerts: records, nextCursor };
  }

  openAlerts(): readonly Alert[] {
    return [...this.#open.values()].map(({ alert }) => alert);
  }

  /** Reports that were lost because too many episodes were open. */
  get refused(): number {
    return this.#refused;
  }

  sinkStats(): SinkStats[] {
    return this.#options.sinks.flatMap((sink) => sink.stats() ?? []);
  }

  /** Closes what is over. Called by a timer; a test with a clock of its own calls it. */
  tick(): void {
    for (const [key, episode] of this.#open) {
      const why = this.#endOf(episode);
      if (why !== undefined) this.#close(key, { episode, why });
    }
    const nowMs = this.#clock.elapsedMs();
    for (const [key, { closedMs }] of this.#recent) if (nowMs - closedMs >= cooldownMs) this.#recent.delete(key);
    for (const [episode, sinceMs] of this.#unwritten)
      if (nowMs - sinceMs >= updateEveryMs) this.#announceNow(episode, 'updated');
    if (this.#open.size < maxOpen) this.#isFlooded = false;
  }

  /** What is open stays so, for the next agent. Sinks have `graceMs`, and until `signal`, for what is queued. */
  async close({ graceMs, signal }: { graceMs: number; signal?: AbortSignal | undefined }): Promise<void> {
    clearInterval(this.#ticker);
    this.#writeAll();
    const deadline = AbortSignal.timeout(graceMs);
    const until = signal === undefined ? deadline : AbortSignal.any([deadline, signal]);
    await Promise.all(this.#options.sinks.map((sink) => sink.close(until)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close({ graceMs: 0 });
  }

  #withMemory(condition: Condition): Condition {
    const { evidence = [], targetId } = condition;
    if (evidence.some(({ name }) => name === memoryEvidenceName)) return condition;
    const memory = this.#options.memoryOf?.(targetId);
    return memory === undefined ? condition : { ...condition, evidence: [...evidence, memory] };
  }

  #isFull({ problem, targetId }: Condition): boolean {
    if (this.#open.size >= maxOpen) return true;
    const alike = [...this.#open.values()].filter(
      ({ alert }) => alert.problem === problem && alert.targetId === targetId,
    );
    return alike.length >= maxOpenOfOneProblem;
  }

  #refuse({ problem, targetId, title }: Condition): void {
    this.#refused += 1;
    if (this.#isFlooded) return;
    this.#isFlooded = true;
    const facts = { problem, target: targetId, open: this.#open.size };
    this.#options.log.error(facts, `too many alerts are open; this one and further ones are only counted: ${title}`);
  }

  #endOf(episode: Episode): string | undefined {
    const { silentMs, endReason, alert } = episode;
    if (endReason !== undefined) return endReason;
    if (this.#resumed.has(episode)) return silentMs >= resumeMs ? resumedEnd : undefined;
    const longestMs = longestSilenceMs[alert.problem];
    return silentMs >= longestMs ? `nothing more was heard of it for ${Math.round(longestMs / 60_000)} min` : undefined;
  }

  #close(key: string, { episode, why }: { episode: Episode; why: string }): void {
    this.#open.delete(key);
    this.#resumed.delete(episode);
    episode.close(why);
    this.#remember(key, { episode, closedMs: this.#clock.elapsedMs() });
    this.#announce(episode, 'closed');
  }

  #remember(key: string, closed: { episode: Episode; closedMs: number }): void {
    this.#recent.set(key, closed);
    const [oldest] = this.#recent.keys();
    if (this.#recent.size > maxRecent && oldest !== undefined) this.#recent.delete(oldest);
  }

  #announce(episode: Episode, change: AlertChange): void {
    if (change !== 'updated') this.#announceNow(episode, change);
    else if (!this.#unwritten.has(episode)) this.#unwritten.set(episode, this.#clock.elapsedMs());
  }

  #announceNow(episode: Episode, change: AlertChange): void {
    const notice = { change, alert: episode.alert };
    this.#write(episode);
    if (change !== 'updated') for (const sink of this.#options.sinks) sink.push(notice);
    this.emit('change', notice);
  }

  #writeAll(): void {
    for (const episode of [...this.#unwritten.keys()]) this.#announceNow(episode, 'updated');
  }

  /** A full disk must not stop alerts; it is told once, and again when it was better in between. */
  #write(episode: Episode): void {
    this.#unwritten.delete(episode);
    try {
      this.#table.save(episode.alert);
      this.#isWriteFailing = false;
    } catch (error) {
      if (!(error instanceof SidescopeError)) throw error;
      if (!this.#isWriteFailing)
        this.#options.log.error({ code: error.code }, `an alert could not be written to the history: ${error.message}`);
      this.#isWriteFailing = true;
    }
  }

  #resume(): void {
    const nowMs = this.#clock.elapsedMs();
    for (const alert of this.#earlier('open', maxOpen).toReversed()) {
      const episode = Episode.resume(alert, this.#clock);
      this.#open.set(keyOf(alert), episode);
      this.#resumed.add(episode);
    }
    for (const alert of this.#earlier('closed', maxRecent).toReversed()) {
      const agoMs = this.#clock.wallMs() - Date.parse(alert.closedAt ?? alert.openedAt);
      if (agoMs < 0 || agoMs >= cooldownMs) continue;
      this.#remember(keyOf(alert), { episode: Episode.resume(alert, this.#clock), closedMs: nowMs - agoMs });
    }
  }

  #earlier(state: Alert['state'], limit: number): Alert[] {
    try {
      return this.#table.list({ fields: { state }, limit }).records;
    } catch (error) {
      if (!(error instanceof SidescopeError)) throw error;
      this.#options.log.error({ code: error.code }, `earlier alerts could not be read: ${error.message}`);
      return [];
    }
  }
}

const resumedEnd = 'the agent ended meanwhile, and the problem was not seen again';

function keyOf({ problem, targetId, key = '' }: Pick<Condition, 'problem' | 'targetId' | 'key'>): string {
  return JSON.stringify([problem, targetId, key]);
}
