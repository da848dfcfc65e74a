import { EventEmitter } from 'node:events';
import { SidescopeError } from '../../protocol/error.ts';
import type { GrowthReading, LeakList, LeakRecord, LeakVerdict } from '../../protocol/rest/leaks.ts';
import type { Vitals, VitalsPoint } from '../../protocol/rest/vitals.ts';
import type { AlertDesk } from '../alerts/condition.ts';
import { RecordTable, type RecordIndex } from '../store/record-table.ts';
import { newId } from '../store/id.ts';
import { LeakJudge, type PoolJudgement } from './leak-judge.ts';
import { leakTitle } from './leak-words.ts';
import { limitUses, type LimitUses } from './nearer-limit.ts';
import { limitsOf, poolSample, sampleOfPoint } from './pools.ts';
import { SuspicionSearch, type SearchService } from './suspicion-search.ts';
import { verdictOf } from './leak-verdict.ts';
import { sitesText } from './sites-text.ts';

const recordsMax = 500;
const defaultWindowMs = 30_000;

export interface LeakDetectorOptions {
  readonly monitor: {
    on(event: 'vitals', listener: (vitals: Vitals) => void): unknown;
    off(event: 'vitals', listener: (vitals: Vitals) => void): unknown;
    /** What an earlier agent saw of the same run of the target. */
    vitals(query: { targetId: string; from: string; step: number }): { readonly points: readonly VitalsPoint[] };
  };
  readonly search: SearchService;
  readonly alerts: AlertDesk;
  readonly index: RecordIndex;
  /** Which limits of a reading can be believed. Default: those that V8 tells of Node 24. */
  readonly usesOf?: ((vitals: Vitals) => LimitUses) | undefined;
  /** What a level is taken of; everything else is in windows. Default 30 s. */
  readonly windowMs?: number | undefined;
  /** How many windows growth must last where no limit is known. Default 120. */
  readonly unlimitedWindows?: number | undefined;
  /** Milliseconds that no step of the wall clock moves. */
  readonly now?: (() => number) | undefined;
  readonly log: {
    info(facts: object, message: string): void;
    warn(facts: object, message: string): void;
    error(facts: object, message: string): void;
  };
}

export interface LeakEvents {
  /** A pool's verdict is another one than before. */
  verdict: [LeakVerdict];
  /** The same leak, and other sites. */
  evidence: [LeakVerdict];
}

interface Watched {
  readonly targetId: string;
  readonly instanceId: string;
  readonly judge: LeakJudge;
  readonly suspicion: SuspicionSearch;
  readonly verdicts: Map<string, LeakVerdict>;
  /** Of pools that are a leak now. */
  readonly records: Map<string, LeakRecord>;
  lastMs: number | null;
}

/**
 * Watches the pools of every target for growth that stays, from its vitals. Costs a target nothing until one is suspected; then allocation sampling runs, and is
 * read per 5 % of growth. Verdicts of leaks are alerts, and are kept.
 */
export class LeakDetector extends EventEmitter<LeakEvents> implements AsyncDisposable {
  readonly #options: LeakDetectorOptions;
  readonly #windowMs: number;
  readonly #now: () => number;
  readonly #table: RecordTable<LeakRecord>;
  readonly #watched = new Map<string, Watched>();
  readonly #onVitals: (vitals: Vitals) => void;
  readonly #onReading: (event: { targetId: string; reading: GrowthReading }) => void;
  readonly #onGap: (gap: { targetId: string; fromMs: number; toMs: number }) => void;
  #isWriteFailing = false;

  constructor(options: LeakDetectorOptions) {
    super();
    this.#options = options;
    this.#windowMs = options.windowMs ?? defaultWindowMs;
    this.#now = options.now ?? (() => performance.timeOrigin + performance.now());
    this.#table = new RecordTable({
      index: options.index,
      kind: 'leak',
      maxRecords: recordsMax,
      atMs: ({ at }) => Date.parse(at),
    });
    this.#onVitals = (vitals) => this.#take(vitals);
    this.#onReading = ({ targetId }) => this.#onSites(targetId);
    this.#onGap = ({ targetId, fromMs, toMs }) =>
      this.#watched.get(targetId)?.suspicion.noteGap({ from: isoOf(fromMs), to: isoOf(toMs) });
    options.monitor.on('vitals', this.#onVitals);
    options.search.on('reading', this.#onReading);
    options.search.on('gap', this.#onGap);
  }

  /** Of one target, or of all. Verdicts are of the present runs, `earlier` of all that were called leaks. Throws `storage-failed`. */
  list(query: {
    targetId?: string | undefined;
    limit?: number | undefined;
    cursor?: string | undefined;
  }): Omit<LeakList, 'investigations'> {
    const { targetId, limit = 50, cursor } = query;
    const watched = [...this.#watched.values()].filter((each) => targetId === undefined || each.targetId === targetId);
    const { records, nextCursor } = this.#table.list({ targetId, limit, cursor });
    return {
      verdicts: watched.flatMap(({ verdicts }) => [...verdicts.values()]),
      searches: watched.map(({ suspicion }) => suspicion.view),
      earlier: records,
      nextCursor,
    };
  }

  /** Something is under way that its suspicion asked for. */
  isSearching(targetId: string): boolean {
    return this.#watched.get(targetId)?.suspicion.isBusy ?? false;
  }

  verdicts(targetId: string): readonly LeakVerdict[] {
    return [...(this.#watched.get(targetId)?.verdicts.values() ?? [])];
  }

  /** To be disposed before the search. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#options.monitor.off('vitals', this.#onVitals);
    this.#options.search.off('reading', this.#onReading);
    this.#options.search.off('gap', this.#onGap);
    await Promise.all([...this.#watched.values()].map(({ suspicion }) => suspicion[Symbol.asyncDispose]()));
  }

  #take(vitals: Vitals): void {
    const nowMs = this.#now();
    const watched = this.#watchedOf(vitals, nowMs);
    const elapsedMs = watched.lastMs === null ? null : nowMs - watched.lastMs;
    watched.lastMs = nowMs;
    const uses = this.#options.usesOf?.(vitals) ?? limitUses(vitals, { nodeVersion: 'v24', oldSpaceMiB: null });
    const sample = { ...poolSample(vitals, elapsedMs), atMs: nowMs, limits: limitsOf(uses) };
    const isForced = watched.suspicion.takeForced();
    const judged = watched.judge.add(sample, { isForced });
    watched.suspicion.follow({ nowMs, sample, isForced, judged, all: watched.judge.judgements });
    for (const judgement of judged) this.#tell(watched, judgement);
  }

  /** A new run of the program starts over; the one before is gone, and its leaks with it. */
  #watchedOf(vitals: Vitals, nowMs: number): Watched {
    const { targetId, instanceId, uptimeMs } = vitals;
    const known = this.#watched.get(targetId);
    if (known?.instanceId === instanceId) return known;
    if (known !== undefined) this.#end(known, 'the target was restarted');
    const startedAtMs = nowMs - (uptimeMs ?? 0);
    const judge = new LeakJudge({
      windowMs: this.#windowMs,
      startedAtMs,
      unlimitedWindows: this.#options.unlimitedWindows,
    });
    const watched: Watched = {
      targetId,
      instanceId,
      judge,
      suspicion: new SuspicionSearch({
        targetId,
        search: this.#options.search,
        windowMs: this.#windowMs,
        log: this.#options.log,
      }),
      verdicts: new Map(),
      records: new Map(),
      lastMs: null,
    };
    this.#watched.set(targetId, watched);
    this.#recall(watched, { startedAtMs, nowMs });
    return watched;
  }

  /** What an earlier agent saw counts as well, as readings that no collection was seen before. */
  #recall({ targetId, judge }: Watched, { startedAtMs, nowMs }: { startedAtMs: number; nowMs: number }): void {
    const fromMs = Math.max(startedAtMs, nowMs - 2 * 3_600_000);
    if (nowMs - fromMs < this.#windowMs) return;
    try {
      const from = new Date(fromMs).toISOString();
      const { points } = this.#options.monitor.vitals({ targetId, from, step: 5_000 });
      // The last one is the reading that we are at.
      for (const point of points.slice(0, -1)) judge.add(sampleOfPoint(point));
    } catch (error) {
      // Without a history the watch begins now.
      if (!(error instanceof SidescopeError)) throw error;
      this.#options.log.warn(
        { target: targetId, code: error.code },
        `leaks are looked for from now on: ${error.message}`,
      );
    }
  }

  #tell(watched: Watched, judgement: PoolJudgement): void {
    const { targetId, instanceId, suspicion, verdicts } = watched;
    const { pool } = judgement;
    const before = verdicts.get(pool);
    const verdict = verdictOf(judgement, {
      targetId,
      instanceId,
      // Wall time, from what no step of the clock moves.
      nowMs: this.#now(),
      ...suspicion.evidence(pool),
    });
    verdicts.set(pool, verdict);
    if (before?.verdict !== verdict.verdict && (before !== undefined || verdict.verdict !== 'settled')) {
      const isNews = verdict.verdict === 'leak' || before?.verdict === 'leak';
      if (isNews) this.#options.log.warn({ target: targetId, pool, verdict: verdict.verdict }, newsOf(verdict));
      this.emit('verdict', verdict);
    } else if (verdict.verdict === 'leak' && before?.sites[0]?.grownBytes !== verdict.sites[0]?.grownBytes)
      this.emit('evidence', verdict);
    if (verdict.verdict === 'leak') this.#report(watched, verdict);
    else if (before?.verdict === 'leak') this.#settle(watched, verdict);
  }

  /** New sites are told at once, not at the end of the window. */
  #onSites(targetId: string): void {
    const watched = this.#watched.get(targetId);
    if (watched === undefined) return;
    for (const judgement of watched.judge.judgements) if (judgement.state !== 'settled') this.#tell(watched, judgement);
  }

  #report(watched: Watched, verdict: LeakVerdict): void {
    const { targetId, pool, at, instanceId, slopeMbPerHour, levelBytes, grownBytes, limit, sites } = verdict;
    const known = watched.records.get(pool);
    const isNew = known === undefined || sites[0]?.grownBytes !== known.sites[0]?.grownBytes;
    const record: LeakRecord = { ...verdict, id: known?.id ?? newId(), foundAt: known?.foundAt ?? at, endedAt: null };
    watched.records.set(pool, record);
    if (isNew) this.#save(record);
    this.#options.alerts.raise({
      problem: 'memory-leak',
      targetId,
      key: pool,
      severity: isSoon(verdict) ? 'critical' : 'warning',
      title: leakTitle(verdict),
      text: `${verdict.reason}. ${verdict.nextStep}`,
      facts: {
        pool,
        instanceId,
        slopeMbPerHour,
        levelBytes,
        grownBytes,
        confidence: verdict.confidence,
        limit: limit?.kind ?? null,
        limitReachedAt: limit?.reachedAt ?? null,
        function: (sites[0]?.original ?? sites[0])?.functionName ?? null,
        url: (sites[0]?.original ?? sites[0])?.url ?? null,
        line: (sites[0]?.original ?? sites[0])?.line ?? null,
      },
      evidence: sites.length === 0 ? [] : [{ name: 'sites.txt', mediaType: 'text/plain', text: sitesText({ sites }) }],
    });
  }

  #settle(watched: Watched, verdict: LeakVerdict): void {
    const { targetId, pool } = verdict;
    this.#options.alerts.settle({ problem: 'memory-leak', targetId, key: pool }, verdict.reason);
    this.#close(watched, pool, verdict.at);
  }

  #end(watched: Watched, why: string): void {
    void watched.suspicion[Symbol.asyncDispose]();
    for (const pool of [...watched.records.keys()]) {
      this.#options.alerts.settle({ problem: 'memory-leak', targetId: watched.targetId, key: pool }, why);
      this.#close(watched, pool, isoOf(this.#now()));
    }
  }

  #close(watched: Watched, pool: string, endedAt: string): void {
    const record = watched.records.get(pool);
    if (record === undefined) return;
    watched.records.delete(pool);
    this.#save({ ...record, endedAt });
  }

  /** A full disk must not end the watch; it is told once, and again when it was better in between. */
  #save(record: LeakRecord): void {
    try {
      this.#table.save(record);
      this.#isWriteFailing = false;
    } catch (error) {
      if (!(error instanceof SidescopeError)) throw error;
      if (!this.#isWriteFailing)
        this.#options.log.error({ code: error.code }, `a leak could not be recorded: ${error.message}`);
      this.#isWriteFailing = true;
    }
  }
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}

function newsOf(verdict: LeakVerdict): string {
  return verdict.verdict === 'leak' ? `memory leak: ${leakTitle(verdict)}` : `memory leak over: ${verdict.reason}`;
}

function isSoon({ limit, at }: LeakVerdict): boolean {
  return limit !== null && limit.reachedAt !== null && Date.parse(limit.reachedAt) - Date.parse(at) < 3_600_000;
}
