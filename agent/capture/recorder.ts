import { EventEmitter } from 'node:events';
import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import type { Feature } from '../../protocol/rest/info.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import type { Recorder, RecorderTarget } from '../../protocol/rest/recorder.ts';
import type { Target } from '../../protocol/rest/target.ts';
import type { Vitals } from '../../protocol/rest/vitals.ts';
import type { Targets } from '../attach/targets.ts';
import { sourceMapContext } from '../source-maps/context.ts';
import type { PathMapping } from '../source-maps/target-files.ts';
import type { RecordIndex } from '../store/record-table.ts';
import type { ProfileStore } from '../store/store.ts';
import type { CaptureLog } from './capture-job.ts';
import { keepJoined } from './keep-joined.ts';
import { Overload, type OverloadLimits } from './overload.ts';
import type { ProfileWorker } from './profile-worker.ts';
import { TargetRecorder, type RecorderState, type RecorderTempo } from './recorder-target.ts';
import { RecorderWindows, type StoredWindow, type WindowDraft } from './recorder-windows.ts';
import type { WindowSource } from './write-joined.ts';

/** 10 ms cost the target 0-1 % of its CPU (18-26), and 100 samples a second name what takes 10 % of a minute for certain. */
export const defaultTempo: RecorderTempo & { readonly keptMs: number } = {
  intervalUs: 10_000,
  windowMs: 30_000,
  keptMs: 600_000,
};
/** The last window ends when it is asked for, or with its target: one that ended longer ago than what is asked for, and some, tells nothing of it. */
const staleMs = 60_000;
/** Of all windows, compressed: one has 10-150 kB. */
const maxBytesOnDisk = 64 * 2 ** 20;
const maxBytesInMemory = 4 * 2 ** 20;

export interface FlightRecorderOptions {
  readonly targets: Targets;
  readonly store: ProfileStore | undefined;
  /** The store's index, or one in memory. */
  readonly index: RecordIndex;
  readonly budgetBytes: number;
  readonly worker: ProfileWorker;
  readonly sourceMapPaths: readonly PathMapping[];
  readonly environment: Readonly<Record<string, string>>;
  /** `--flight-recorder`. Without it the recorder runs only while somebody has switched it on. */
  readonly isOn: boolean;
  readonly tempo?: Partial<typeof defaultTempo> | undefined;
  readonly overload?: OverloadLimits | undefined;
  readonly log: CaptureLog;
}

/** A capture that needs V8's profiler for itself: of the recorder that there was, and of one that is switched on meanwhile. */
interface Hold {
  readonly suspending: Promise<Disposable>[];
}

const holdReason = 'a CPU profile with an interval of its own';

export interface KeepRequest {
  readonly targetId: string;
  /** How much before now. */
  readonly beforeMs: number;
  /** The run of the target that is meant, of `run`: another one may have begun since. Default: the newest. */
  readonly instanceId?: string | undefined;
  readonly trigger: Profile['trigger'];
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly isPinned?: boolean | undefined;
}

/**
 * CPU windows of the main thread of every target, the last ten minutes of them: so that the minute before an alert can be read. Off unless asked for. Windows are stored as
 * they end, the last one also in the target's exit.
 */
export class FlightRecorder
  extends EventEmitter<{
    pausing: [{ targetId: string; isPausing: boolean }];
    sampling: [{ targetId: string; isSampling: boolean }];
    kept: [Profile];
    /** A window has been stored. */
    window: [{ id: number; targetId: string; storedBytes: number }];
  }>
  implements AsyncDisposable
{
  readonly #options: FlightRecorderOptions;
  readonly #tempo: typeof defaultTempo;
  readonly #windows: RecorderWindows;
  readonly #recorders = new Map<string, TargetRecorder>();
  readonly #overloads = new Map<string, Overload>();
  /** Who has switched it on, per target. */
  readonly #leases = new Map<string, number>();
  readonly #holds = new Map<string, Set<Hold>>();
  /** Instances of the targets that were recorded last. */
  readonly #runs = new Map<string, string>();
  /** Being left: waited for at the end. */
  readonly #leaving = new Set<Promise<void>>();
  readonly #resources = new DisposableStack();
  #isWriteFailing = false;

  constructor(options: FlightRecorderOptions) {
    super();
    this.#options = options;
    this.#tempo = { ...defaultTempo, ...options.tempo };
    this.#windows = new RecorderWindows({
      index: options.index,
      maxPerTarget: Math.ceil(this.#tempo.keptMs / this.#tempo.windowMs) + 1,
      maxBytes:
        options.store === undefined ? maxBytesInMemory : Math.floor(Math.min(maxBytesOnDisk, options.budgetBytes / 20)),
    });
    const { targets } = options;
    const onAttached = (target: Target): void => this.#onAttached(target);
    const onDetached = ({ id }: Target): void => void this.#leave(id);
    targets.on('attached', onAttached);
    targets.on('detached', onDetached);
    const onForgotten = (id: string): void => void this.#runs.delete(id);
    targets.on('forgotten', onForgotten);
    for (const target of targets.list()) if (target.state.state === 'attached') this.#onAttached(target);
    this.#resources.defer(() => {
      targets.off('attached', onAttached);
      targets.off('detached', onDetached);
      targets.off('forgotten', onForgotten);
    });
  }

  /** The recorder that records this target's main thread now; undefined when none does. */
  recording(targetId: string): TargetRecorder | undefined {
    const recorder = this.#recorders.get(targetId);
    return recorder?.state === 'recording' ? recorder : undefined;
  }

  /** The run of a target that is recorded, or was last: what happens now happens to it, or ended it. */
  run(targetId: string): string | undefined {
    return this.#runs.get(targetId);
  }

  /** For a profile with an interval of its own. Disposing lets the recorder go on; one that is switched on before that begins then. */
  async suspend(targetId: string): Promise<Disposable> {
    const hold: Hold = { suspending: [] };
    const holds = this.#holds.get(targetId) ?? new Set();
    this.#holds.set(targetId, holds.add(hold));
    const recorder = this.#recorders.get(targetId);
    if (recorder !== undefined) hold.suspending.push(recorder.suspend(holdReason));
    await Promise.all(hold.suspending);
    return {
      [Symbol.dispose]: () => {
        holds.delete(hold);
        if (holds.size === 0) this.#holds.delete(targetId);
        for (const suspending of hold.suspending) void suspending.then((suspended) => suspended[Symbol.dispose]());
      },
    };
  }

  /** Switched on for this target until disposed, whatever the option says: for who waits for something, or takes a profile from it. It then does not pause under overload. */
  lease(targetId: string): Disposable {
    this.#leases.set(targetId, (this.#leases.get(targetId) ?? 0) + 1);
    const { view } = this.#options.targets.watcher(targetId);
    if (view.state.state === 'attached') this.#onAttached(view);
    this.#recorders.get(targetId)?.resume();
    let isDisposed = false;
    return {
      [Symbol.dispose]: () => {
        if (isDisposed) return;
        isDisposed = true;
        const left = (this.#leases.get(targetId) ?? 1) - 1;
        if (left > 0) this.#leases.set(targetId, left);
        else {
          this.#leases.delete(targetId);
          if (!this.#options.isOn) void this.#leave(targetId);
        }
      },
    };
  }

  /** Of the last reading: under overload for long it pauses, and goes on when that is over. */
  noteVitals({ targetId, loop }: Vitals): void {
    const recorder = this.#recorders.get(targetId);
    if (recorder === undefined) return;
    let overload = this.#overloads.get(targetId);
    if (overload === undefined) this.#overloads.set(targetId, (overload = new Overload(this.#options.overload)));
    // `vitals` has corrected it for our own sampling where it can.
    const change = overload.note(loop.utilization);
    if (change === 'overloaded' && !this.#leases.has(targetId)) {
      const reason = overload.reason;
      this.#options.log.warn({ target: targetId }, `the flight recorder pauses, and keeps its windows: ${reason}`);
      void recorder.pause(reason);
    }
    if (change === 'relaxed') recorder.resume();
  }

  /**
   * The windows of the last `beforeMs`, and what is recorded since, as one stored profile. Undefined when there is none, or none of that time. Rejects as the
   * store and the worker do.
   */
  async keep(request: KeepRequest): Promise<Profile | undefined> {
    const { targetId, beforeMs, instanceId, trigger, labels, isPinned } = request;
    const { store, worker, targets, environment } = this.#options;
    if (store === undefined) throw new SidescopeError('data-directory-unusable', 'there is no storage to keep it in');
    await this.#recorders.get(targetId)?.flush();
    // Of a target that has just ended the last window may be on its way.
    await Promise.all(this.#leaving);
    const windows = this.#windows.list(targetId).filter((one) => one.instanceId === (instanceId ?? one.instanceId));
    const chosen = lastOf(windows, beforeMs);
    const [first, last] = [chosen[0], chosen.at(-1)];
    const sources = chosen.flatMap(({ id }): WindowSource[] => {
      const gzip = this.#windows.read(id);
      return gzip === undefined ? [] : [{ gzip }];
    });
    if (first === undefined || last === undefined || sources.length === 0) return undefined;
    const isStale = Date.now() - last.endedAtMs > beforeMs + staleMs;
    if (isStale) return undefined;
    const startedAtMs = last.endedAtMs - Math.round((last.endUs - first.startUs) / 1000);
    const writer = await store.create(
      {
        kind: 'cpu',
        operationId: null,
        targetId,
        targetName: last.facts.targetName,
        target: last.facts.identity,
        thread: last.facts.thread,
        trigger,
        startedAt: new Date(startedAtMs).toISOString(),
        environment: { ...environment },
      },
      { expectedBytes: 3 * chosen.reduce((sum, { plainBytes }) => sum + plainBytes, 0) },
    );
    const profile = await keepJoined({
      store,
      worker,
      writer,
      startedAtMs,
      sources,
      sourceMaps: sourceMapContext(targets.watcher(targetId), this.#options.sourceMapPaths),
      endedAtMs: last.endedAtMs,
      clock: last.facts.clock,
      pauseMs: Math.max(...chosen.map(({ facts }) => facts.pauseMs ?? 0)),
      warnings: [
        'of the flight recorder: sampled every 10 ms, made of windows',
        ...new Set(chosen.flatMap(({ facts }) => facts.warnings ?? [])),
      ],
      incompleteReason: () => null,
    });
    const changed = labels === undefined && isPinned !== true ? profile : this.#mark(profile, { labels, isPinned });
    this.emit('kept', changed);
    return changed;
  }

  /** Undefined when it went meanwhile. Throws `storage-failed`. */
  window(id: number): { readonly window: StoredWindow; readonly gzip: Uint8Array } | undefined {
    const window = this.#windows.get(id);
    const gzip = this.#windows.read(id);
    return window === undefined || gzip === undefined ? undefined : { window, gzip };
  }

  /** Throws `unknown-target`, `storage-failed`. */
  status(targetId?: string): Recorder {
    const { targets } = this.#options;
    const views = targetId === undefined ? targets.list() : [targets.view(targetId)];
    const { intervalUs, windowMs, keptMs } = this.#tempo;
    return {
      isOn: this.#options.isOn,
      intervalUs,
      windowMs,
      keptMs,
      droppedWindows: this.#windows.droppedForBytes,
      threads: 'main',
      targets: views.map((view) => this.#describe(view)),
    };
  }

  get droppedWindows(): number {
    return this.#windows.droppedForBytes;
  }

  feature(): Feature {
    const name = 'flight-recorder';
    const { isOn, targets } = this.#options;
    const remedy = 'Set --flight-recorder; it samples every 10 ms, at a cost of up to 1 % of the target.';
    if (!isOn && this.#leases.size === 0) return { name, state: 'off', reason: '--flight-recorder is not set', remedy };
    const problems = targets.list().flatMap((view) => {
      const { state, reason } = this.#describe(view);
      return reason === null || state === 'recording' ? [] : [`${view.id}: ${state}: ${reason}`];
    });
    const reason = problems.length === 0 ? null : problems.slice(0, 5).join('; ').slice(0, 1_000);
    return { name, state: 'on', reason, remedy: null };
  }

  /** To be disposed before the targets: the last windows are kept, and nothing stays in them. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#resources.dispose();
    for (const id of [...this.#recorders.keys()]) void this.#leave(id);
    await Promise.all(this.#leaving);
  }

  #onAttached(target: Target): void {
    const { targets, isOn, log } = this.#options;
    if (target.identity === null || !(isOn || this.#leases.has(target.id)) || this.#recorders.has(target.id)) return;
    // Attached for single captures only: between them nothing may be open.
    if (targets.watcher(target.id).isOnDemand) return;
    const { instanceId } = target.identity;
    const recorder = new TargetRecorder({
      target,
      attachment: targets.watcher(target.id).attachment,
      tempo: this.#tempo,
      log,
      onWindow: (window) => this.#store(window),
      onPausing: (isPausing) => void this.emit('pausing', { targetId: target.id, isPausing }),
      onState: (state) => this.#onState(target.id, { state, instanceId }),
    });
    this.#recorders.set(target.id, recorder);
    // V8 has one sampling interval at a time, and a start that it refuses would end the profile that runs.
    for (const { suspending } of this.#holds.get(target.id) ?? []) suspending.push(recorder.suspend(holdReason));
  }

  #onState(targetId: string, { state, instanceId }: { state: RecorderState; instanceId: string }): void {
    if (state === 'recording') this.#runs.set(targetId, instanceId);
    this.emit('sampling', { targetId, isSampling: state === 'recording' });
  }

  #leave(targetId: string): Promise<void> {
    const recorder = this.#recorders.get(targetId);
    this.#recorders.delete(targetId);
    this.#overloads.delete(targetId);
    this.emit('sampling', { targetId, isSampling: false });
    if (recorder === undefined) return Promise.resolve();
    const leaving = recorder[Symbol.asyncDispose]().catch((error: unknown) => {
      this.#options.log.error({ err: error, target: targetId }, 'the flight recorder could not be ended');
    });
    this.#leaving.add(leaving);
    return leaving.finally(() => this.#leaving.delete(leaving));
  }

  #store(window: WindowDraft): void {
    try {
      const id = this.#windows.add(window);
      this.#isWriteFailing = false;
      this.emit('window', { id, targetId: window.targetId, storedBytes: window.gzip.length });
    } catch (error) {
      if (!isSidescopeError(error)) throw error;
      if (!this.#isWriteFailing)
        this.#options.log.error({ code: error.code }, `a window of the flight recorder was lost: ${error.message}`);
      this.#isWriteFailing = true;
    }
  }

  #mark(profile: Profile, marks: Pick<KeepRequest, 'labels' | 'isPinned'>): Profile {
    const { store, log } = this.#options;
    try {
      return (
        store?.patch(profile.id, {
          ...(marks.labels !== undefined && { labels: { ...marks.labels } }),
          ...(marks.isPinned === true && { pinned: true }),
        }) ?? profile
      );
    } catch (error) {
      if (!isSidescopeError(error)) throw error;
      log.warn({ code: error.code, profile: profile.id }, `the profile is kept without its labels: ${error.message}`);
      return profile;
    }
  }

  #describe(view: Target): RecorderTarget {
    const recorder = this.#recorders.get(view.id);
    const { targets, isOn } = this.#options;
    const isWanted = isOn || this.#leases.has(view.id);
    const why = !isWanted
      ? '--flight-recorder is not set'
      : targets.watcher(view.id).isOnDemand
        ? 'its inspector is open during captures only (--inspector-lifetime capture)'
        : 'it is not attached';
    return {
      targetId: view.id,
      state: recorder?.state ?? 'off',
      reason: recorder === undefined ? why : recorder.reason,
      since: recorder === undefined ? null : new Date(recorder.sinceMs).toISOString(),
      gaps: (recorder?.gaps ?? []).map(({ fromMs, toMs, reason }) => ({
        from: new Date(fromMs).toISOString(),
        to: toMs === null ? null : new Date(toMs).toISOString(),
        reason,
      })),
      windows: this.#windows
        .list(view.id)
        .toReversed()
        .map(({ instanceId, startedAtMs, endedAtMs, plainBytes, storedBytes, facts }) => ({
          instanceId,
          startedAt: new Date(startedAtMs).toISOString(),
          endedAt: new Date(endedAtMs).toISOString(),
          sizeBytes: plainBytes,
          storedBytes,
          pauseMs: facts.pauseMs,
        })),
    };
  }
}

/** Of the newest run, by the target's own clock. */
function lastOf(windows: readonly StoredWindow[], beforeMs: number): StoredWindow[] {
  const last = windows.at(-1);
  if (last === undefined) return [];
  const fromUs = last.endUs - beforeMs * 1000;
  return windows
    .filter(({ instanceId, endUs }) => instanceId === last.instanceId && endUs > fromUs)
    .toSorted((a, b) => a.startUs - b.startUs);
}
