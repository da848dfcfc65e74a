import os from 'node:os';
import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import type { Feature } from '../../protocol/rest/info.ts';
import type { HeapGrowth } from '../../protocol/rest/leak-snapshots.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import { RecordTable, type RecordIndex } from '../store/record-table.ts';
import type { ProfileStore } from '../store/store.ts';
import type { Captures } from './captures.ts';
import { containerMemoryBytes } from './container-memory.ts';
import { analyseInProcess, type AnalysisFile, type AnalysisResult } from './heap-analysis-process.ts';
import { heapGrowthOf } from './heap-growth.ts';
import type { OperationRecord } from './operation-record.ts';
import { WorkTally } from './work-tally.ts';

export interface HeapAnalysesOptions {
  readonly isOn: boolean;
  readonly store: ProfileStore | undefined;
  readonly captures: Pick<Captures, 'startStored'>;
  readonly index: RecordIndex;
  /** What the container has beside the agent itself. Default: its limit, or the machine's free memory, less the agent's RSS. */
  readonly freeBytes?: (() => number) | undefined;
}

export interface AnalysedSnapshot extends Omit<AnalysisResult, 'diff'> {
  readonly id: string;
  readonly targetId: string;
  readonly analysedAt: string;
}

interface ComparedSnapshots {
  /** `BEFORE-AFTER`, or `BEFORE-MIDDLE-AFTER`. */
  readonly id: string;
  readonly targetId: string;
  readonly analysedAt: string;
  readonly diff: NonNullable<AnalysisResult['diff']>;
}

interface RecordedGrowth {
  /** As that of the comparison. */
  readonly id: string;
  readonly targetId: string;
  readonly instanceId: string;
  readonly analysedAt: string;
  readonly growth: HeapGrowth;
}

/** Some 200 kB each. */
const recordsMax = 50;
const alternative = 'open it in the page (Memory), or download it and run `sidescope heap summary FILE`';

/**
 * Heap snapshots analysed in the agent's container, for those who gave it the memory: one at a time, in a process of its own. What it found is kept in the
 * index and goes with it.
 */
export class HeapAnalyses {
  readonly #options: HeapAnalysesOptions;
  readonly #analysed: RecordTable<AnalysedSnapshot>;
  readonly #compared: RecordTable<ComparedSnapshots>;
  /** Beside the comparisons, which are too large to be read for each list of leaks. */
  readonly #growths: RecordTable<RecordedGrowth>;
  readonly tally = new WorkTally();
  #isRunning = false;

  constructor(options: HeapAnalysesOptions) {
    this.#options = options;
    const { index } = options;
    const atMs = ({ analysedAt }: { analysedAt: string }): number => Date.parse(analysedAt);
    this.#analysed = new RecordTable<AnalysedSnapshot>({ index, kind: 'heap-analysis', maxRecords: recordsMax, atMs });
    this.#compared = new RecordTable<ComparedSnapshots>({ index, kind: 'heap-diff', maxRecords: recordsMax, atMs });
    this.#growths = new RecordTable<RecordedGrowth>({ index, kind: 'heap-growth', maxRecords: recordsMax, atMs });
    this.#forgetWithProfiles(options.store);
  }

  get isOn(): boolean {
    return this.#options.isOn;
  }

  feature(): Feature {
    if (this.#options.isOn) return { name: 'heap-analysis', state: 'on', reason: null, remedy: null };
    return {
      name: 'heap-analysis',
      state: 'off',
      reason: 'heap snapshots are analysed in the page',
      remedy: 'Set --heap-analysis where the container has the memory: about 2 bytes for each of the snapshot.',
    };
  }

  /**
   * `against`: one or two earlier snapshots. Throws `heap-analysis-off`, `heap-analysis-refused` with the numbers, `too-many-analyses`, `unknown-profile`, `unsupported-format`. What goes wrong later is
   * the operation's.
   */
  start(request: { profileId: string; against?: readonly string[] | undefined; startedBy: string }): Operation {
    try {
      return this.#start(request);
    } catch (error) {
      this.tally.countFailure(error);
      throw error;
    }
  }

  #start(request: { profileId: string; against?: readonly string[] | undefined; startedBy: string }): Operation {
    const { isOn, captures } = this.#options;
    if (!isOn) throw new SidescopeError('heap-analysis-off', `--heap-analysis is off: ${alternative}`);
    const sorted = this.#earliestFirst([request.profileId, ...(request.against ?? [])]);
    for (const profile of sorted) refuseOthers(profile);
    const limitBytes = this.#admit(sorted);
    if (this.#isRunning) throw new SidescopeError('too-many-analyses', 'a heap snapshot is being analysed already');
    const last = sorted.at(-1)!;
    this.#isRunning = true;
    const startMs = performance.now();
    try {
      return captures.startStored({
        kind: 'heap-analysis',
        targetId: last.targetId,
        thread: last.thread.id,
        startedBy: request.startedBy,
        run: async (record, signal) => {
          try {
            await this.#run(record, { profiles: sorted, limitBytes, signal });
            this.tally.count('ok', startMs);
            return { state: 'succeeded' };
          } catch (error) {
            if (signal.aborted) this.tally.count('aborted', startMs);
            else this.tally.countFailure(error, startMs);
            throw error;
          } finally {
            this.#isRunning = false;
          }
        },
      });
    } catch (error) {
      this.#isRunning = false;
      throw error;
    }
  }

  /** Throws `not-analysed`, `unknown-profile`, `unsupported-format`. */
  analysed(profileId: string): AnalysedSnapshot {
    refuseOthers(this.#store().get(profileId));
    const [found] = this.#analysed.list({ fields: { id: profileId }, limit: 1 }).records;
    if (found === undefined) throw this.#notAnalysed(profileId, '');
    return found;
  }

  /** Of two or three, from the earliest to the latest, whichever way they are asked for. Throws `not-analysed`. */
  compared(profileIds: readonly string[]): {
    before: string;
    middle: string | null;
    after: string;
    diff: ComparedSnapshots['diff'];
  } {
    const profiles = this.#earliestFirst(profileIds);
    const [found] = this.#compared.list({ fields: { id: joinedId(profiles) }, limit: 1 }).records;
    const [before, middle] = profiles.map(({ id }) => id);
    const after = profiles.at(-1)!.id;
    if (before === undefined || found === undefined) {
      const third = profiles.length > 2 ? `&third=${middle}` : '';
      throw this.#notAnalysed(after, `?against=${before}${third}`);
    }
    return { before, middle: profiles.length > 2 ? (middle ?? null) : null, after, diff: found.diff };
  }

  /** Of comparisons within one run of the target's main thread, the newest first. Throws `storage-failed`. */
  growths({ targetId, instanceId }: { targetId: string; instanceId: string }): HeapGrowth[] {
    return this.#growths.list({ targetId, fields: { instanceId } }).records.map(({ growth }) => growth);
  }

  /** Each once. Throws `unknown-profile`. */
  #earliestFirst(ids: readonly string[]): Profile[] {
    const store = this.#store();
    return [...new Set(ids)]
      .map((id) => store.get(id))
      .toSorted((a, b) => Date.parse(a.startedAt) - Date.parse(b.startedAt));
  }

  /** What was found in a snapshot goes with it; also when it went while no agent ran, or before this one listened. */
  #forgetWithProfiles(store: ProfileStore | undefined): void {
    if (store === undefined) return;
    const forget = (isGone: (profileId: string) => boolean): void => {
      try {
        for (const table of [this.#analysed, this.#compared, this.#growths])
          table.remove((id) => id.split('-').some(isGone));
      } catch {
        // The index cannot be written or is closed: the next start forgets them. Nobody who deletes a profile must fail by it.
      }
    };
    store.on('deleted', (deleted) => forget((id) => id === deleted));
    forget((id) => !isStored(store, id));
  }

  #store(): ProfileStore {
    const { store } = this.#options;
    if (store === undefined) throw new SidescopeError('data-directory-unusable', 'there is no storage');
    return store;
  }

  #notAnalysed(id: string, query: string): SidescopeError {
    const what = this.#options.isOn ? `POST /profiles/${id}/analyse${query}` : alternative;
    return new SidescopeError('not-analysed', `the agent has not analysed it: ${what}`);
  }

  /** The memory that it may take; throws when what it needs is more. */
  #admit(profiles: readonly Profile[]): number {
    const freeBytes = Math.floor((this.#options.freeBytes ?? freeMemoryBytes)() * usableShare);
    const neededBytes = predictBytes(profiles);
    if (neededBytes <= freeBytes) return freeBytes;
    throw new SidescopeError(
      'heap-analysis-refused',
      `analysing it takes about ${neededBytes} bytes of memory, the container has ${Math.max(0, freeBytes)} for it: ${alternative}`,
      { details: { neededBytes, freeBytes } },
    );
  }

  async #run(
    record: OperationRecord,
    { profiles, limitBytes, signal }: { profiles: readonly Profile[]; limitBytes: number; signal: AbortSignal },
  ): Promise<void> {
    const store = this.#store();
    await using leases = new AsyncDisposableStack();
    const files: AnalysisFile[] = [];
    for (const { id, sizeBytes } of profiles) {
      const reader = leases.use(await store.open(id));
      files.push({ path: reader.path, sizeBytes });
    }
    const last = profiles.at(-1)!;
    const { diff, ...found } = await analyseInProcess(
      { snapshot: files.at(-1)!, against: files.slice(0, -1), memoryLimitBytes: limitBytes },
      { onProgress: (progress) => record.progress(progress), signal },
    );
    const analysedAt = new Date().toISOString();
    this.#analysed.save({ id: last.id, targetId: last.targetId, analysedAt, ...found });
    const first = profiles[0]!;
    if (diff !== undefined && first !== last) {
      const about = { id: joinedId(profiles), targetId: last.targetId, analysedAt };
      this.#compared.save({ ...about, diff });
      const { instanceId } = last.target;
      const isOneRun = profiles.every(({ target, thread }) => target.instanceId === instanceId && thread.id === 'main');
      if (isOneRun)
        this.#growths.save({ ...about, instanceId, growth: heapGrowthOf(diff, { before: first, after: last }) });
    }
  }
}

const joinedId = (profiles: readonly Profile[]): string => profiles.map(({ id }) => id).join('-');

function isStored(store: ProfileStore, id: string): boolean {
  try {
    store.get(id);
    return true;
  } catch (error) {
    if (isSidescopeError(error, 'unknown-profile')) return false;
    throw error;
  }
}

function refuseOthers({ id, kind }: Profile): void {
  if (kind === 'heap-snapshot') return;
  throw new SidescopeError('unsupported-format', `${id} is of the kind ${kind}, not a heap snapshot`);
}

/** The rest is the target's page cache, and what the agent itself does meanwhile. */
const usableShare = 0.9;
/** Node and the analyser, with the garbage of reading. */
const baseBytes = 115 * 2 ** 20;
const nodeBytes = 54;
const edgeBytes = 13;
/** Of the earlier ones, whose graph is dropped. */
const baseNodeBytes = 20;
/** Where the counts are not known: V8 writes about 70 bytes per node and 3 edges for each. */
const fileBytesPerNode = 60;

/** An upper bound, by a tenth to a sixth: files of 67, 199 and 907 MB (0.7, 3.2 and 14 M nodes) took 171, 325 and 1,131 MiB, and this says 188, 380 and 1,280. */
export function predictBytes(profiles: readonly Pick<Profile, 'sizeBytes' | 'snapshot'>[]): number {
  let keptBytes = 0;
  let mostBytes = 0;
  for (const { sizeBytes, snapshot } of profiles) {
    const nodes = snapshot?.nodes ?? sizeBytes / fileBytesPerNode;
    const edges = snapshot?.edges ?? nodes * 4;
    mostBytes = Math.max(mostBytes, keptBytes + nodes * nodeBytes + edges * edgeBytes);
    keptBytes += nodes * baseNodeBytes;
  }
  return Math.ceil(baseBytes + mostBytes);
}

function freeMemoryBytes(): number {
  return Math.min(containerMemoryBytes() - process.memoryUsage.rss(), os.freemem());
}
