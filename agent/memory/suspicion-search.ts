import { SidescopeError } from '../../protocol/error.ts';
import type { GrowthReading, GrowthSite, LeakPool, LeakSearch } from '../../protocol/rest/leaks.ts';
import type { PoolJudgement } from './leak-judge.ts';
import type { PoolSample } from './pools.ts';
import type { SamplingSearch } from './sampling-search.ts';

export type SearchService = Pick<SamplingSearch, 'begin' | 'read' | 'latest' | 'end' | 'on' | 'off'>;

/** A reading per so much growth. */
const readPerGrowth = 1.05;
/** Without suspicion for so many windows the search is over. */
const quietWindows = 20;
/** After a search that found nothing the next one waits so long; doubled each time. */
const restWindows = { first: 20, most: 960 };

const gapsKept = 20;

export interface Followed {
  readonly nowMs: number;
  readonly sample: PoolSample;
  readonly isForced: boolean;
  /** Those made anew now. */
  readonly judged: readonly PoolJudgement[];
  readonly all: readonly PoolJudgement[];
}

/**
 * The sampling that a suspicion starts in one run of a target: begins, reads once to have a level without garbage, then per 5 % of growth, and ends when nothing
 * is suspected any more. Decides on vitals, never on a clock.
 */
export class SuspicionSearch implements AsyncDisposable {
  readonly #targetId: string;
  readonly #search: SearchService;
  readonly #windowMs: number;
  readonly #log: { warn(facts: object, message: string): void };
  readonly #stopped = new AbortController();
  #state: 'off' | 'on' = 'off';
  #sinceMs = 0;
  #quietSinceMs: number | undefined;
  #restUntilMs = 0;
  #restWindows = restWindows.first;
  #readings = 0;
  #costMs = 0;
  /** Level of heap and external memory at the last reading. */
  #levelAtRead = Infinity;
  #floors: number[] = [];
  #isForced = false;
  #unavailable: string | null = null;
  #gaps: LeakSearch['gaps'] = [];
  #busy: Promise<void> | undefined;

  constructor(options: {
    targetId: string;
    search: SearchService;
    windowMs: number;
    log: { warn(facts: object, message: string): void };
  }) {
    this.#targetId = options.targetId;
    this.#search = options.search;
    this.#windowMs = options.windowMs;
    this.#log = options.log;
  }

  get view(): LeakSearch {
    return {
      targetId: this.#targetId,
      isSampling: this.#state === 'on',
      since: this.#state === 'on' ? new Date(this.#sinceMs).toISOString() : null,
      readings: this.#readings,
      costMs: Math.round(this.#costMs),
      gaps: this.#gaps,
      unavailable: this.#unavailable,
      latest: this.#search.latest(this.#targetId) ?? null,
    };
  }

  /** A capture had the sampler. */
  noteGap(gap: LeakSearch['gaps'][number]): void {
    this.#gaps = [...this.#gaps, gap].slice(-gapsKept);
  }

  get isBusy(): boolean {
    return this.#busy !== undefined;
  }

  /** Whether a collection of ours came before this reading of the vitals. */
  takeForced(): boolean {
    const isForced = this.#isForced;
    this.#isForced = false;
    return isForced;
  }

  evidence(pool: LeakPool): { sites: readonly GrowthSite[]; unavailable: string | null } {
    const reading = pool === 'native' || this.#state === 'off' ? undefined : this.#search.latest(this.#targetId);
    return { sites: reading?.sites ?? [], unavailable: this.#unavailable };
  }

  follow({ nowMs, sample, isForced, judged, all }: Followed): void {
    const level = levelOf(sample);
    if (isForced && level !== undefined) this.#floors.push(level);
    if (judged.length === 0 || this.#busy !== undefined || level === undefined) return;
    const isSuspected = all.some(({ pool, state }) => pool !== 'native' && state !== 'settled');
    if (this.#state === 'off') {
      if (isSuspected && nowMs >= this.#restUntilMs) this.#run(() => this.#begin({ nowMs, level }));
      return;
    }
    if (isSuspected) this.#quietSinceMs = undefined;
    else this.#quietSinceMs ??= nowMs;
    const isOver = this.#quietSinceMs !== undefined && nowMs - this.#quietSinceMs > quietWindows * this.#windowMs;
    if (isOver || this.#isOnlyGarbage()) {
      this.#run(() => this.#end(nowMs));
      return;
    }
    if (level >= this.#levelAtRead * readPerGrowth) this.#run(() => this.#read(level));
  }

  /** Stops what is under way; the sampling itself ends with the search that it belongs to. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort(new SidescopeError('shutting-down', 'the search for leaks ends'));
    await this.#busy;
    if (this.#state === 'on') await this.#search.end(this.#targetId, 'suspicion');
  }

  /** Twice the memory was back where it was before, after a collection. */
  #isOnlyGarbage(): boolean {
    const [first, second, third] = this.#floors.slice(-3);
    if (first === undefined || second === undefined || third === undefined) return false;
    return second < first * 1.01 && third < first * 1.01;
  }

  #run(work: () => Promise<void>): void {
    this.#busy = work()
      .catch((error: unknown) => {
        // Given up because we stop, or the target is gone: the vitals end as well.
        if (error instanceof SidescopeError) return;
        this.#log.warn({ err: error, target: this.#targetId }, 'the search for leaks failed by a fault of ours');
      })
      .finally(() => (this.#busy = undefined));
  }

  async #begin({ nowMs, level }: { nowMs: number; level: number }): Promise<void> {
    try {
      await this.#search.begin(this.#targetId, 'suspicion');
    } catch (error) {
      if (!(error instanceof SidescopeError)) throw error;
      this.#unavailable = error.message;
      this.#rest(nowMs);
      return;
    }
    this.#state = 'on';
    this.#unavailable = null;
    this.#sinceMs = nowMs;
    this.#quietSinceMs = undefined;
    this.#floors = [];
    await this.#read(level);
  }

  async #read(level: number): Promise<void> {
    const reading: GrowthReading | undefined = await this.#search.read(
      this.#targetId,
      'suspicion',
      this.#stopped.signal,
    );
    // A person's capture has the sampler, or the budget is spent: tried again with the next window.
    if (reading === undefined) return;
    this.#levelAtRead = level;
    this.#readings++;
    this.#costMs += reading.costMs ?? 0;
    this.#isForced = true;
  }

  async #end(nowMs: number): Promise<void> {
    this.#state = 'off';
    this.#levelAtRead = Infinity;
    this.#rest(nowMs);
    await this.#search.end(this.#targetId, 'suspicion');
  }

  #rest(nowMs: number): void {
    this.#restUntilMs = nowMs + this.#restWindows * this.#windowMs;
    this.#restWindows = Math.min(restWindows.most, this.#restWindows * 2);
  }
}

function levelOf({ bytes }: PoolSample): number | undefined {
  return bytes.heap === null ? undefined : bytes.heap + (bytes.external ?? 0);
}
