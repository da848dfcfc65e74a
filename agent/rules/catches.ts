import { setTimeout as delay } from 'node:timers/promises';
import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import type { Catch } from '../../protocol/rest/rules.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import type { Vitals } from '../../protocol/rest/vitals.ts';
import type { Alerts } from '../alerts/alerts.ts';
import type { Targets } from '../attach/targets.ts';
import type { FlightRecorder } from '../capture/recorder.ts';
import type { Timelines } from '../requests/timelines.ts';
import type { Trace } from '../requests/trace.ts';
import { newId } from '../store/id.ts';
import type { ProfileStore } from '../store/store.ts';
import type { Monitor } from '../vitals/monitor.ts';

const maxWaiting = 8;
const maxListed = 20;
const defaultForMs = 1_800_000;
const beforeMs = 60_000;
/** Of an event that has an end: so long that is waited for. */
const longestEventMs = 60_000;
const defaultAbove = { stall: null, saturation: null, delay: 200, cpu: 90, latency: 1_000 } as const;

export interface CatchesOptions {
  readonly targets: Pick<Targets, 'watcher'>;
  readonly monitor: Pick<Monitor, 'on' | 'off'>;
  readonly alerts: Pick<Alerts, 'raise' | 'settle'>;
  readonly recorder: Pick<FlightRecorder, 'keep' | 'lease'>;
  readonly timelines: Pick<Timelines, 'sink'>;
  readonly store: ProfileStore | undefined;
  readonly log: { info(facts: object, message: string): void; warn(facts: object, message: string): void };
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
  readonly caught: PromiseWithResolvers<{ why: string; afterMs: number } | undefined>;
  readonly running: Promise<void>;
  /** Readings in a row over the bound. */
  over: number;
}

/** "Catch the next one": the recorder is on until the event comes, or the time is over; what it saw before and in it is kept. */
export class Catches implements Disposable {
  readonly #options: CatchesOptions;
  readonly #waiting = new Map<string, Waiting>();
  readonly #listed: Waiting[] = [];
  readonly #ended = new AbortController();
  readonly #resources = new DisposableStack();

  constructor(options: CatchesOptions) {
    this.#options = options;
    const { monitor, timelines } = options;
    const onStall = (stall: Stall): void => this.#onStall(stall);
    const onVitals = (vitals: Vitals): void => this.#onVitals(vitals);
    const onTrace = (trace: Trace): void => this.#onTrace(trace);
    monitor.on('stall', onStall);
    monitor.on('vitals', onVitals);
    timelines.sink.on('settled', onTrace);
    this.#resources.defer(() => {
      monitor.off('stall', onStall);
      monitor.off('vitals', onVitals);
      timelines.sink.off('settled', onTrace);
    });
  }

  start({ event, targetId, forMs = defaultForMs, above, startedBy }: CatchRequest): Catch {
    const { targets, recorder, store } = this.#options;
    const watcher = targets.watcher(targetId);
    // Throws with the reason when it is not attached.
    void watcher.attachment;
    if (store === undefined) throw new SidescopeError('data-directory-unusable', 'there is no storage to keep it in');
    if (this.#waiting.size >= maxWaiting)
      throw new SidescopeError('too-many-captures', `${maxWaiting} events are waited for already`, {
        details: { retryAfterSeconds: 60 },
      });
    const nowMs = Date.now();
    const id = newId();
    const waiting: Waiting = {
      over: 0,
      caught: Promise.withResolvers(),
      running: Promise.resolve(),
      view: {
        id,
        event,
        targetId: watcher.id,
        startedBy,
        startedAt: new Date(nowMs).toISOString(),
        until: new Date(nowMs + forMs).toISOString(),
        above: toBound(event, above),
        state: 'waiting',
        why: null,
        profileId: null,
      },
    };
    const lease = recorder.lease(watcher.id);
    this.#waiting.set(id, waiting);
    this.#listed.unshift(waiting);
    this.#listed.splice(maxListed);
    Object.assign(waiting, { running: this.#wait(waiting, { forMs, lease }) });
    return waiting.view;
  }

  /** Newest first. */
  list(): Catch[] {
    return this.#listed.map(({ view }) => view);
  }

  async ended(): Promise<void> {
    await Promise.all([...this.#waiting.values()].map(({ running }) => running));
  }

  [Symbol.dispose](): void {
    this.#ended.abort();
    this.#resources.dispose();
  }

  async #wait(waiting: Waiting, { forMs, lease }: { forMs: number; lease: Disposable }): Promise<void> {
    const { log } = this.#options;
    const { id, targetId, event } = waiting.view;
    const timer = setTimeout(() => waiting.caught.resolve(undefined), forMs).unref();
    const onEnd = (): void => waiting.caught.resolve(undefined);
    this.#ended.signal.addEventListener('abort', onEnd, { once: true });
    try {
      const caught = await waiting.caught.promise;
      if (caught === undefined) {
        const why = this.#ended.signal.aborted ? 'the agent was stopped' : `no ${event} came in that time`;
        waiting.view = { ...waiting.view, state: 'expired', why };
        return;
      }
      waiting.view = { ...waiting.view, state: 'keeping', why: caught.why };
      // The only rejection is our own stop.
      await delay(caught.afterMs, undefined, { signal: this.#ended.signal, ref: false }).catch(() => undefined);
      await this.#keep(waiting, caught.why);
    } catch (error) {
      if (!isSidescopeError(error)) throw error;
      log.warn({ target: targetId, event, code: error.code }, `caught, but not kept: ${error.message}`);
      waiting.view = { ...waiting.view, state: 'failed', why: error.message };
    } finally {
      clearTimeout(timer);
      this.#ended.signal.removeEventListener('abort', onEnd);
      this.#waiting.delete(id);
      lease[Symbol.dispose]();
    }
  }

  async #keep(waiting: Waiting, why: string): Promise<void> {
    const { recorder, alerts, log } = this.#options;
    const { event, targetId } = waiting.view;
    const profile = await recorder.keep({
      targetId,
      beforeMs: beforeMs + longestEventMs,
      trigger: { kind: 'rule', by: `catch ${event}` },
      labels: { caught: event },
    });
    if (profile === undefined)
      throw new SidescopeError('capture-interrupted', 'the flight recorder had no window: `GET /recorder` says why');
    waiting.view = { ...waiting.view, state: 'caught', profileId: profile.id };
    log.info({ target: targetId, event, profile: profile.id }, `caught: ${why}`);
    const episode = { problem: 'rule', targetId, key: `catch-${event}` } as const;
    alerts.raise({ ...episode, severity: 'info', title: `caught the next ${event}: ${why}`, profileIds: [profile.id] });
    alerts.settle(episode, 'one was asked for');
  }

  #onStall(stall: Stall): void {
    const { targetId, thread, kind, summary, state } = stall;
    if (thread !== 'main') return;
    const event = kind === 'blocked' ? 'stall' : 'saturation';
    for (const waiting of this.#of(targetId, event)) {
      // With its end the window has all of it; one that lasts is kept as far as it got.
      if (state === 'ongoing' && stall.durationMs < longestEventMs && kind === 'blocked') continue;
      waiting.caught.resolve({ why: summary, afterMs: kind === 'blocked' ? 1_000 : 10_000 });
    }
  }

  #onVitals({ targetId, loop, cpu }: Vitals): void {
    for (const waiting of this.#of(targetId, 'delay')) {
      const { delayMaxMs } = loop;
      if (delayMaxMs !== null && delayMaxMs >= (waiting.view.above ?? Infinity))
        waiting.caught.resolve({ why: `the event loop was late by ${Math.round(delayMaxMs)} ms`, afterMs: 2_000 });
    }
    for (const waiting of this.#of(targetId, 'cpu')) {
      const cores = (cpu.userCores ?? 0) + (cpu.systemCores ?? 0);
      waiting.over = cores >= (waiting.view.above ?? Infinity) ? waiting.over + 1 : 0;
      // One reading may be a collection of garbage.
      if (waiting.over >= 2) waiting.caught.resolve({ why: `it used ${cores.toFixed(2)} cores`, afterMs: 10_000 });
    }
  }

  /** Spans come some seconds after their request: the window has it all. */
  #onTrace({ summary }: Trace): void {
    if (summary === undefined) return;
    for (const waiting of this.#waiting.values()) {
      const { event, above, targetId, state, startedAt } = waiting.view;
      if (event !== 'latency' || state !== 'waiting' || summary.durationMs < (above ?? Infinity)) continue;
      const { identity } = this.#options.targets.watcher(targetId).view;
      if (summary.pid !== null && identity?.pid !== summary.pid) continue;
      // Begun before the recorder was on: half of it is in no window.
      if (summary.startMs < Date.parse(startedAt)) continue;
      waiting.caught.resolve({ why: `${summary.name} took ${Math.round(summary.durationMs)} ms`, afterMs: 0 });
    }
  }

  #of(targetId: string, event: Catch['event']): Waiting[] {
    return [...this.#waiting.values()].filter(
      ({ view }) => view.targetId === targetId && view.event === event && view.state === 'waiting',
    );
  }
}

function toBound(event: Catch['event'], above: number | undefined): number | null {
  const bound = defaultAbove[event] === null ? null : (above ?? defaultAbove[event]);
  return bound !== null && event === 'cpu' ? bound / 100 : bound;
}
