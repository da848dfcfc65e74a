import { setTimeout as delay } from 'node:timers/promises';
import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import type { GrowthReading } from '../../protocol/rest/leaks.ts';
import type { MemoryLimit } from '../../protocol/rest/memory-limit.ts';
import type { Target } from '../../protocol/rest/target.ts';
import type { Vitals, VitalsPoint } from '../../protocol/rest/vitals.ts';
import { oldSpaceExpression } from '../../protocol/inspector/expressions.ts';
import type { AlertDesk } from '../alerts/condition.ts';
import type { Attachment } from '../attach/attachment.ts';
import { limitCondition } from './limit-alert.ts';
import { LimitWatch, type LimitStep } from './limit-watch.ts';
import { limitUses, type HeapSettings, type LimitUses } from './nearer-limit.ts';

/** What the near-limit decision asks of the heap sampler; `SamplingSearch` does it. */
export interface NearLimitSampling {
  begin(targetId: string, cause: 'near-limit'): Promise<void>;
  /** Forces a full collection. */
  read(targetId: string, cause: 'near-limit', signal: AbortSignal): Promise<GrowthReading | undefined>;
  latest(targetId: string): GrowthReading | undefined;
  end(targetId: string, cause: 'near-limit'): Promise<void>;
}

interface Source<Name extends string, Values extends unknown[]> {
  on(event: Name, listener: (...values: Values) => void): unknown;
  off(event: Name, listener: (...values: Values) => void): unknown;
}

export interface MemoryMonitorOptions {
  readonly targets: Source<'attached', [Target]> &
    Source<'detached', [Target, SidescopeError]> &
    Source<'forgotten', [string]> & {
      list(): readonly Target[];
      watcher(id: string): { readonly attachment: Attachment };
    };
  readonly monitor: Source<'vitals', [Vitals]>;
  /** Without one, sites are missing from the alerts and death records. */
  readonly sampling: NearLimitSampling | undefined;
  readonly alerts: AlertDesk | undefined;
  /** The last ten minutes of a target. */
  history(targetId: string): readonly VitalsPoint[];
  /** 0: nothing is watched. */
  readonly intervalMs: number;
  readonly threshold: number;
  readonly log: { warn(facts: object, message: string): void };
  /** Monotonic ms. */
  readonly now?: () => number;
}

const readTimeoutMs = 30_000;
/** A sampler that has just begun has seen nothing, and a heap that fills within seconds may not live until the next reading of its vitals. */
const firstReadAfter = { maxMs: 500, shareOfInterval: 0.1 };
const settingsTimeoutMs = 10_000;
const unknownSettings: HeapSettings = { nodeVersion: 'v24', oldSpaceMiB: null };

/** Watches how near each target is to its memory limits, collects evidence on the way there, and raises `memory-limit`. Takes no snapshot. */
export class MemoryMonitor implements AsyncDisposable {
  readonly #options: MemoryMonitorOptions;
  readonly #now: () => number;
  readonly #watches = new Map<string, LimitWatch>();
  readonly #settings = new Map<string, HeapSettings>();
  readonly #stopped = new AbortController();
  readonly #resources = new DisposableStack();
  /** Per target: steps of sampling, one after the other. */
  readonly #steps = new Map<string, Promise<void>>();

  constructor(options: MemoryMonitorOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    const { targets, monitor } = options;
    const onVitals = (vitals: Vitals): void => this.#onVitals(vitals);
    // What is known of a run outlasts it: its death record asks for it.
    const onAttached = (target: Target): void => this.#begin(target);
    const onDetached = ({ id }: Target): void => this.#settle(id);
    const onForgotten = (id: string): void => {
      this.#watches.delete(id);
      this.#settings.delete(id);
    };
    monitor.on('vitals', onVitals);
    targets.on('attached', onAttached);
    targets.on('detached', onDetached);
    targets.on('forgotten', onForgotten);
    for (const target of targets.list()) if (target.state.state === 'attached') this.#begin(target);
    this.#resources.defer(() => {
      monitor.off('vitals', onVitals);
      targets.off('attached', onAttached);
      targets.off('detached', onDetached);
      targets.off('forgotten', onForgotten);
    });
  }

  /** The nearer limit with its forecast, and which limits do not count and why. */
  limitOf(targetId: string): { readonly nearerLimit: MemoryLimit | null; readonly limitNotes: string[] } {
    const watch = this.#watches.get(targetId);
    if (watch === undefined) return { nearerLimit: null, limitNotes: ['there is no reading yet'] };
    return { nearerLimit: watch.view(Date.now()), limitNotes: [...watch.notes] };
  }

  /** How near a reading is to the limits that are known of its target. */
  usesOf(vitals: Vitals): LimitUses {
    return limitUses(vitals, this.#settings.get(vitals.targetId) ?? unknownSettings);
  }

  /** When the sampler's answers that are under way have been read. Never rejects. */
  async idle(targetId: string): Promise<void> {
    await this.#steps.get(targetId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#resources.dispose();
    this.#stopped.abort(new SidescopeError('shutting-down', 'the agent is stopping'));
    await Promise.all(this.#steps.values());
  }

  #begin({ id, identity }: Target): void {
    this.#watches.delete(id);
    const nodeVersion = identity?.nodeVersion ?? unknownSettings.nodeVersion;
    const settings = { nodeVersion, oldSpaceMiB: null };
    this.#settings.set(id, settings);
    const signal = this.#stopped.signal;
    const read = async (): Promise<void> => {
      const { main } = this.#options.targets.watcher(id).attachment;
      const value = await main.evaluate(oldSpaceExpression, { timeoutMs: settingsTimeoutMs, signal });
      if (this.#settings.get(id) === settings)
        this.#settings.set(id, { nodeVersion, oldSpaceMiB: typeof value === 'number' && value > 0 ? value : null });
    };
    // Without an answer the limit is taken from what V8 tells alone.
    read().catch(() => undefined);
  }

  #onVitals(vitals: Vitals): void {
    const { targetId } = vitals;
    let watch = this.#watches.get(targetId);
    if (this.#options.intervalMs === 0) return;
    if (watch === undefined) this.#watches.set(targetId, (watch = new LimitWatch(this.#options)));
    const steps = watch.read(this.usesOf(vitals), this.#now());
    const isFresh = steps.some(({ kind }) => kind === 'begin-sampling');
    for (const step of steps) this.#take(step, { vitals, watch, isFresh });
  }

  #take(step: LimitStep, seen: { vitals: Vitals; watch: LimitWatch; isFresh: boolean }): void {
    const { vitals, watch, isFresh } = seen;
    const { targetId } = vitals;
    const { alerts, sampling } = this.#options;
    switch (step.kind) {
      case 'begin-sampling':
        return this.#sample(targetId, (search) => search.begin(targetId, 'near-limit'));
      case 'read-sampling':
        return this.#sample(targetId, async (search) => {
          if (isFresh) await this.#untilSampled(targetId);
          const signal = AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(readTimeoutMs)]);
          const reading = await search.read(targetId, 'near-limit', signal);
          if (reading !== undefined && reading.sites.length > 0) watch.gotSites();
        });
      case 'end-sampling':
        return this.#sample(targetId, (search) => search.end(targetId, 'near-limit'));
      case 'alert':
        alerts?.raise(
          limitCondition({ ...step, vitals, points: this.#history(targetId), growth: sampling?.latest(targetId) }),
        );
        return;
      case 'settled':
        alerts?.settle({ problem: 'memory-limit', targetId }, step.why);
        return;
    }
  }

  /** No longer than the target is attached: its death record waits for this. */
  async #untilSampled(targetId: string): Promise<void> {
    const { targets, intervalMs } = this.#options;
    const signal = AbortSignal.any([this.#stopped.signal, targets.watcher(targetId).attachment.ended]);
    const waitMs = Math.min(firstReadAfter.maxMs, intervalMs * firstReadAfter.shareOfInterval);
    // The reading that follows tells what became of the target.
    await delay(waitMs, undefined, { signal }).catch(() => undefined);
  }

  /** A target that refuses, or another profiler that has the sampler, costs the sites and nothing else. */
  #sample(targetId: string, work: (search: NearLimitSampling) => Promise<void>): void {
    const { sampling, log } = this.#options;
    if (sampling === undefined || this.#stopped.signal.aborted) return;
    const before = this.#steps.get(targetId) ?? Promise.resolve();
    const step = before.then(async () => {
      try {
        await work(sampling);
      } catch (error) {
        // It ended meanwhile: its death record says so.
        if (isSidescopeError(error, 'target-gone') || this.#stopped.signal.aborted) return;
        const { code, message } =
          error instanceof SidescopeError ? error : { code: 'internal', message: String(error) };
        log.warn({ target: targetId, code }, `near its memory limit, and no allocation sites: ${message}`);
      }
    });
    this.#steps.set(targetId, step);
    void step.finally(() => this.#steps.get(targetId) === step && this.#steps.delete(targetId));
  }

  #history(targetId: string): readonly VitalsPoint[] {
    try {
      return this.#options.history(targetId);
    } catch (error) {
      if (!(error instanceof SidescopeError)) throw error;
      // An alert without its table is better than none.
      return [];
    }
  }

  #settle(targetId: string): void {
    if (this.#watches.get(targetId)?.isAlerting !== true) return;
    this.#options.alerts?.settle({ problem: 'memory-limit', targetId }, 'the process ended or was left');
  }
}
