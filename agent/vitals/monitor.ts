import { EventEmitter } from 'node:events';
import { SidescopeError } from '../../protocol/error.ts';
import type { Feature } from '../../protocol/rest/info.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import type { Stall, StallList } from '../../protocol/rest/stalls.ts';
import type { Target } from '../../protocol/rest/target.ts';
import { seriesOf } from '../../protocol/rest/series-of-vitals.ts';
import { memoryPoint } from '../../protocol/rest/vitals.ts';
import type { MemoryHistory, MemoryReading, SeriesValues, Vitals, VitalsHistory } from '../../protocol/rest/vitals.ts';
import type { TargetWatcher } from '../attach/target-watcher.ts';
import type { Targets } from '../attach/targets.ts';
import type { Captures } from '../capture/captures.ts';
import type { FlightRecorder } from '../capture/recorder.ts';
import type { TurnReading } from '../capture/stacks.ts';
import type { ProfileWorker } from '../capture/profile-worker.ts';
import type { FrameOriginals } from '../source-maps/frame-originals.ts';
import type { SamplingSearch } from '../memory/sampling-search.ts';
import type { ProfileStore } from '../store/store.ts';
import { History, indexInMemory } from './history.ts';
import { ImposedPauses } from './imposed-pauses.ts';
import { StallLedger, type RequestRoutes } from './stall-ledger.ts';
import { StallTable, type StallQuery } from './stall-table.ts';
import type { Saturation } from './stall-watch.ts';
import { TargetVitals, type VitalsLog } from './target-vitals.ts';

export interface MonitorOptions {
  readonly targets: Targets;
  readonly captures: Pick<Captures, 'on' | 'off' | 'get'>;
  /** Undefined without a data directory: the history is then in memory, smaller, and ends with the agent. */
  readonly store: ProfileStore | undefined;
  readonly budgetBytes: number;
  /** Its readings pause targets, which is no stall. */
  readonly search?: Pick<SamplingSearch, 'on' | 'off'>;
  /** Its beginning pauses targets as well. */
  readonly recorder?: Pick<FlightRecorder, 'on' | 'off'>;
  /** Names the frames of stalls as in the source. */
  readonly originals?: Pick<FrameOriginals, 'of'>;
  /** Compares stalls with CPU profiles that ran meanwhile. */
  readonly worker?: Pick<ProfileWorker, 'window'>;
  /** Tells the route of a stall's request where its span does not. */
  readonly requests?: RequestRoutes;
  readonly vitalsIntervalMs: number;
  readonly stallThresholdMs: number;
  readonly stallIntervalMs: number;
  readonly saturation?: Saturation;
  readonly log: VitalsLog;
}

export interface HistoryQuery {
  readonly targetId?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly step?: number | undefined;
}

export interface MonitorEvents {
  vitals: [Vitals];
  /** The numbers of a reading that are kept, rates included; behind `vitals`. */
  values: [{ readonly targetId: string; readonly values: SeriesValues }];
  /** The whole record, whenever there is more of it. */
  stall: [Stall];
  'stall-ended': [Stall];
}

/** Vitals and stalls of every target, for as long as it is attached, and their history. */
export class Monitor extends EventEmitter<MonitorEvents> implements AsyncDisposable {
  readonly #options: MonitorOptions;
  readonly #resources = new AsyncDisposableStack();
  readonly #history: History;
  readonly #stalls: StallTable;
  readonly #ledger: StallLedger;
  /** Ended, with a trace of which no span came yet. */
  readonly #unrouted = new Map<string, Stall>();
  readonly #pauses = new ImposedPauses();
  readonly #watched = new Map<string, TargetVitals>();
  readonly #latest = new Map<string, Vitals>();
  #isWriteFailing = false;

  constructor(options: MonitorOptions) {
    super();
    // Half of the agent's parts follow the readings.
    this.setMaxListeners(32);
    this.#options = options;
    const { targets, captures, search, recorder } = options;
    const index = options.store ?? this.#resources.use(indexInMemory());
    const budgetBytes = options.store === undefined ? memoryBudgetBytes : options.budgetBytes;
    this.#history = new History({ index, budgetBytes });
    this.#stalls = new StallTable({ index, budgetBytes });
    this.#ledger = new StallLedger({
      ...options,
      watcherOf: (id) => targets.watcher(id),
      deliver: (stall, { isFinal }) => this.#deliver(stall, isFinal),
    });
    const onAttached = (target: Target): void => this.#watch(target);
    const onDetached = ({ id }: Target): void => void this.#watched.delete(id);
    const onForgotten = (id: string): void => void this.#latest.delete(id);
    const onOperation = (operation: Operation): void => this.#pauses.follow(operation);
    const onOperationEnded = (operation: Operation): void => this.#ledger.onOperationEnded(operation);
    targets.on('attached', onAttached);
    targets.on('detached', onDetached);
    targets.on('forgotten', onForgotten);
    captures.on('change', onOperation);
    const onPausing = (reading: { targetId: string; isPausing: boolean }): void => this.#pauses.followReading(reading);
    search?.on('pausing', onPausing);
    recorder?.on('pausing', onPausing);
    const onSampling = (state: { targetId: string; isSampling: boolean }): void => this.#pauses.followRecorder(state);
    recorder?.on('sampling', onSampling);
    captures.on('ended', onOperationEnded);
    for (const target of targets.list()) if (target.state.state === 'attached') this.#watch(target);
    this.#resources.defer(() => {
      targets.off('attached', onAttached);
      targets.off('detached', onDetached);
      targets.off('forgotten', onForgotten);
      captures.off('change', onOperation);
      search?.off('pausing', onPausing);
      recorder?.off('pausing', onPausing);
      recorder?.off('sampling', onSampling);
      captures.off('ended', onOperationEnded);
    });
  }

  /** Throws `unknown-target`, `target-required`, `invalid-request`, `storage-failed`. */
  vitals(query: HistoryQuery): VitalsHistory {
    const { id } = this.#options.targets.watcher(query.targetId);
    return { ...this.#history.read(id, query), latest: this.#latest.get(id) ?? null };
  }

  memoryHistory(query: HistoryQuery): MemoryHistory {
    const { id } = this.#options.targets.watcher(query.targetId);
    const { points, ...rest } = this.#history.read(id, query);
    return { ...rest, points: points.map(memoryPoint) };
  }

  /** Read now. Rejects also with `target-not-attached`, `inspector-timeout`, `inspector-bad-answer`. */
  async memoryStats({ targetId }: { targetId?: string | undefined }): Promise<MemoryReading> {
    const watcher = this.#options.targets.watcher(targetId);
    // Throws when it is not attached, with the reason.
    void watcher.attachment;
    const watched = this.#watched.get(watcher.id);
    if (watched === undefined) throw notWatched(watcher);
    const { at, memory, cgroup } = await watched.readMemory();
    const { spaces, containerLimitBytes, ...rest } = memory;
    const containerBytes = cgroup?.memoryCurrentBytes ?? memory.rssBytes;
    return {
      targetId: watcher.id,
      instanceId: watched.identity.instanceId,
      at,
      ...rest,
      heapUsedPercent: percent(memory.heapUsedBytes, memory.heapLimitBytes),
      containerBytes,
      containerLimitBytes,
      containerUsedPercent: percent(containerBytes, containerLimitBytes),
      spaces,
    };
  }

  /** Throws `unknown-target`, `invalid-request`, `storage-failed`. */
  listStalls(query: StallQuery): StallList {
    if (query.targetId !== undefined) this.#options.targets.watcher(query.targetId);
    return this.#stalls.list(query);
  }

  /** How long the event loop of a thread has been in its turn, or why that is not known. */
  async turnOf(targetId: string, threadId: string): Promise<TurnReading> {
    if (this.#options.stallThresholdMs === 0) return { unknown: 'no stalls are watched for: --stall-threshold is 0' };
    const watched = this.#watched.get(targetId);
    return watched === undefined ? { unknown: 'its event loop is not watched' } : watched.turnOf(threadId);
  }

  /** What is on and off of `GET /info`. */
  features(): Feature[] {
    const { vitalsIntervalMs, stallThresholdMs } = this.#options;
    return [
      this.#feature('vitals', {
        off: vitalsIntervalMs === 0 ? '--vitals-interval is 0' : undefined,
        remedy: 'Set --vitals-interval, such as 5s.',
        problemOf: ({ probeProblem }) => probeProblem && `without event-loop delay and GC: ${probeProblem}`,
      }),
      this.#feature('stall-watch', {
        off: stallThresholdMs === 0 ? '--stall-threshold is 0' : undefined,
        remedy: 'Set --stall-threshold, such as 1s.',
        problemOf: ({ watchProblem }) => watchProblem && `no stalls are watched for: ${watchProblem}`,
      }),
    ];
  }

  /** The request of a trace has ended and its spans came: stalls in it get its name. */
  noteRoute(traceId: string, route: string): void {
    for (const stall of this.#unrouted.values())
      if (stall.span?.traceId === traceId) this.#deliver({ ...stall, span: { ...stall.span, route } }, false);
  }

  /** To be disposed before the targets: it leaves nothing of its own in them. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#watched.values()].map((watched) => watched[Symbol.asyncDispose]()));
    this.#watched.clear();
    await this.#ledger[Symbol.asyncDispose]();
    await this.#resources.disposeAsync();
  }

  #feature(
    name: string,
    about: { off: string | undefined; remedy: string; problemOf: (watched: TargetVitals) => string | undefined },
  ): Feature {
    const { off, remedy, problemOf } = about;
    if (off !== undefined) return { name, state: 'off', reason: off, remedy };
    const problems = [...this.#watched].flatMap(([id, watched]) => {
      const problem = problemOf(watched);
      return problem === undefined ? [] : [`${id}: ${problem}`];
    });
    const { targets } = this.#options;
    const closed = targets.list().filter(({ id }) => targets.watcher(id).isOnDemand);
    const reasons = [
      ...problems,
      ...closed.map(({ id }) => `${id}: its inspector is open during captures only (--inspector-lifetime capture)`),
    ];
    if (reasons.length === 0) return { name, state: 'on', reason: null, remedy: null };
    const isOff = problems.length === 0 && closed.length === targets.list().length;
    return {
      name,
      state: isOff ? 'off' : 'on',
      reason: reasons.slice(0, 5).join('; ').slice(0, 1_000),
      remedy: closed.length > 0 ? 'Set --inspector-lifetime always.' : null,
    };
  }

  #watch({ id, identity }: Target): void {
    const { targets, vitalsIntervalMs, stallThresholdMs, stallIntervalMs, saturation, log } = this.#options;
    if (identity === null || (vitalsIntervalMs === 0 && stallThresholdMs === 0)) return;
    this.#watched.set(
      id,
      new TargetVitals({
        targetId: id,
        identity,
        attachment: targets.watcher(id).attachment,
        vitalsIntervalMs,
        stallThresholdMs,
        stallIntervalMs,
        saturation,
        pauses: this.#pauses,
        log,
        onVitals: (vitals, elapsedMs) => this.#onVitals(vitals, elapsedMs),
        onStall: (stall, frames) => this.#ledger.put(stall, frames),
      }),
    );
  }

  #onVitals(vitals: Vitals, elapsedMs: number): void {
    const { targetId, at, error } = vitals;
    this.#latest.set(targetId, vitals);
    const values = seriesOf(vitals, elapsedMs);
    const row = { atMs: Date.parse(at), readings: 1, failed: error === null ? 0 : 1, values };
    this.#write('vitals', () => this.#history.add(targetId, row));
    this.emit('vitals', vitals);
    this.emit('values', { targetId, values });
  }

  #deliver(stall: Stall, isFinal: boolean): void {
    this.#unrouted.delete(stall.id);
    if (stall.state !== 'ongoing' && stall.span?.route === null) {
      this.#unrouted.set(stall.id, stall);
      for (const oldest of this.#unrouted.keys()) {
        if (this.#unrouted.size <= maxUnrouted) break;
        this.#unrouted.delete(oldest);
      }
    }
    this.#write('a stall', () => this.#stalls.save(stall));
    this.emit('stall', stall);
    if (!isFinal) return;
    this.emit('stall-ended', stall);
    const { targetId, thread, span } = stall;
    // Workers are made for work that blocks.
    const level = thread === 'main' ? 'warn' : 'info';
    this.#options.log[level]({ target: targetId, thread, stall: stall.id, trace: span?.traceId }, stall.summary);
  }

  /** A full disk must not end the watch; it is told once, and again when it was better in between. */
  #write(what: string, write: () => void): void {
    try {
      write();
      this.#isWriteFailing = false;
    } catch (error) {
      if (!(error instanceof SidescopeError)) throw error;
      if (!this.#isWriteFailing)
        this.#options.log.error({ code: error.code }, `${what} could not be written to the history: ${error.message}`);
      this.#isWriteFailing = true;
    }
  }
}

function notWatched({ id, isOnDemand }: TargetWatcher): SidescopeError {
  return isOnDemand
    ? new SidescopeError('target-not-attached', `target ${id} is attached for captures only (--inspector-lifetime)`)
    : new SidescopeError('target-gone', `target ${id} is leaving`);
}

/** A span comes some seconds after its stall, or never. */
const maxUnrouted = 50;

/** Of what `History` takes a twentieth: 3.2 MB, one target's seven days. */
const memoryBudgetBytes = 64 * 2 ** 20;

function percent(value: number | null, limit: number | null): number | null {
  return value === null || limit === null || limit === 0 ? null : Math.round((value / limit) * 1000) / 10;
}
