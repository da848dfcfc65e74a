import { setTimeout as delay } from 'node:timers/promises';
import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import type { Catch } from '../../protocol/rest/rules.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import type { Target } from '../../protocol/rest/target.ts';
import type { Vitals } from '../../protocol/rest/vitals.ts';
import type { Alerts } from '../alerts/alerts.ts';
import type { Targets } from '../attach/targets.ts';
import type { FlightRecorder } from '../capture/recorder.ts';
import type { Timelines } from '../requests/timelines.ts';
import type { Trace } from '../requests/trace.ts';
import { newId } from '../store/id.ts';
import type { RecordIndex } from '../store/record-table.ts';
import type { ProfileStore } from '../store/store.ts';
import type { Monitor } from '../vitals/monitor.ts';
import { boundOf, caughtByCpu, caughtByDelay, caughtByRequest, caughtByStall, longestEventMs } from './catch-events.ts';
import type { Caught } from './catch-events.ts';
import { CatchTable } from './catch-table.ts';

const maxWaiting = 8;
const defaultForMs = 1_800_000;
const beforeMs = 60_000;

export interface CatchesOptions {
  readonly targets: Pick<Targets, 'watcher' | 'on' | 'off'>;
  readonly monitor: Pick<Monitor, 'on' | 'off'>;
  readonly alerts: Pick<Alerts, 'raise' | 'settle'>;
  readonly recorder: Pick<FlightRecorder, 'keep' | 'lease' | 'run'>;
  readonly timelines: Pick<Timelines, 'sink'>;
  readonly store: ProfileStore | undefined;
  readonly index: RecordIndex;
  readonly log: {
    info(facts: object, message: string): void;
    warn(facts: object, message: string): void;
    error(facts: object, message: string): void;
  };
}

export interface CatchRequest {
  readonly event: Catch['event'];
  readonly targetId?: string | undefined;
  readonly forMs?: number | undefined;
  readonly above?: number | undefined;
  readonly startedBy: string;
}

interface Waiting {
  view: Catch;
  /** Since when it waits in this agent. */
  readonly sinceMs: number;
  readonly ended: PromiseWithResolvers<Caught | Pick<Catch, 'state' | 'why'> | 'stopped'>;
  /** Undefined while its target is not known yet. */
  lease: Disposable | undefined;
  /** Readings in a row over the bound. */
  over: number;
}

/**
 * "Catch the next one": the recorder is on until the event comes, or the time is over, or nobody wants it any more; what it saw before and in it is kept. It
 * goes on in the next agent of the same data directory.
 */
export class Catches implements AsyncDisposable {
  readonly #options: CatchesOptions;
  readonly #table: CatchTable;
  readonly #waiting = new Map<string, Waiting>();
  readonly #running = new Set<Promise<void>>();
  readonly #stopped = new AbortController();
  readonly #resources = new DisposableStack();

  constructor(options: CatchesOptions) {
    this.#options = options;
    this.#table = new CatchTable(options);
    this.#listen();
    for (const view of this.#table.unfinished()) this.#resume(view);
  }

  /** Throws `target-required`, `unknown-target`, `target-not-attached`, `too-many-captures`, `data-directory-unusable`. */
  start({ event, targetId, forMs = defaultForMs, above, startedBy }: CatchRequest): Catch {
    const { targets, store } = this.#options;
    const watcher = targets.watcher(targetId);
    // Throws with the reason when it is not attached.
    void watcher.attachment;
    if (store === undefined) throw new SidescopeError('data-directory-unusable', 'there is no storage to keep it in');
    if (this.#waiting.size >= maxWaiting)
      throw new SidescopeError('too-many-captures', `${maxWaiting} events are waited for already`, {
        details: { retryAfterSeconds: 60 },
      });
    const nowMs = Date.now();
    const view: Catch = {
      id: newId(),
      event,
      targetId: watcher.id,
      startedBy,
      startedAt: new Date(nowMs).toISOString(),
      until: new Date(nowMs + forMs).toISOString(),
      above: boundOf(event, above),
      state: 'waiting',
      why: null,
      profileId: null,
    };
    this.#table.save(view);
    this.#begin(view, forMs);
    return view;
  }

  /** Newest first. */
  list(): Catch[] {
    return this.#table.list();
  }

  /** Throws `unknown-catch`; `operation-ended` when it waits no more. */
  cancel(id: string, by: string): Catch {
    const waiting = this.#waiting.get(id);
    const view = waiting?.view ?? this.#table.get(id);
    if (view === undefined) throw new SidescopeError('unknown-catch', 'there is none with this id');
    if (waiting === undefined || view.state !== 'waiting')
      throw new SidescopeError('operation-ended', `it waits no more: ${view.state}`);
    const ending = { state: 'cancelled', why: `cancelled by ${by}` } as const;
    this.#change(waiting, ending);
    // Its place is free at once, the recorder some microtasks later.
    this.#waiting.delete(id);
    waiting.ended.resolve(ending);
    return waiting.view;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort();
    this.#resources.dispose();
    await Promise.all(this.#running);
  }

  /** What an agent before this one waited for. */
  #resume(view: Catch): void {
    if (view.state === 'keeping') {
      this.#table.save({ ...view, state: 'failed', why: `${view.why}; the agent ended before it was kept` });
      return;
    }
    const leftMs = Date.parse(view.until) - Date.now();
    if (leftMs <= 0 || this.#waiting.size >= maxWaiting) {
      this.#table.save({ ...view, state: 'expired', why: `no ${view.event} came while an agent ran` });
      return;
    }
    // A clock that was set back does not make it longer than it was.
    this.#begin(view, Math.min(leftMs, Date.parse(view.until) - Date.parse(view.startedAt)));
  }

  #begin(view: Catch, forMs: number): void {
    const waiting: Waiting = {
      view,
      sinceMs: Date.now(),
      ended: Promise.withResolvers(),
      lease: undefined,
      over: 0,
    };
    this.#waiting.set(view.id, waiting);
    this.#lease(waiting);
    const running = this.#wait(waiting, forMs);
    this.#running.add(running);
    void running.finally(() => this.#running.delete(running));
  }

  /** A target that is found by itself is not known when the agent starts. */
  #lease(waiting: Waiting): void {
    try {
      waiting.lease ??= this.#options.recorder.lease(waiting.view.targetId);
    } catch (error) {
      if (!isSidescopeError(error, 'unknown-target')) throw error;
    }
  }

  async #wait(waiting: Waiting, forMs: number): Promise<void> {
    const { log } = this.#options;
    const { id, targetId, event } = waiting.view;
    const timer = setTimeout(() => {
      waiting.ended.resolve({ state: 'expired', why: `no ${event} came in that time` });
    }, forMs).unref();
    const onStop = (): void => waiting.ended.resolve('stopped');
    this.#stopped.signal.addEventListener('abort', onStop, { once: true });
    try {
      const end = await waiting.ended.promise;
      // The next agent goes on with it.
      if (end === 'stopped') return;
      if ('state' in end) {
        this.#change(waiting, end);
        return;
      }
      this.#change(waiting, { state: 'keeping', why: end.why });
      // What it came in may end before it is kept, and another run begin.
      const instanceId = this.#options.recorder.run(targetId);
      // The only rejection is our own stop.
      await delay(end.afterMs, undefined, { signal: this.#stopped.signal, ref: false }).catch(() => undefined);
      await this.#keep(waiting, { why: end.why, instanceId });
    } catch (error) {
      if (!isSidescopeError(error)) throw error;
      log.warn({ target: targetId, event, code: error.code }, `caught, but not kept: ${error.message}`);
      this.#change(waiting, { state: 'failed', why: error.message });
    } finally {
      clearTimeout(timer);
      this.#stopped.signal.removeEventListener('abort', onStop);
      this.#waiting.delete(id);
      waiting.lease?.[Symbol.dispose]();
    }
  }

  async #keep(waiting: Waiting, { why, instanceId }: { why: string; instanceId: string | undefined }): Promise<void> {
    const { recorder, alerts, log } = this.#options;
    const { event, targetId } = waiting.view;
    const profile = await recorder.keep({
      targetId,
      beforeMs: beforeMs + longestEventMs,
      instanceId,
      trigger: { kind: 'rule', by: `catch ${event}` },
      labels: { caught: event },
    });
    if (profile === undefined)
      throw new SidescopeError('capture-interrupted', 'the flight recorder had no window: `GET /recorder` says why');
    this.#change(waiting, { state: 'caught', profileId: profile.id });
    log.info({ target: targetId, event, profile: profile.id }, `caught: ${why}`);
    const episode = { problem: 'rule', targetId, key: `catch-${event}` } as const;
    alerts.raise({
      ...episode,
      severity: 'info',
      title: `caught the next ${event}: ${why}`,
      facts: { capture: 'recorder' },
      profileIds: [profile.id],
    });
    alerts.settle(episode, 'one was asked for');
  }

  #change(waiting: Waiting, change: Partial<Catch>): void {
    waiting.view = { ...waiting.view, ...change };
    this.#table.save(waiting.view);
  }

  #listen(): void {
    const { targets, monitor, timelines } = this.#options;
    const onAttached = ({ id }: Target): void => {
      for (const waiting of this.#of(id)) this.#lease(waiting);
    };
    const onStall = (stall: Stall): void => {
      for (const waiting of this.#of(stall.targetId))
        resolve(waiting, caughtByStall(waiting.view, stall, waiting.sinceMs));
    };
    const onVitals = (vitals: Vitals): void => {
      for (const waiting of this.#of(vitals.targetId)) {
        const { over, caught } = caughtByCpu(waiting.view, vitals, waiting.over);
        waiting.over = over;
        resolve(waiting, caught ?? caughtByDelay(waiting.view, vitals));
      }
    };
    const onTrace = ({ summary }: Trace): void => {
      if (summary === undefined) return;
      for (const waiting of this.#waiting.values())
        if (waiting.lease !== undefined && this.#isOf(waiting, summary.pid))
          resolve(waiting, caughtByRequest(waiting.view, summary, waiting.sinceMs));
    };
    targets.on('attached', onAttached);
    monitor.on('stall', onStall);
    monitor.on('vitals', onVitals);
    timelines.sink.on('settled', onTrace);
    this.#resources.defer(() => {
      targets.off('attached', onAttached);
      monitor.off('stall', onStall);
      monitor.off('vitals', onVitals);
      timelines.sink.off('settled', onTrace);
    });
  }

  #isOf({ view }: Waiting, pid: number | null): boolean {
    return pid === null || this.#options.targets.watcher(view.targetId).view.identity?.pid === pid;
  }

  #of(targetId: string): Waiting[] {
    return [...this.#waiting.values()].filter(({ view }) => view.targetId === targetId && view.state === 'waiting');
  }
}

function resolve(waiting: Waiting, caught: Caught | undefined): void {
  if (caught !== undefined && waiting.view.state === 'waiting') waiting.ended.resolve(caught);
}
