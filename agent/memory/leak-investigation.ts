import { setTimeout as delay } from 'node:timers/promises';
import { SidescopeError } from '../../protocol/error.ts';
import type { HeapEvidence } from '../../protocol/rest/leak-snapshots.ts';
import { leakPools } from '../../protocol/rest/leaks.ts';
import type { GrowthOutcome, GrowthReading, LeakInvestigation, LeakPool } from '../../protocol/rest/leaks.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import type { MemoryReading } from '../../protocol/rest/vitals.ts';
import type { Captures } from '../capture/captures.ts';
import type { CaptureJob } from '../capture/capture-job.ts';
import type { OperationEnding } from '../capture/operation-record.ts';
import { RecordTable, type RecordIndex } from '../store/record-table.ts';
import { placeText } from './leak-words.ts';
import type { LeakSnapshots } from './leak-snapshots.ts';
import type { SearchService } from './suspicion-search.ts';

/** Less than this may be anything. */
const leastGrowthBytes = 2 * 2 ** 20;
const recordsMax = 100;

export interface LeakInvestigationsOptions {
  readonly captures: Pick<Captures, 'startLeakSearch'>;
  readonly search: SearchService;
  readonly monitor: { memoryStats(query: { targetId: string }): Promise<MemoryReading> };
  readonly snapshots: LeakSnapshots;
  readonly index: RecordIndex;
}

export interface InvestigationRequest {
  readonly targetId?: string | undefined;
  readonly loadMs: number;
  /** 0: the reading under load is the last. */
  readonly settleMs: number;
  readonly startedBy: string;
  /** Whether heap snapshots may be compared for it. */
  readonly mayReadHeap: boolean;
}

interface Stage {
  readonly reading: GrowthReading;
  readonly bytes: Readonly<Record<LeakPool, number | null>>;
}

/**
 * The guided search: a reading, a time under load, a reading, a time to settle, a reading. The readings force the collections, so nothing that waits for one is
 * taken for a leak. It costs the target three full collections.
 */
export class LeakInvestigations {
  readonly #options: LeakInvestigationsOptions;
  readonly #table: RecordTable<LeakInvestigation>;

  constructor(options: LeakInvestigationsOptions) {
    this.#options = options;
    this.#table = new RecordTable({
      index: options.index,
      kind: 'leak-investigation',
      maxRecords: recordsMax,
      atMs: ({ startedAt }) => Date.parse(startedAt),
    });
  }

  /** `target-required`, `unknown-target`, `target-not-attached`, `capture-conflict`, `storage-failed`. What goes wrong later is the operation's. */
  async start(request: InvestigationRequest): Promise<Operation> {
    const { targetId, loadMs, settleMs, startedBy, mayReadHeap } = request;
    return this.#options.captures.startLeakSearch({
      request: { targetId, startedBy },
      parameters: { durationMs: loadMs, settleMs },
      run: async (job) => {
        const found = await this.#search(job, { loadMs, settleMs });
        this.#table.save(found);
        if (mayReadHeap) this.#table.save({ ...found, heap: await this.#compare(job, { found, startedBy }) });
        job.abandon.throwIfAborted();
        return endingOf(job);
      },
    });
  }

  /** Newest first. Throws `storage-failed`. */
  list(query: { targetId?: string | undefined; limit: number }): LeakInvestigation[] {
    return this.#table.list(query).records;
  }

  async #search(job: CaptureJob, times: { loadMs: number; settleMs: number }): Promise<LeakInvestigation> {
    const { search } = this.#options;
    const targetId = job.watcher.id;
    const gone = job.watcher.attachment.ended;
    await search.begin(targetId, 'investigation');
    try {
      const startedAt = new Date().toISOString();
      const baseline = await this.#stage(job, 'reading what is there');
      await this.#pass(job, { phase: 'put load on the program now', ms: times.loadMs, gone });
      const busy = await this.#stage(job, 'reading what is there under load');
      let settled = busy;
      if (times.settleMs > 0 && !job.endEarly.aborted) {
        await this.#pass(job, { phase: 'take the load off: the program settles', ms: times.settleMs, gone });
        settled = await this.#stage(job, 'reading what is still there');
      }
      const readings = [...new Set([baseline, busy, settled])].map(({ reading }) => reading);
      const pools = leakPools.map((pool) => outcomeOf(pool, { baseline, busy, settled }));
      const { sites } = settled.reading;
      return {
        id: job.record.id,
        targetId,
        instanceId: job.watcher.attachedIdentity.instanceId,
        startedAt,
        endedAt: new Date().toISOString(),
        ...times,
        pools,
        sites: [...sites],
        readings: readings.length,
        costMs: readings.reduce((sum, { costMs }) => sum + (costMs ?? 0), 0),
        nextStep: nextStepOf(pools, sites),
      };
    } finally {
      await search.end(targetId, 'investigation');
    }
  }

  async #compare(
    job: CaptureJob,
    { found, startedBy }: { found: LeakInvestigation; startedBy: string },
  ): Promise<HeapEvidence> {
    job.record.progress({ phase: 'comparing heap snapshots', fraction: null, bytes: 0 });
    return this.#options.snapshots.compare(found, {
      startedBy,
      signal: AbortSignal.any([job.endEarly, job.abandon]),
    });
  }

  async #stage(job: CaptureJob, phase: string): Promise<Stage> {
    const targetId = job.watcher.id;
    job.record.progress({ phase, fraction: null, bytes: 0 });
    const signal = AbortSignal.any([job.abandon, job.watcher.attachment.ended]);
    const reading = await this.#options.search.read(targetId, 'investigation', signal);
    if (reading === undefined)
      throw new SidescopeError(
        'capture-conflict',
        `the heap sampler of ${targetId} could not be read: a heap sampling capture has it, or somebody ended it`,
      );
    const { heapUsedBytes, heapTotalBytes, externalBytes, rssBytes } = await this.#memoryOf(targetId, signal);
    const known = heapTotalBytes === null || externalBytes === null ? null : heapTotalBytes + externalBytes;
    return {
      reading,
      bytes: {
        heap: heapUsedBytes,
        external: externalBytes,
        native: rssBytes === null || known === null ? null : Math.max(0, rssBytes - known),
      },
    };
  }

  /** A reading of the vitals may be under way, and the target is asked one thing at a time. */
  async #memoryOf(targetId: string, signal: AbortSignal): Promise<MemoryReading> {
    for (let attempt = 1; ; attempt++) {
      const memory = await this.#options.monitor.memoryStats({ targetId });
      if (memory.heapUsedBytes !== null || attempt === 10) return memory;
      await delay(100, undefined, { signal });
    }
  }

  /** Until the time is over, or the operation is ended early. Rejects when the target is gone. */
  async #pass(job: CaptureJob, { phase, ms, gone }: { phase: string; ms: number; gone: AbortSignal }): Promise<void> {
    const startMs = performance.now();
    const show = (): void =>
      job.record.progress({ phase, fraction: Math.min(1, (performance.now() - startMs) / ms), bytes: 0 });
    show();
    const timer = setInterval(show, 1_000);
    try {
      await delay(ms, undefined, { signal: AbortSignal.any([job.endEarly, job.abandon, gone]) });
    } catch {
      // The only rejection is a signal's: an early end is none.
      gone.throwIfAborted();
      job.abandon.throwIfAborted();
    } finally {
      clearInterval(timer);
    }
  }
}

function endingOf({ endEarly }: CaptureJob): OperationEnding {
  if (endEarly.reason === undefined) return { state: 'succeeded' };
  const why = `ended early (${String(endEarly.reason)}); what was seen until then is kept`;
  const isCancelled = endEarly.reason === 'cancelled';
  return {
    state: isCancelled ? 'cancelled' : 'partial',
    error: new SidescopeError(isCancelled ? 'capture-abandoned' : 'capture-interrupted', why),
  };
}

function outcomeOf(
  pool: LeakPool,
  stages: { baseline: Stage; busy: Stage; settled: Stage },
): LeakInvestigation['pools'][number] {
  const [baselineBytes, busyBytes, settledBytes] = [stages.baseline, stages.busy, stages.settled].map(
    ({ bytes }) => bytes[pool],
  ) as [number | null, number | null, number | null];
  const grown = Math.max(busyBytes ?? 0, settledBytes ?? 0) - (baselineBytes ?? 0);
  const heldShare =
    baselineBytes === null || settledBytes === null || grown < leastGrowthBytes
      ? null
      : Math.max(0, (settledBytes - baselineBytes) / grown);
  const outcome: GrowthOutcome =
    heldShare === null ? 'no-growth' : heldShare <= 0.1 ? 'drained' : heldShare <= 0.5 ? 'mostly-drained' : 'held';
  return { pool, baselineBytes, busyBytes, settledBytes, heldShare, outcome };
}

function nextStepOf(pools: LeakInvestigation['pools'], sites: LeakInvestigation['sites']): string {
  const held = pools.filter(({ outcome }) => outcome === 'held').map(({ pool }) => pool);
  const [top] = sites;
  if (held.length === 0)
    return 'Nothing was held: what grew under load was given back, or nothing grew. Try a longer load.';
  if (held.includes('heap') && top !== undefined)
    return `Held: look at what keeps the objects that ${placeText(top.original ?? top)} allocates. A bounded cache is held too: run it again, and see whether it grows again.`;
  if (held.includes('external'))
    return 'Held outside the JavaScript heap: look at who keeps Buffers or ArrayBuffers; their owners are among the sites.';
  return 'Held where V8 does not see it: try MALLOC_ARENA_MAX=2, and run it again to see whether it grows again.';
}
