import { EventEmitter } from 'node:events';
import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import type { Operation, OperationKind } from '../../protocol/rest/operation.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import type { TargetWatcher } from '../attach/target-watcher.ts';
import type { Targets } from '../attach/targets.ts';
import type { ProfileStore } from '../store/store.ts';
import { selectThreads, type CaptureJob, type CaptureLog } from './capture-job.ts';
import { Limiter, type Turn } from './limiter.ts';
import { OperationRecord, type OperationEnding } from './operation-record.ts';
import { OperationTable } from './operation-table.ts';

export interface CaptureRequest {
  /** May be left out when there is one target only: else `target-required`. */
  readonly targetId?: string | undefined;
  /** `main`, `all` or a thread id. Default main. */
  readonly thread?: string | undefined;
  /** Who asked: the credential's name. */
  readonly startedBy: string;
  /** Default: a person, by the API. */
  readonly trigger?: Profile['trigger'] | undefined;
}

export interface OperationsOptions {
  readonly targets: Targets;
  /** Undefined when the data directory cannot be used: then every start is refused with `storageProblem`. */
  readonly store: ProfileStore | undefined;
  readonly storageProblem?: SidescopeError | undefined;
  readonly concurrency: number;
  readonly queueMax: number;
  /** Pod, namespace, node, container: part of every artifact's metadata. */
  readonly environment: Readonly<Record<string, string>>;
  readonly log: CaptureLog;
}

export interface ActiveOperation {
  readonly record: OperationRecord;
  /** Undefined for work on what is stored. */
  readonly watcher: TargetWatcher | undefined;
  readonly turn: Turn;
  readonly endEarly: AbortController;
  readonly abandon: AbortController;
  /** Settles when everything is over, also what goes on in the target after the operation has ended. */
  readonly finished: Promise<void>;
}

export interface OperationsEvents {
  change: [Operation];
  /** Once per operation. */
  ended: [Operation];
}

/**
 * The life of operations, whatever they do: admission, queue, progress, cancelling, the table of those that ended, and the end of the agent.
 * What starts one rejects with a SidescopeError: `target-not-attached`, `unknown-thread`, `too-many-captures` with `details.retryAfterSeconds`, `capture-conflict`, `shutting-down`,
 * `data-directory-unusable`.
 */
export class Operations extends EventEmitter<OperationsEvents> {
  readonly #options: OperationsOptions;
  readonly #limiter: Limiter;
  readonly #table: OperationTable;
  readonly #active = new Map<string, ActiveOperation>();
  #isClosing = false;

  constructor(options: OperationsOptions) {
    super();
    this.#options = options;
    this.#limiter = new Limiter(options);
    this.#table = new OperationTable(options.store?.loadOperations() ?? []);
  }

  /** An operation on what is stored: it touches no target, and its signal aborts when it is cancelled or the agent stops. */
  startStored(begin: {
    kind: 'heap-analysis';
    targetId: string;
    thread: string;
    startedBy: string;
    run: (record: OperationRecord, signal: AbortSignal) => Promise<OperationEnding>;
  }): Operation {
    if (this.#isClosing) throw new SidescopeError('shutting-down', 'the agent is stopping');
    const { run, ...draft } = begin;
    const record = new OperationRecord({ ...draft, parameters: {} }, (view) => this.#onChange(view));
    const endEarly = new AbortController();
    const abandon = new AbortController();
    record.start('starting');
    const finished = run(record, AbortSignal.any([endEarly.signal, abandon.signal]))
      .then(
        (ending) => record.end(ending),
        (error: unknown) => {
          const isEnded = endEarly.signal.aborted || abandon.signal.aborted;
          const reason = isEnded ? new SidescopeError('capture-abandoned', 'it was cancelled') : error;
          if (!(reason instanceof SidescopeError))
            this.#options.log.error({ err: reason, operation: record.id }, 'an analysis failed by a fault of ours');
          record.end({ state: isEnded ? 'cancelled' : 'failed', error: reason });
        },
      )
      .finally(() => this.#active.delete(record.id));
    this.#active.set(record.id, { record, watcher: undefined, turn: backgroundTurn, endEarly, abandon, finished });
    void record.ended.then(() => this.emit('ended', record.view));
    return record.view;
  }

  /** Newest first. */
  list(): readonly Operation[] {
    return this.#table.list();
  }

  /** Throws `unknown-operation`. */
  get(id: string): Operation {
    const found = this.#table.get(id);
    if (found === undefined)
      throw new SidescopeError('unknown-operation', `no operation has the id ${JSON.stringify(id.slice(0, 64))}`);
    return found;
  }

  /**
   * CPU and heap sampling: ends it and keeps a readable partial profile. Snapshot: abandons the file at once and says that the pause goes on; the target's
   * slot stays taken until it is over. `operation-ended`.
   */
  async cancel(id: string, by: string): Promise<Operation> {
    const view = this.get(id);
    const active = this.#active.get(id);
    if (active === undefined || active.record.isEnded) {
      throw new SidescopeError('operation-ended', `operation ${id} has ended: ${view.state}`);
    }
    const { record } = active;
    const reason = new SidescopeError('capture-abandoned', `cancelled by ${by}`);
    // A second time while the sampler's last answer is waited for, which can take as long as a snapshot: then that is given up.
    const isGivenUp = record.view.kind === 'heap-sampling' && active.endEarly.signal.aborted;
    if (record.view.kind !== 'heap-snapshot' && !isGivenUp && record.view.state === 'running') {
      active.endEarly.abort('cancelled');
      await record.ended;
      return record.view;
    }
    const wasRunning = record.view.state === 'running';
    record.end({
      state: 'cancelled',
      error: reason,
      warnings:
        wasRunning && record.view.kind === 'heap-snapshot'
          ? ['V8 cannot cancel a heap snapshot: the target stays paused until it is done']
          : [],
    });
    active.abandon.abort(reason);
    return record.view;
  }

  /** Resolves with the operation when it has ended, or as it is after `timeoutMs`. Rejects with the signal's reason. */
  async waitFor(id: string, options: { timeoutMs: number; signal?: AbortSignal }): Promise<Operation> {
    const { timeoutMs, signal } = options;
    const record = this.#active.get(id)?.record;
    if (record !== undefined) {
      signal?.throwIfAborted();
      const { promise, resolve, reject } = Promise.withResolvers<undefined>();
      const timer = setTimeout(() => resolve(undefined), timeoutMs);
      const onAbort = (): void => reject(signal?.reason as Error);
      signal?.addEventListener('abort', onAbort, { once: true });
      try {
        await Promise.race([record.ended, promise]);
      } finally {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      }
    }
    return this.get(id);
  }

  /**
   * No new captures. CPU and heap sampling captures are ended and kept; a snapshot that runs may finish within `graceMs`; all else is abandoned. Resolves when all is over, or
   * at the end of the grace, which `signal` cuts short: then what is left has `failed`.
   */
  async close({ graceMs, signal }: { graceMs: number; signal?: AbortSignal }): Promise<void> {
    this.#isClosing = true;
    const reason = new SidescopeError('shutting-down', 'the agent is stopping');
    for (const { record, endEarly, abandon } of this.#active.values()) {
      if (record.view.state === 'queued') abandon.abort(reason);
      else endEarly.abort('agent-stopping');
    }
    const finished = Promise.allSettled([...this.#active.values()].map((active) => active.finished));
    const { promise: givenUp, resolve } = Promise.withResolvers<undefined>();
    const giveUp = (): void => resolve(undefined);
    const timer = setTimeout(giveUp, signal?.aborted === true ? 0 : graceMs);
    signal?.addEventListener('abort', giveUp, { once: true });
    await Promise.race([finished, givenUp]);
    signal?.removeEventListener('abort', giveUp);
    clearTimeout(timer);
    for (const { record, abandon } of this.#active.values()) {
      record.end({ state: 'failed', error: reason });
      abandon.abort(reason);
    }
  }

  /** Ends the one that runs, or else that waits, early and keeps what it has. `nothing-to-stop`. */
  protected stop(kind: OperationKind, watcher: TargetWatcher): Operation {
    const active = [...this.#active.values()].filter(
      (each) => each.watcher === watcher && each.record.view.kind === kind && !each.record.isEnded,
    );
    const found = active.find(({ record }) => record.view.state === 'running') ?? active[0];
    if (found === undefined) throw new SidescopeError('nothing-to-stop', `no ${kind} operation runs on ${watcher.id}`);
    found.endEarly.abort('stopped');
    return found.record.view;
  }

  /** Settles when everything is over, also what goes on in the target after the operation has ended. */
  protected async finished(id: string): Promise<void> {
    await this.#active.get(id)?.finished;
  }

  /** Starts with the target attached; what is started keeps that until its end. */
  protected async held(
    { targetId }: CaptureRequest,
    start: (hold: Disposable) => Operation | Promise<Operation>,
  ): Promise<Operation> {
    const hold = await this.#options.targets.watcher(targetId).hold();
    try {
      return await start(hold);
    } catch (error) {
      hold[Symbol.dispose]();
      throw error;
    }
  }

  protected begin(begin: {
    kind: OperationKind;
    request: CaptureRequest;
    hold: Disposable;
    parameters: Operation['parameters'];
    run: (job: CaptureJob) => Promise<OperationEnding>;
  }): Operation {
    const { kind, request, parameters } = begin;
    if (this.#isClosing) throw new SidescopeError('shutting-down', 'the agent is stopping');
    const { store, storageProblem, targets, environment, log } = this.#options;
    if (store === undefined) {
      throw (
        storageProblem ??
        new SidescopeError('data-directory-unusable', 'there is no data directory to keep a profile in')
      );
    }
    const watcher = targets.watcher(request.targetId);
    const threadId = request.thread ?? 'main';
    // Throws when the target is not attached or has no such thread.
    selectThreads(watcher, threadId);
    const turn =
      kind === 'heap-sampling' || kind === 'leak-search'
        ? backgroundTurn
        : this.#limiter.enter(watcher.id, { retryAfterSeconds: this.#secondsUntilFree(watcher) });
    const record = new OperationRecord(
      { kind, targetId: watcher.id, thread: threadId, startedBy: request.startedBy, parameters },
      (view) => this.#onChange(view),
    );
    const endEarly = new AbortController();
    const abandon = new AbortController();
    const job: CaptureJob = {
      record,
      watcher,
      threadId,
      trigger: request.trigger ?? { kind: 'api', by: request.startedBy },
      store,
      endEarly: endEarly.signal,
      abandon: abandon.signal,
      environment,
      log,
    };
    const finished = this.#run(job, { turn, run: begin.run, hold: begin.hold });
    this.#active.set(record.id, { record, watcher, turn, endEarly, abandon, finished });
    this.#onChange(record.view);
    record.queuedAt(turn.queuePosition);
    void record.ended.then(() => this.emit('ended', record.view));
    return record.view;
  }

  async #run(
    job: CaptureJob,
    { turn, run, hold }: { turn: Turn; run: (job: CaptureJob) => Promise<OperationEnding>; hold: Disposable },
  ): Promise<void> {
    const { record, watcher } = job;
    try {
      await untilReady(turn.ready, job);
      // With `--capture-concurrency` over 1 two of one kind can have their turn at once.
      this.refuseTwin({ watcher, kind: record.view.kind, threadId: job.threadId, before: record.id });
      record.start('starting');
      using _shown = watcher.showCapture({ operationId: record.id, kind: record.view.kind, thread: job.threadId });
      record.end(await run(job));
    } catch (error) {
      if (!(error instanceof SidescopeError))
        this.#options.log.error({ err: error, operation: record.id }, 'a capture failed by a fault of ours');
      record.end({ state: isSidescopeError(error, 'capture-abandoned') ? 'cancelled' : 'failed', error });
    } finally {
      turn.leave();
      hold[Symbol.dispose]();
      this.#active.delete(record.id);
      for (const other of this.#active.values()) other.record.queuedAt(other.turn.queuePosition);
    }
  }

  /** V8 has one profiler of each kind per thread and session; a second start would end with the first's stop. `capture-conflict`. */
  protected refuseTwin(asked: {
    watcher: TargetWatcher;
    kind: OperationKind;
    threadId: string;
    before?: string;
  }): void {
    const { watcher, kind, threadId, before } = asked;
    const found = [...this.#active.values()].find(
      ({ record: { id, view }, watcher: other, turn }) =>
        other === watcher &&
        view.kind === kind &&
        turn.queuePosition === null &&
        (before === undefined || id < before) &&
        (view.thread === threadId || view.thread === 'all' || threadId === 'all'),
    );
    if (found === undefined) return;
    const { id, view } = found.record;
    throw new SidescopeError('capture-conflict', `operation ${id} takes a ${kind} of thread ${view.thread} now`, {
      details: { operationId: id },
    });
  }

  #onChange(view: Operation): void {
    this.#table.put(view);
    const isStep = view.state !== 'running' || view.progress.phase === 'starting';
    // Progress is not worth a disk write; beginnings and endings are.
    if (isStep) this.#save(view);
    this.emit('change', view);
  }

  #save(view: Operation): void {
    try {
      this.#options.store?.saveOperation(view);
    } catch (error) {
      // The operation itself goes on; what is lost is its entry after a restart.
      this.#options.log.warn({ err: error, operation: view.id }, 'an operation could not be recorded');
    }
  }

  #secondsUntilFree(watcher: TargetWatcher): number {
    const waits = [...this.#active.values()]
      .filter((active) => active.watcher === watcher && active.record.view.kind === 'cpu')
      .map(
        ({ record: { view } }) =>
          Date.parse(view.startedAt ?? view.createdAt) + (view.parameters.durationMs ?? 0) - Date.now(),
      );
    return Math.max(1, Math.ceil(Math.min(...waits, 30_000) / 1000));
  }
}

/** What is no burden to the target takes no place among the heavy captures. */
const backgroundTurn: Turn = { ready: Promise.resolve(), queuePosition: null, leave: () => undefined };

async function untilReady(ready: Promise<void>, job: CaptureJob): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbandon = (): void => reject(job.abandon.reason as Error);
  const onEarly = (): void => reject(new SidescopeError('capture-abandoned', 'stopped while it was queued'));
  job.abandon.addEventListener('abort', onAbandon, { once: true });
  job.endEarly.addEventListener('abort', onEarly, { once: true });
  try {
    await Promise.race([ready, promise]);
  } finally {
    job.abandon.removeEventListener('abort', onAbandon);
    job.endEarly.removeEventListener('abort', onEarly);
  }
}
