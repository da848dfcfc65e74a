import { EventEmitter } from 'node:events';
import { SidescopeError } from '../../protocol/error.ts';
import type { BaselineView } from '../../protocol/rest/baseline.ts';
import type { Feature } from '../../protocol/rest/info.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import type { Cause, Regression, RegressionCheck, RegressionList } from '../../protocol/rest/regressions.ts';
import type { Target } from '../../protocol/rest/target.ts';
import type { Vitals } from '../../protocol/rest/vitals.ts';
import type { AlertDesk } from '../alerts/condition.ts';
import type { Trace } from '../requests/trace.ts';
import type { Identity } from '../service-identity.ts';
import type { RecordIndex } from '../store/record-table.ts';
import { BoundTally } from './bound-tally.ts';
import type { FindingChange } from './findings.ts';
import type { Thresholds } from './measures.ts';
import { compareAll } from './references.ts';
import { RegressionRecords } from './regression-records.ts';
import { conditionOf } from './report.ts';
import { isOfSurroundings } from './surroundings.ts';
import { runTimes, type RunTimes } from './run.ts';
import { extraValues, movedSeriesOf, seriesAtBaseline, type SeriesReader } from './scraped-values.ts';
import type { BaselineState } from './state.ts';
import { VersionProfiles, type VersionDiff, type VersionProfilesOptions } from './version-profiles.ts';
import { baselineView, checkView } from './views.ts';
import type { Window } from './window.ts';
import { WatchedRun } from './watched-run.ts';
import { functionCause, plainCause } from './words.ts';

interface Listened<Events extends Record<string, unknown>> {
  on<Name extends keyof Events & string>(event: Name, listener: (value: Events[Name]) => void): unknown;
  off<Name extends keyof Events & string>(event: Name, listener: (value: Events[Name]) => void): unknown;
}

export interface RegressionsOptions {
  readonly targets: {
    watcher(id: string | undefined): { readonly id: string };
    view(id: string): Target;
    list(): readonly Target[];
  };
  readonly monitor: Listened<{ vitals: Vitals }>;
  readonly captures: Listened<{ change: Operation }>;
  readonly traces: Listened<{ settled: Trace }>;
  readonly series: SeriesReader | undefined;
  readonly identities: { identityOf(target: Target): Identity };
  readonly alerts: AlertDesk;
  readonly index: RecordIndex;
  /** Undefined without a data directory: there are no profiles then. */
  readonly store: (VersionProfilesOptions['store'] & Listened<{ profile: Profile }>) | undefined;
  readonly worker: VersionProfilesOptions['worker'];
  readonly state: BaselineState;
  /** Shared with `state`. */
  readonly bounds?: BoundTally | undefined;
  readonly vitalsIntervalMs: number;
  /** Of a window; 0: nothing is compared. */
  readonly intervalMs: number;
  readonly thresholds: Thresholds;
  /** Default: minutes 2 to 7, 30 minutes and 3 minutes at windows of one. */
  readonly times?: RunTimes | undefined;
  /** Milliseconds that no step of the wall clock moves. */
  readonly now?: () => number;
  /** Of the wall, on which spans have their times. */
  readonly wallNow?: () => number;
  readonly log: Record<'info' | 'warn' | 'error', (facts: object, message: string) => void>;
}

/** Functions of fewer samples are chance. */
const samplesForFunctions = 100;
const causesMax = 3;
/** At the end of the agent: a storage that does not answer must not keep it. */
const stateGraceMs = 2_000;

/**
 * What is normal for each target, and what is not any more. Costs a target nothing: all comes from readings, requests, pages and profiles that others take. `finding` is
 * every finding that begins, changes its outcome, gets its causes, or ends.
 */
export class Regressions extends EventEmitter<{ finding: [FindingChange] }> implements AsyncDisposable {
  readonly profiles: VersionProfiles | undefined;
  readonly bounds: BoundTally;
  readonly #options: RegressionsOptions;
  readonly #times: RunTimes;
  readonly #now: () => number;
  readonly #wallNow: () => number;
  readonly #records: RegressionRecords;
  readonly #watched = new Map<string, WatchedRun>();
  readonly #counted = new WeakSet<Trace>();
  readonly #stopping = new AbortController();
  readonly #resources = new DisposableStack();
  /** Everything that waits for files, in the order of its windows. */
  #work: Promise<void> = Promise.resolve();

  constructor(options: RegressionsOptions) {
    super();
    this.#options = options;
    this.bounds = options.bounds ?? new BoundTally();
    this.#times = options.times ?? runTimes(Math.max(options.intervalMs, options.vitalsIntervalMs));
    this.#now = options.now ?? (() => performance.timeOrigin + performance.now());
    this.#wallNow = options.wallNow ?? Date.now;
    this.#records = new RegressionRecords(options);
    const { monitor, captures, traces, store, state, worker, log } = options;
    this.profiles = store === undefined ? undefined : new VersionProfiles({ state, store, worker, log });
    if (this.#whyOff() !== undefined) return;
    this.#listen(monitor, 'vitals', (vitals) => this.#onVitals(vitals));
    this.#listen(traces, 'settled', (trace) => this.#onTrace(trace));
    this.#listen(captures, 'change', (operation) => this.#onOperation(operation));
    if (store !== undefined)
      this.#listen<{ profile: Profile }, 'profile'>(store, 'profile', (profile) => this.#onProfile(profile));
  }

  feature(): Feature {
    const off = this.#whyOff();
    if (off !== undefined) return { name: 'regressions', state: 'off', ...off };
    const { problem, location } = this.#options.state;
    if (problem === undefined) return { name: 'regressions', state: 'on', reason: null, remedy: null };
    const remedy = `Set --state-url to where this agent can write; now it is ${location}.`;
    return { name: 'regressions', state: 'on', reason: problem, remedy };
  }

  /** A volume does not answer: the process cannot end by itself. */
  get hangs(): boolean {
    return this.#options.state.hangs;
  }

  /** Throws `unknown-target`, `target-required`. */
  baseline(targetId: string | undefined): BaselineView {
    const { id } = this.#options.targets.watcher(targetId);
    const off = this.#whyOff();
    const identity = this.#options.identities.identityOf(this.#options.targets.view(id));
    const watched = this.#watched.get(id);
    return baselineView({
      targetId: id,
      watched,
      identity,
      state: this.#options.state,
      times: this.#times,
      off: off?.reason,
    });
  }

  /** Rejects also with `baseline-not-ready`. */
  async takeBaseline(targetId: string | undefined): Promise<BaselineView> {
    const { id } = this.#options.targets.watcher(targetId);
    const watched = this.#watched.get(id);
    const baseline = watched?.run.takeNow(this.#aboutBaseline(id));
    if (watched === undefined || baseline === undefined) {
      const { lasting, windowMs } = this.#times;
      const message = `there are ${watched?.run.windows.length ?? 0} windows of ${windowMs / 1000} s past the warm-up, ${lasting} are needed`;
      throw new SidescopeError('baseline-not-ready', message);
    }
    await this.#inTurn(() => watched.keep(baseline, this.#iso()));
    return this.baseline(id);
  }

  /** Throws `unknown-target`, `target-required`. */
  async check(targetId: string | undefined, signal: AbortSignal): Promise<RegressionCheck> {
    const { id } = this.#options.targets.watcher(targetId);
    const watched = this.#watched.get(id);
    const windows = watched?.run.lasting;
    const compared =
      windows === undefined || watched === undefined
        ? []
        : compareAll(windows, watched.known, this.#options.thresholds);
    const diff =
      watched === undefined ? undefined : await this.#diffOf(watched, AbortSignal.any([signal, this.#stopping.signal]));
    return checkView({
      targetId: id,
      at: this.#iso(),
      watched,
      compared,
      diff,
      off: this.#whyOff()?.reason,
      times: this.#times,
    });
  }

  /** Throws `unknown-target`, `invalid-request` for a cursor that is none, `storage-failed`. */
  list(query: Parameters<RegressionRecords['list']>[0]): RegressionList {
    if (query.targetId !== undefined) this.#options.targets.view(query.targetId);
    return this.#records.list(query, this.open());
  }

  /** Of all targets, or of one. */
  open(targetId?: string): readonly Regression[] {
    return [...this.#watched.values()]
      .filter((watched) => targetId === undefined || watched.targetId === targetId)
      .flatMap(({ findings }) => findings.open);
  }

  /** When everything that was seen so far is compared, merged and written. */
  async settled(): Promise<void> {
    await this.#work;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#resources.dispose();
    this.#stopping.abort(new SidescopeError('shutting-down', 'the agent is stopping'));
    this.#options.state.stop(stateGraceMs);
    await this.#work;
    await this.profiles?.settled();
    await this.#options.state.settled();
  }

  #whyOff(): { reason: string; remedy: string } | undefined {
    const { vitalsIntervalMs, intervalMs } = this.#options;
    if (vitalsIntervalMs === 0)
      return { reason: '--vitals-interval is 0', remedy: 'Set --vitals-interval, such as 5s.' };
    if (intervalMs === 0)
      return { reason: '--regression-interval is 0', remedy: 'Set --regression-interval, such as 60s.' };
    return undefined;
  }

  /** Of a target that has ended a while ago and has no id any more. */
  forget(targetId: string): void {
    const watched = this.#watched.get(targetId);
    if (watched === undefined) return;
    this.#watched.delete(targetId);
    for (const change of watched.findings.endAll('the target has ended', this.#iso())) this.#tell(change, undefined);
  }

  #onVitals(vitals: Vitals): void {
    const atMs = this.#now();
    const watched = this.#watchedOf(vitals, atMs);
    const { series, thresholds } = this.#options;
    const windows = watched.close(vitals, atMs, () =>
      extraValues(series, { targetId: watched.targetId, rules: thresholds.series, windowMs: this.#times.windowMs }),
    );
    for (const window of windows) void this.#inTurn(() => this.#take(watched, window));
  }

  #watchedOf({ targetId, instanceId, uptimeMs }: Vitals, atMs: number): WatchedRun {
    const known = this.#watched.get(targetId);
    if (known?.instanceId === instanceId) return known;
    if (known !== undefined)
      for (const change of known.findings.endAll('the target was restarted', this.#iso()))
        this.#tell(change, undefined);
    const watched = new WatchedRun({
      targetId,
      instanceId,
      startedMs: atMs - (uptimeMs ?? 0),
      attachedMs: atMs,
      times: this.#times,
      state: this.#options.state,
      bounds: this.bounds,
    });
    this.#watched.set(targetId, watched);
    return watched;
  }

  async #take(watched: WatchedRun, window: Window): Promise<void> {
    const { targets, identities, thresholds } = this.#options;
    const { targetId } = watched;
    const stop = this.#stopping.signal;
    if (this.#watched.get(targetId) !== watched) return;
    const at = this.#iso();
    await watched.learn(identities.identityOf(targets.view(targetId)), at);
    const made = watched.run.add(window, this.#aboutBaseline(targetId));
    for (const baseline of [made.provisional, made.settled])
      if (baseline !== undefined) await watched.keep(baseline, at);
    const windows = watched.run.lasting;
    if (windows === undefined) return;
    const changes = watched.findings.update(compareAll(windows, watched.known, thresholds), windows, {
      targetId,
      instanceId: watched.instanceId,
      service: { name: watched.identity.name, version: watched.identity.version },
      at,
      history: watched.run.history,
      series: movedSeriesOf(this.#options.series, targetId),
    });
    // Before it is told: whoever is woken by it shall see the function at once.
    const diff = changes.some(({ change }) => change === 'opened') ? await this.#diffOf(watched, stop) : undefined;
    for (const { change, regression } of changes) {
      const causes = change === 'opened' ? causesOf(regression, { watched, diff }) : regression.causes;
      this.#tell({ change, regression: watched.findings.amend(regression.id, causes) ?? regression }, diff);
    }
  }

  #tell({ change, regression }: FindingChange, diff: VersionDiff | undefined): void {
    const { alerts, log } = this.#options;
    const { id, targetId, metric, outcome, title, endReason } = regression;
    const news = this.#records.note(regression, change);
    if (!news.isNews) return;
    const condition = conditionOf(regression, diff?.changes);
    if (change === 'ended') {
      if (news.wasSent) alerts.settle(condition, endReason ?? 'it is as before');
      log.info({ target: targetId, metric, regression: id }, `regression over: ${endReason ?? ''}`);
    } else if (outcome === 'sent') {
      alerts.raise(condition);
      log.warn({ target: targetId, metric, regression: id }, `regression: ${title}`);
    } else {
      if (news.wasSent) alerts.settle(condition, `the load explains it: ${regression.explanation ?? ''}`);
      log.info({ target: targetId, metric, regression: id, outcome }, `worse, and not alerted: ${title}`);
    }
    this.emit('finding', { change, regression });
  }

  /** What the functions of this version and of the one before say of the findings that are open. */
  async #findCauses(watched: WatchedRun): Promise<void> {
    const { open } = watched.findings;
    if (open.length === 0) return;
    const diff = await this.#diffOf(watched, this.#stopping.signal);
    for (const finding of open) {
      const causes = causesOf(finding, { watched, diff });
      if (JSON.stringify(causes) === JSON.stringify(finding.causes)) continue;
      const amended = watched.findings.amend(finding.id, causes);
      if (amended === undefined) continue;
      this.#records.save(amended);
      if (amended.outcome === 'sent') this.#options.alerts.raise(conditionOf(amended, diff?.changes));
      this.emit('finding', { change: 'updated', regression: amended });
    }
  }

  async #diffOf(watched: WatchedRun, signal: AbortSignal): Promise<VersionDiff | undefined> {
    const { previous, key } = watched;
    if (previous === undefined || this.profiles === undefined) return undefined;
    const diff = await this.profiles.diff({ service: key.service, version: previous.version }, key, signal);
    return diff !== undefined && Math.min(diff.samplesBefore, diff.samplesAfter) >= samplesForFunctions
      ? diff
      : undefined;
  }

  #onTrace(trace: Trace): void {
    const { summary } = trace;
    if (summary === undefined || this.#counted.has(trace) || !isRequest(summary.kind)) return;
    this.#counted.add(trace);
    const targets = this.#options.targets.list();
    const byPid = targets.find(({ identity }) => identity !== null && identity.pid === summary.pid);
    const target = byPid ?? (summary.pid === null && targets.length === 1 ? targets[0] : undefined);
    const maker = target && this.#watched.get(target.id)?.maker;
    if (maker === undefined) return;
    const { name: route, startMs, durationMs } = summary;
    const cameMs = this.#now();
    maker.addRequest({ route, durationMs, cameMs, endedMs: cameMs - (this.#wallNow() - startMs - durationMs) });
  }

  /** A snapshot stops the program for seconds, and a search for leaks collects its garbage. */
  #onOperation({ kind, state, targetId }: Operation): void {
    if (kind !== 'cpu' && kind !== 'heap-sampling' && state !== 'queued') this.#watched.get(targetId)?.maker.disturb();
  }

  #onProfile(profile: Profile): void {
    const watched = this.#watched.get(profile.targetId);
    if (watched === undefined || this.profiles === undefined || profile.target.instanceId !== watched.instanceId)
      return;
    const { profiles } = this;
    void this.#inTurn(async () => {
      await watched.learn(
        this.#options.identities.identityOf(this.#options.targets.view(profile.targetId)),
        this.#iso(),
      );
      const samples = await profiles.add(profile, watched.key, this.#stopping.signal);
      if (samples === undefined) return;
      await watched.noteProfile(Math.round(samples), this.#iso());
      await this.#findCauses(watched);
    });
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#work.then(work).catch((error: unknown) => {
      // Of one window: the next one is compared again. At the end of the agent it is the abort.
      if (!this.#stopping.signal.aborted) this.#options.log.error({ err: error }, 'a window could not be compared');
    });
    this.#work = turn;
    return turn;
  }

  #aboutBaseline(targetId: string) {
    return { takenAt: this.#iso(), series: seriesAtBaseline(this.#options.series, targetId) };
  }

  #iso(): string {
    return new Date(this.#now()).toISOString();
  }

  #listen<Events extends Record<string, unknown>, Name extends keyof Events & string>(
    source: Listened<Events>,
    event: Name,
    listener: (value: Events[Name]) => void,
  ): void {
    source.on(event, listener);
    this.#resources.defer(() => void source.off(event, listener));
  }
}

function isRequest(kind: string): boolean {
  return kind === 'server' || kind === 'messaging';
}

function causesOf(
  { reference, baseline, now, metric, causes: known }: Regression,
  { watched, diff }: { watched: WatchedRun; diff: VersionDiff | undefined },
): Cause[] {
  const causes: Cause[] = [];
  const isOtherVersion = reference.kind === 'previous-version';
  if (isOtherVersion && diff !== undefined) {
    const cores = metric === 'cpu' ? { before: baseline.median, now } : undefined;
    const grown = diff.changes.filter(({ change, isSignificant, url }) => change > 0 && isSignificant && url !== '');
    // Node's own grow with what they call.
    grown.sort((a, b) => Number(a.url.startsWith('node:')) - Number(b.url.startsWith('node:')));
    for (const change of grown.slice(0, causesMax))
      causes.push(functionCause(change, { version: reference.version, cores }));
  }
  if (isOtherVersion) {
    const { version } = watched.identity;
    const missing = diff === undefined ? '; functions are compared when both have CPU profiles' : '';
    causes.push(
      plainCause(
        'version',
        `version ${version ?? '(unknown)'} came after ${reference.version ?? '(unknown)'}${missing}`,
      ),
    );
  }
  return [...causes, ...known.filter(isOfSurroundings)];
}
