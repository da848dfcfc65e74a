import { EventEmitter } from 'node:events';
import { SidescopeError } from '../../protocol/error.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import type { Stall, StallList } from '../../protocol/rest/stalls.ts';
import type { Target } from '../../protocol/rest/target.ts';
import { memoryPoint } from '../../protocol/rest/vitals.ts';
import type { MemoryHistory, MemoryStats, Vitals, VitalsHistory } from '../../protocol/rest/vitals.ts';
import type { Targets } from '../attach/targets.ts';
import type { Captures } from '../capture/captures.ts';
import type { SamplingSearch } from '../memory/sampling-search.ts';
import type { ProfileStore } from '../store/store.ts';
import { History, indexInMemory } from './history.ts';
import { ImposedPauses } from './imposed-pauses.ts';
import { seriesOf } from './series.ts';
import { StallTable, type StallQuery } from './stall-table.ts';
import type { Saturation } from './stall-watch.ts';
import { TargetVitals, type VitalsLog } from './target-vitals.ts';

export interface MonitorOptions {
  readonly targets: Targets;
  readonly captures: Pick<Captures, 'on' | 'off'>;
  /** Its readings pause targets, which is no stall. */
  readonly search?: Pick<SamplingSearch, 'on' | 'off'>;
  /** Undefined without a data directory: the history is then in memory, smaller, and ends with the agent. */
  readonly store: ProfileStore | undefined;
  readonly budgetBytes: number;
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
  readonly #pauses = new ImposedPauses();
  readonly #watched = new Map<string, TargetVitals>();
  readonly #latest = new Map<string, Vitals>();
  #isWriteFailing = false;

  constructor(options: MonitorOptions) {
    super();
    this.#options = options;
    const { targets, captures, search } = options;
    const index = options.store ?? this.#resources.use(indexInMemory());
    const budgetBytes = options.store === undefined ? memoryBudgetBytes : options.budgetBytes;
    this.#history = new History({ index, budgetBytes });
    this.#stalls = new StallTable({ index, budgetBytes });
    const onAttached = (target: Target): void => this.#watch(target);
    const onDetached = ({ id }: Target): void => void this.#watched.delete(id);
    const onOperation = (operation: Operation): void => this.#pauses.follow(operation);
    targets.on('attached', onAttached);
    targets.on('detached', onDetached);
    captures.on('change', onOperation);
    const onPausing = (reading: { targetId: string; isPausing: boolean }): void => this.#pauses.followReading(reading);
    search?.on('pausing', onPausing);
    for (const target of targets.list()) if (target.state.state === 'attached') this.#watch(target);
    this.#resources.defer(() => {
      targets.off('attached', onAttached);
      targets.off('detached', onDetached);
      captures.off('change', onOperation);
      search?.off('pausing', onPausing);
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
  async memoryStats({ targetId }: { targetId?: string | undefined }): Promise<MemoryStats> {
    const watcher = this.#options.targets.watcher(targetId);
    // Throws when it is not attached, with the reason.
    void watcher.attachment;
    const watched = this.#watched.get(watcher.id);
    if (watched === undefined) throw new SidescopeError('target-gone', `target ${watcher.id} is leaving`);
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

  /** To be disposed before the targets: it leaves nothing of its own in them. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#watched.values()].map((watched) => watched[Symbol.asyncDispose]()));
    this.#watched.clear();
    await this.#resources.disposeAsync();
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
        onStall: (stall) => this.#onStall(stall),
      }),
    );
  }

  #onVitals(vitals: Vitals, elapsedMs: number): void {
    const { targetId, at, error } = vitals;
    this.#latest.set(targetId, vitals);
    const row = {
      atMs: Date.parse(at),
      readings: 1,
      failed: error === null ? 0 : 1,
      values: seriesOf(vitals, elapsedMs),
    };
    this.#write('vitals', () => this.#history.add(targetId, row));
    this.emit('vitals', vitals);
  }

  #onStall(stall: Stall): void {
    this.#write('a stall', () => this.#stalls.save(stall));
    this.emit('stall', stall);
    if (stall.state === 'ongoing') return;
    this.emit('stall-ended', stall);
    this.#options.log.warn({ target: stall.targetId, stall: stall.id, trace: stall.span?.traceId }, stall.summary);
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

/** Of what `History` takes a twentieth: 3.2 MB, one target's seven days. */
const memoryBudgetBytes = 64 * 2 ** 20;

function percent(value: number | null, limit: number | null): number | null {
  return value === null || limit === null || limit === 0 ? null : Math.round((value / limit) * 1000) / 10;
}
