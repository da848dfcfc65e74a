import { EventEmitter } from 'node:events';
import { SidescopeError } from '../../protocol/error.ts';
import { growthBetween } from '../../protocol/heap-sampling/growth.ts';
import type { LocatedSite } from '../../protocol/heap-sampling/growth.ts';
import { sliceResultValue } from '../../protocol/inspector/message-bytes.ts';
import type { GrowthReading } from '../../protocol/rest/leaks.ts';
import { samplingIntervalBytes } from '../../protocol/rest/limits.ts';
import type { Target } from '../../protocol/rest/target.ts';
import type { AttachedThread, Attachment } from '../attach/attachment.ts';
import type { TargetWatcher } from '../attach/target-watcher.ts';
import type { Targets } from '../attach/targets.ts';
import { foreignHeapProfiler } from '../capture/heap-sampling.ts';
import { HeapSampler, type SamplerAnswer } from '../capture/heap-sampler.ts';
import type { ProfileWorker } from '../capture/profile-worker.ts';
import { sourceMapContext } from '../source-maps/context.ts';
import type { PathMapping } from '../source-maps/target-files.ts';

/** Each holds the place of one function, its original and its caller: some 0.5 MB per target at most. */
const sitesMax = 500;
const shownSitesMax = 20;
/** Growth is told against the oldest of so many: at a reading per 5 % of growth, over about 40 %. */
const readingsMax = 8;
/** The collections of readings may take this share of the target's time. */
const defaultPauseShare = 0.005;
const defaultReadEveryMs = 10_000;

export type SearchCause = 'near-limit' | 'suspicion' | 'investigation';

export interface SamplingSearchOptions {
  readonly targets: Targets;
  readonly worker: Pick<ProfileWorker, 'allocationSites'>;
  readonly sourceMapPaths: readonly PathMapping[];
  /** Between two readings, unless the limit is near. Default 10 s. */
  readonly readEveryMs?: number | undefined;
  /** Of the target's time, that readings on a suspicion may take. Default 0.005. */
  readonly pauseShare?: number | undefined;
  readonly log: {
    info(facts: object, message: string): void;
    warn(facts: object, message: string): void;
  };
}

export interface SearchEvents {
  reading: [{ targetId: string; cause: SearchCause; reading: GrowthReading }];
  /** A reading pauses the target from now on, or does not any more. */
  pausing: [{ targetId: string; isPausing: boolean }];
  /** Allocations of this time were not seen: a person's capture had the sampler. */
  gap: [{ targetId: string; fromMs: number; toMs: number }];
  'reading-skipped': [{ targetId: string; cause: SearchCause }];
}

interface Search {
  readonly targetId: string;
  readonly instanceId: string;
  readonly watcher: TargetWatcher;
  readonly attachment: Attachment;
  readonly thread: AttachedThread;
  readonly causes: Set<SearchCause>;
  /** Undefined while a person's capture has the sampler. */
  run: SamplerRun | undefined;
  gapFromMs: number | undefined;
  /** Not before this, of `performance.now()`. */
  nextReadMs: number;
}

/** V8's sampler from one start to its stop: what it says of different runs cannot be compared. */
interface SamplerRun {
  readonly sampler: HeapSampler;
  readonly startedAtMs: number;
  readonly readings: { readonly atMs: number; readonly sites: readonly LocatedSite[] }[];
  /** Of the investigation under way: its growth is told from there. */
  investigated: { readonly atMs: number; readonly sites: readonly LocatedSite[] } | undefined;
}

/**
 * The allocation sampling that the agent starts by itself in main threads (live mode, 512 KiB): nothing runs in a target before `begin`, and after the last
 * `end`. It costs the target nothing measurable, but every reading forces a full collection: 25-55 ms at 80 MB of heap, 700 ms at 500 MB. There is one
 * sampler per isolate: a person's capture takes it with `yieldSampler`, and the search goes on afterwards.
 */
export class SamplingSearch extends EventEmitter<SearchEvents> implements AsyncDisposable {
  readonly #options: SamplingSearchOptions;
  readonly #searches = new Map<string, Search>();
  readonly #latest = new Map<string, GrowthReading>();
  /** How many captures have, or want, the sampler of a target. */
  readonly #holds = new Map<string, number>();
  /** What is under way with the sampler of a target: one thing after the other. */
  readonly #turns = new Map<string, Promise<unknown>>();
  readonly #onAttached: (target: Target) => void;
  #isDisposed = false;

  constructor(options: SamplingSearchOptions) {
    super();
    this.#options = options;
    this.#onAttached = ({ id }) => void this.#latest.delete(id);
    options.targets.on('attached', this.#onAttached);
  }

  /**
   * Starts sampling, or adds a cause to the sampling that runs. While a person's capture has the sampler it starts after that one. Rejects with
   * `target-not-attached`, `profiler-active` when the program uses V8's heap profiler itself, `inspector-timeout`, `shutting-down`.
   */
  async begin(targetId: string, cause: SearchCause): Promise<void> {
    await this.#inTurn(targetId, async () => {
      if (this.#isDisposed) throw new SidescopeError('shutting-down', 'the agent is stopping');
      const watcher = this.#options.targets.watcher(targetId);
      const { attachment } = watcher;
      const known = this.#searches.get(targetId);
      if (known !== undefined) {
        known.causes.add(cause);
        return;
      }
      const search: Search = {
        targetId,
        instanceId: watcher.attachedIdentity.instanceId,
        watcher,
        attachment,
        thread: attachment.thread('main'),
        causes: new Set([cause]),
        run: undefined,
        gapFromMs: undefined,
        nextReadMs: 0,
      };
      if (!this.#isHeld(targetId)) await this.#start(search);
      this.#searches.set(targetId, search);
      // Closing the connection ended V8's sampler.
      attachment.ended.addEventListener('abort', () => this.#forget(search), { once: true });
      if (attachment.ended.aborted) this.#forget(search);
    });
  }

  /**
   * What is alive of what was allocated since sampling began, and what of it grew. Undefined when no search runs, when a person's capture has the sampler,
   * when the last readings took over 0.5 % of the target's time (`suspicion` only), and when the target is lost meanwhile. Rejects with the signal's reason.
   */
  async read(targetId: string, cause: SearchCause, signal: AbortSignal): Promise<GrowthReading | undefined> {
    const search = this.#searches.get(targetId);
    if (search === undefined) return undefined;
    if (cause === 'suspicion' && performance.now() < search.nextReadMs) {
      this.emit('reading-skipped', { targetId, cause });
      return undefined;
    }
    return this.#inTurn(targetId, async () => {
      signal.throwIfAborted();
      const { run } = search;
      if (run === undefined || this.#searches.get(targetId) !== search) return undefined;
      return this.#take(search, { run, cause, signal, ask: () => run.sampler.read(signal) });
    });
  }

  /** The last reading with sites of the present run of the target, or of its last one when it is gone; one without sites when there is no other. */
  latest(targetId: string): GrowthReading | undefined {
    return this.#latest.get(targetId);
  }

  isSampling(targetId: string): boolean {
    return this.#searches.get(targetId)?.run !== undefined;
  }

  /** The cause is over, or all are: with the last one sampling stops, which forces a collection. Never rejects for what the target does. */
  async end(targetId: string, cause?: SearchCause): Promise<void> {
    await this.#inTurn(targetId, async () => {
      const search = this.#searches.get(targetId);
      if (search === undefined) return;
      if (cause !== undefined) search.causes.delete(cause);
      if (cause === 'investigation' && search.run !== undefined) search.run.investigated = undefined;
      if (cause !== undefined && search.causes.size > 0) return;
      this.#searches.delete(targetId);
      if (search.run === undefined) return;
      using _pause = this.#showPause(targetId);
      await search.run.sampler[Symbol.asyncDispose]();
    });
  }

  /** For who wants the sampler of the main thread: the search reads once more, stops, and goes on when what is returned is disposed. */
  async yieldSampler(targetId: string): Promise<Disposable> {
    this.#holds.set(targetId, (this.#holds.get(targetId) ?? 0) + 1);
    let isHeld = true;
    const hold: Disposable = {
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        const others = (this.#holds.get(targetId) ?? 1) - 1;
        if (others > 0) this.#holds.set(targetId, others);
        else this.#holds.delete(targetId);
        if (others === 0 && this.#searches.has(targetId)) void this.#goOn(targetId);
      },
    };
    try {
      await this.#inTurn(targetId, () => this.#pause(targetId));
      return hold;
    } catch (error) {
      hold[Symbol.dispose]();
      throw error;
    }
  }

  /** To be disposed before the targets. Sends nothing: the connections are closed next, and V8 ends the samplers with them, without a collection. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    this.#options.targets.off('attached', this.#onAttached);
    this.#searches.clear();
    await Promise.allSettled(this.#turns.values());
  }

  async #start(search: Search): Promise<void> {
    const foreign = await foreignHeapProfiler(search.thread);
    if (foreign !== undefined) throw foreign;
    const sampler = await HeapSampler.start(search.thread.session, {
      mode: 'live',
      intervalBytes: samplingIntervalBytes.default,
    });
    search.run = { sampler, startedAtMs: performance.now(), readings: [], investigated: undefined };
  }

  async #pause(targetId: string): Promise<void> {
    const search = this.#searches.get(targetId);
    const run = search?.run;
    if (search === undefined || run === undefined) return;
    search.run = undefined;
    search.gapFromMs = Date.now();
    const signal = search.attachment.ended;
    await this.#take(search, { run, cause: 'suspicion', signal, ask: () => run.sampler.stop(signal) });
  }

  async #goOn(targetId: string): Promise<void> {
    await this.#inTurn(targetId, async () => {
      const search = this.#searches.get(targetId);
      if (search === undefined || search.run !== undefined || this.#isHeld(targetId) || this.#isDisposed) return;
      try {
        await this.#start(search);
      } catch (error) {
        if (!(error instanceof SidescopeError)) throw error;
        this.#searches.delete(targetId);
        this.#options.log.warn(
          { target: targetId, code: error.code },
          `the search for allocation sites ends: ${error.message}`,
        );
        return;
      }
      if (search.gapFromMs === undefined) return;
      this.emit('gap', { targetId, fromMs: search.gapFromMs, toMs: Date.now() });
      search.gapFromMs = undefined;
    });
  }

  /** Undefined when the sampler or the target is lost. */
  async #take(
    search: Search,
    how: { run: SamplerRun; cause: SearchCause; signal: AbortSignal; ask: () => Promise<SamplerAnswer> },
  ): Promise<GrowthReading | undefined> {
    const { targetId, instanceId, watcher } = search;
    const { run, cause, signal } = how;
    try {
      const { answer, pauseMs } = await this.#askPausing(targetId, how.ask);
      search.nextReadMs =
        performance.now() +
        Math.max(
          this.#options.readEveryMs ?? defaultReadEveryMs,
          (pauseMs ?? 0) / (this.#options.pauseShare ?? defaultPauseShare),
        );
      const atMs = performance.now();
      const sourceMaps = sourceMapContext(watcher, this.#options.sourceMapPaths);
      const { liveBytes, sites } = await this.#options.worker.allocationSites(sliceResultValue(answer, 'profile'), {
        sourceMaps,
        sitesMax,
        signal,
      });
      const earlier = cause === 'investigation' ? run.investigated : run.readings[0];
      const forMs = atMs - (earlier?.atMs ?? run.startedAtMs);
      const reading: GrowthReading = {
        instanceId,
        at: new Date().toISOString(),
        forMs: Math.round(forMs),
        liveBytes: Math.round(liveBytes),
        sites: growthBetween({ earlier: earlier?.sites ?? [], later: sites, forMs, sitesMax: shownSitesMax }),
        costMs: pauseMs,
      };
      run.readings.push({ atMs, sites });
      if (cause === 'investigation') run.investigated ??= { atMs, sites };
      if (run.readings.length > readingsMax) run.readings.shift();
      if (reading.sites.length > 0 || !this.#latest.has(targetId)) this.#latest.set(targetId, reading);
      this.emit('reading', { targetId, cause, reading });
      return reading;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof SidescopeError)) throw error;
      if (error.code === 'capture-interrupted') this.#forget(search);
      const facts = { target: targetId, code: error.code };
      this.#options.log.warn(facts, `the allocation sites could not be read: ${error.message}`);
      return undefined;
    }
  }

  async #askPausing(targetId: string, ask: () => Promise<SamplerAnswer>): Promise<SamplerAnswer> {
    using _pause = this.#showPause(targetId);
    return await ask();
  }

  #showPause(targetId: string): Disposable {
    this.emit('pausing', { targetId, isPausing: true });
    return { [Symbol.dispose]: () => void this.emit('pausing', { targetId, isPausing: false }) };
  }

  #forget(search: Search): void {
    if (this.#searches.get(search.targetId) === search) this.#searches.delete(search.targetId);
  }

  #isHeld(targetId: string): boolean {
    return this.#holds.has(targetId);
  }

  async #inTurn<T>(targetId: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(targetId) ?? Promise.resolve();
    const turn = before.then(work, work);
    // Its failure is for who asked; the next turn only waits for it.
    const settled = turn.catch(() => undefined);
    this.#turns.set(targetId, settled);
    void settled.then(() => {
      if (this.#turns.get(targetId) === settled) this.#turns.delete(targetId);
    });
    return turn;
  }
}
