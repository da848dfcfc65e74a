import { EventEmitter } from 'node:events';
import fs from 'node:fs';
import fsp from 'node:fs/promises';
import type { DatabaseSync } from 'node:sqlite';
import { SidescopeError } from '../../protocol/error.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import type { DiskUsage, Profile, ProfilePatch } from '../../protocol/rest/profile.ts';
import { downloadName, kindFacts } from './artifact.ts';
import type { ArtifactReader, ArtifactWriter, ProfileDraft, ProfileOutcome } from './artifact.ts';
import { FileArtifactReader } from './artifact-reader.ts';
import { FileArtifactWriter } from './artifact-writer.ts';
import type { WrittenFile } from './artifact-writer.ts';
import { openDataDirectory } from './data-directory.ts';
import type { DataDirectory } from './data-directory.ts';
import { DiskSpace } from './disk-space.ts';
import { isId, newId } from './id.ts';
import { openIndex } from './index-database.ts';
import type { StoreLog } from './log.ts';
import { writeMetadata } from './metadata-file.ts';
import { OperationTable } from './operation-table.ts';
import { ProfileIndex } from './profile-index.ts';
import type { ProfileFilter, ProfilePage, ProfileQuery, StoredArtifact } from './profile-index.ts';
import { reconcile } from './reconcile.ts';
import { evictByLimits, evictForRoom } from './retention.ts';
import type { EvictionReason } from './retention.ts';
import { SnapshotHistory } from './snapshot-history.ts';
import type { ProgramKey, SnapshotRecord } from './snapshot-history.ts';
import { reasonOf, storageError, systemCode } from './storage-error.ts';

export type { ArtifactReader, ArtifactWriter, ProfileDraft, ProfileOutcome } from './artifact.ts';

/** Real heap snapshots shrink to 0.19-0.26 of their size at gzip level 1; the rest is safety. */
const compressedShare = 1 / 3;
/** Metadata file, index row and its way through the WAL. */
const overheadBytes = 16 * 1024;
const retentionIntervalMs = 60_000;

export interface StoreOptions {
  readonly directory: string;
  /** The directory is not the one that was asked for and goes with the agent; the store only tells. */
  readonly temporary?: boolean;
  /** Bound of everything under the directory. */
  readonly budgetBytes: number;
  /** 0: no limit. */
  readonly retentionCount: number;
  /** 0: no limit. */
  readonly retentionAgeMs: number;
  readonly log: StoreLog;
  /** Wall clock in ms, for ages. */
  readonly now?: () => number;
}

export interface StoreStats {
  evictedByBudget: number;
  evictedByCount: number;
  evictedByAge: number;
  orphansRemoved: number;
  reindexed: number;
  rowsRemoved: number;
  /** Artifact bytes that went to disk, compressed where they are. */
  bytesWritten: number;
}

/**
 * The artifacts and their index. One store per directory, in all processes of the machine. Methods that touch the index
 * are synchronous (a query is well under a millisecond); after disposal every method fails with `shutting-down`.
 */
export class ProfileStore extends EventEmitter<{
  profile: [Profile];
  deleted: [string];
  storage: [DiskUsage];
}> {
  readonly #options: StoreOptions;
  readonly #directory: DataDirectory;
  readonly #database: DatabaseSync;
  readonly #index: ProfileIndex;
  readonly #operations: OperationTable;
  readonly #history: SnapshotHistory;
  readonly #space: DiskSpace;
  readonly #stats: StoreStats;
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;
  readonly #writers = new Map<string, ArtifactWriter | undefined>();
  readonly #readers = new Map<string, number>();
  readonly #leaving = new Set<string>();
  /** Making room and promising it are one step: two captures must not be promised the same bytes. */
  #turn: Promise<unknown> = Promise.resolve();
  #disposal: Promise<void> | undefined;

  /**
   * Locks the directory, migrates or rebuilds the index, reconciles it with the files and applies retention. Rejects with
   * `data-directory-unusable` or `data-directory-locked`; whether to fall back is the caller's to decide.
   */
  static async open(options: StoreOptions): Promise<ProfileStore> {
    const directory = await openDataDirectory(options.directory, options.log);
    let database: DatabaseSync | undefined;
    try {
      await emptyAside(directory);
      database = openIndex(directory.indexPath, { asideDirectory: directory.aside, log: options.log });
      const index = new ProfileIndex(database);
      const reconciled = await reconcile({ directory, index, log: options.log });
      const space = await measure({ directory, index, budgetBytes: options.budgetBytes });
      const store = new ProfileStore(options, { directory, database, index, space });
      Object.assign(store.#stats, reconciled);
      const interrupted = store.#operations.failInterrupted(store.#now());
      if (interrupted > 0) options.log.warn({ operations: interrupted }, 'operations of the agent before were cut off');
      await store.enforceRetention();
      return store;
    } catch (error) {
      if (database?.isOpen === true) database.close();
      directory.unlock();
      if (error instanceof SidescopeError && error.code === 'data-directory-unusable') throw error;
      const message = `data directory ${directory.root}: ${reasonOf(error)}`;
      throw new SidescopeError('data-directory-unusable', message, { cause: error });
    }
  }

  private constructor(
    options: StoreOptions,
    parts: { directory: DataDirectory; database: DatabaseSync; index: ProfileIndex; space: DiskSpace },
  ) {
    super();
    this.#options = options;
    this.#directory = parts.directory;
    this.#database = parts.database;
    this.#index = parts.index;
    this.#space = parts.space;
    this.#operations = new OperationTable(parts.database);
    this.#history = new SnapshotHistory(parts.database);
    this.#now = options.now ?? Date.now;
    this.#stats = {
      evictedByBudget: 0,
      evictedByCount: 0,
      evictedByAge: 0,
      orphansRemoved: 0,
      reindexed: 0,
      rowsRemoved: 0,
      bytesWritten: 0,
    };
    this.#timer = setInterval(() => {
      this.enforceRetention().catch((error: unknown) => {
        options.log.error({ reason: reasonOf(error) }, 'retention failed; it is tried again');
      });
    }, retentionIntervalMs).unref();
  }

  /**
   * Makes room, oldest unpinned artifacts first, and opens a file. `expectedBytes` are plain ones; the room is promised to
   * this file until it ends. Rejects with `disk-budget` or `disk-full`, with the numbers, before anything is removed in vain.
   */
  async create(draft: ProfileDraft, { expectedBytes }: { expectedBytes: number }): Promise<ArtifactWriter> {
    this.#assertOpen();
    const { compressed } = kindFacts[draft.kind];
    const promisedBytes = Math.ceil(expectedBytes * (compressed ? compressedShare : 1)) + overheadBytes;
    const id = newId();
    await this.#inTurn(async () => {
      await this.#makeRoom(promisedBytes, { checkDisk: true });
      this.#space.reserve(id, promisedBytes);
      this.#writers.set(id, undefined);
    });
    const release = (): void => {
      this.#space.release(id);
      this.#writers.delete(id);
      this.#announceUsage();
    };
    try {
      const writer = await FileArtifactWriter.open({
        profileId: id,
        temporaryPath: this.#directory.temporaryArtifact(id, draft.kind),
        compressed,
        host: {
          claim: (bytes) => this.#claim(id, bytes),
          commit: (file, outcome) => this.#commit({ id, draft, file, outcome }),
          release,
        },
      });
      this.#writers.set(id, writer);
      if (this.#disposal !== undefined) await writer.abandon();
      this.#assertOpen();
      return writer;
    } catch (error) {
      release();
      throw storageError(error, `opening a file in ${this.#directory.temporary}`);
    }
  }

  /** Throws `unknown-profile`. */
  get(id: string): Profile {
    this.#assertOpen();
    const profile = isId(id) && !this.#leaving.has(id) ? this.#index.get(id) : undefined;
    if (profile === undefined) {
      throw new SidescopeError('unknown-profile', `no profile has the id ${JSON.stringify(id.slice(0, 64))}`);
    }
    return profile;
  }

  /** Newest first; `limit` 50 unless told, at most 500. Throws `invalid-request` for a cursor that is none. */
  list(query: ProfileQuery): ProfilePage {
    this.#assertOpen();
    return this.#index.list(query);
  }

  /** Holds the artifact against deletion and eviction until disposed. Rejects with `unknown-profile`, `damaged-profile`. */
  async open(id: string): Promise<ArtifactReader> {
    const profile = this.get(id);
    this.#readers.set(id, (this.#readers.get(id) ?? 0) + 1);
    const release = (): void => {
      const left = (this.#readers.get(id) ?? 1) - 1;
      if (left > 0) this.#readers.set(id, left);
      else this.#readers.delete(id);
    };
    try {
      return new FileArtifactReader({ profile, handle: await this.#openArtifact(profile), release });
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Labels given replace all labels. Throws `unknown-profile`, `disk-full`, `storage-failed`. */
  patch(id: string, patch: ProfilePatch): Profile {
    const before = this.get(id);
    const profile: Profile = {
      ...before,
      pinned: patch.pinned ?? before.pinned,
      labels: patch.labels ?? before.labels,
    };
    try {
      const oldBytes = fs.statSync(this.#directory.metadata(id), { throwIfNoEntry: false })?.size ?? 0;
      const newBytes = writeMetadata(this.#directory, profile);
      this.#index.put(profile, newBytes);
      this.#space.metadataBytes += newBytes - oldBytes;
    } catch (error) {
      throw storageError(error, `changing profile ${id}`);
    }
    this.emit('profile', profile);
    return profile;
  }

  /** `profile-in-use`, `profile-pinned`, `unknown-profile`. */
  async delete(id: string): Promise<void> {
    this.#assertOpen();
    if (this.#isInUse(id)) {
      throw new SidescopeError('profile-in-use', `profile ${id} is being written or downloaded`);
    }
    const profile = this.get(id);
    if (profile.pinned) throw new SidescopeError('profile-pinned', `profile ${id} is pinned`);
    await this.#remove(profile);
    this.#announceUsage();
  }

  /** Pinned ones and those in use are kept and counted. Without any filter it rejects with `invalid-request`. */
  async deleteMany(
    filter: Pick<ProfileFilter, 'before' | 'kind' | 'targetId'>,
  ): Promise<{ deleted: string[]; kept: { pinned: number; inUse: number } }> {
    this.#assertOpen();
    const { before, kind, targetId } = filter;
    if (before === undefined && kind === undefined && targetId === undefined) {
      throw new SidescopeError('invalid-request', 'deleting many profiles needs a filter');
    }
    const result = { deleted: [] as string[], kept: { pinned: 0, inUse: 0 } };
    for (const artifact of this.#index.artifacts({ before, kind, targetId })) {
      if (this.#leaving.has(artifact.id)) continue;
      if (this.#isInUse(artifact.id)) result.kept.inUse++;
      // Asked for again: a person may pin one while the earlier ones are removed.
      else if (this.#index.get(artifact.id)?.pinned === true) result.kept.pinned++;
      else if (await this.#remove(artifact)) result.deleted.push(artifact.id);
    }
    this.#announceUsage();
    return result;
  }

  usage(): DiskUsage {
    this.#assertOpen();
    return {
      directory: this.#directory.root,
      temporary: this.#options.temporary ?? false,
      budgetBytes: this.#options.budgetBytes,
      usedBytes: this.#space.usedBytes(),
      artifactBytes: this.#space.artifactBytes,
      profiles: this.#index.totals().count,
      retentionCount: this.#options.retentionCount,
      retentionAgeMs: this.#options.retentionAgeMs,
    };
  }

  stats(): Readonly<StoreStats> {
    return { ...this.#stats };
  }

  /** Upsert. Keeps the newest 500. */
  saveOperation(operation: Operation): void {
    this.#indexed('saving an operation', () => this.#operations.save(operation));
  }

  /** Newest first, without expired ones. Those that ran when an earlier agent ended are `failed` with `agent-restarted`. */
  loadOperations(): Operation[] {
    return this.#indexed('loading operations', () => this.#operations.load(this.#now()));
  }

  rememberSnapshot(key: ProgramKey, record: SnapshotRecord): void {
    this.#indexed('remembering a snapshot', () => this.#history.remember(key, record));
  }

  lastSnapshot(key: ProgramKey): SnapshotRecord | undefined {
    return this.#indexed('reading the snapshot history', () => this.#history.last(key));
  }

  /** Runs by itself at open, after each capture and every minute. */
  async enforceRetention(): Promise<void> {
    await this.#inTurn(async () => {
      if (this.#disposal !== undefined) return;
      const { retentionCount, retentionAgeMs } = this.#options;
      const limits = { retentionCount, retentionAgeMs, nowMs: this.#now() };
      for (const { artifact, reason } of evictByLimits(this.#shelf(), limits)) await this.#evict(artifact, reason);
    });
  }

  /** Abandons what is being written, lets nothing new begin, checkpoints the index and unlocks the directory. Open readers keep their file. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposal ??= (async () => {
      clearInterval(this.#timer);
      for (const writer of this.#writers.values()) await writer?.abandon();
      await this.#turn;
      this.#database.close();
      this.#directory.unlock();
    })();
    await this.#disposal;
  }

  async #commit(capture: {
    id: string;
    draft: ProfileDraft;
    file: WrittenFile;
    outcome: ProfileOutcome;
  }): Promise<Profile> {
    const { id, draft, file, outcome } = capture;
    const profile: Profile = {
      id,
      ...draft,
      fileName: downloadName(draft),
      ...outcome,
      sizeBytes: file.sizeBytes,
      storedBytes: file.storedBytes,
      sha256: file.sha256,
      labels: {},
      pinned: false,
      formats: [...kindFacts[draft.kind].formats],
    };
    let metadataBytes: number;
    try {
      // Metadata first: an artifact in its place always has some, so a crash here leaves one that can be recovered.
      metadataBytes = writeMetadata(this.#directory, profile);
      await fsp.rename(file.temporaryPath, this.#directory.artifact(id, draft.kind));
      await this.#directory.sync();
      this.#index.put(profile, metadataBytes);
    } catch (error) {
      await this.#removeFiles(profile);
      throw storageError(error, `storing artifact ${id}`);
    }
    this.#space.artifactBytes += file.storedBytes;
    this.#space.metadataBytes += metadataBytes;
    this.#space.release(id);
    this.#writers.delete(id);
    this.emit('profile', profile);
    await this.enforceRetention().catch((error: unknown) => {
      // The capture is safe; the timer comes back to this.
      this.#options.log.error({ reason: reasonOf(error) }, 'retention failed; it is tried again');
    });
    return profile;
  }

  async #openArtifact(profile: Profile): Promise<fsp.FileHandle> {
    const flags = fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW;
    let handle: fsp.FileHandle;
    try {
      handle = await fsp.open(this.#directory.artifact(profile.id, profile.kind), flags);
    } catch (error) {
      const changed = systemCode(error) === 'ENOENT' || systemCode(error) === 'ELOOP';
      if (!changed) throw storageError(error, `opening artifact ${profile.id}`);
      throw new SidescopeError('damaged-profile', `artifact ${profile.id}: ${reasonOf(error)}`, { cause: error });
    }
    const stat = await handle.stat();
    if (stat.isFile() && stat.size === profile.storedBytes) return handle;
    await handle.close();
    throw new SidescopeError(
      'damaged-profile',
      `artifact ${profile.id} has ${stat.size} bytes on disk instead of ${profile.storedBytes}`,
    );
  }

  async #claim(id: string, bytes: number): Promise<void> {
    const beyond = this.#space.beyondPromise(id, bytes);
    if (beyond > 0 && this.#space.missingFor(beyond) > 0) {
      await this.#inTurn(() => this.#makeRoom(beyond, { checkDisk: false }));
    }
    this.#space.write(id, bytes);
    this.#stats.bytesWritten += bytes;
  }

  async #makeRoom(bytes: number, { checkDisk }: { checkDisk: boolean }): Promise<void> {
    const missingBudget = this.#space.missingFor(bytes);
    const freeBytes = checkDisk ? await freeOn(this.#directory.root) : Infinity;
    const missingDisk = Math.max(0, this.#space.promisedBytes() + bytes - freeBytes);
    const missing = Math.max(missingBudget, missingDisk);
    if (missing === 0) return;
    const victims = evictForRoom(this.#shelf(), missing);
    if (victims === undefined) {
      const details = {
        neededBytes: bytes,
        missingBytes: missing,
        budgetBytes: this.#space.budgetBytes,
        usedBytes: this.#space.usedBytes(),
        promisedBytes: this.#space.promisedBytes(),
        ...(checkDisk && { diskFreeBytes: freeBytes }),
      };
      if (missingBudget >= missingDisk) {
        throw new SidescopeError(
          'disk-budget',
          `${bytes} bytes do not fit: ${details.usedBytes} of the budget of ${details.budgetBytes} are used and ${details.promisedBytes} promised; removing what may be removed does not give the missing ${missing}`,
          { details },
        );
      }
      throw new SidescopeError(
        'disk-full',
        `${bytes} bytes do not fit: the disk of ${this.#directory.root} has ${freeBytes} free, ${details.promisedBytes} of them promised`,
        { details },
      );
    }
    for (const victim of victims) await this.#evict(victim, 'budget');
  }

  async #evict(artifact: StoredArtifact, reason: EvictionReason): Promise<void> {
    // A download may have begun since the choice was made.
    if (this.#isInUse(artifact.id) || !(await this.#remove(artifact))) return;
    if (reason === 'budget') this.#stats.evictedByBudget++;
    else if (reason === 'count') this.#stats.evictedByCount++;
    else this.#stats.evictedByAge++;
    this.#options.log.info({ profileId: artifact.id, bytes: artifact.diskBytes, reason }, 'evicted a profile');
    this.#announceUsage();
  }

  /** Files first: on a full disk the index can take no change before there is room. False when somebody else removes it already. */
  async #remove({ id, kind }: Pick<Profile, 'id' | 'kind'>): Promise<boolean> {
    if (this.#leaving.has(id)) return false;
    this.#leaving.add(id);
    try {
      await this.#removeFiles({ id, kind });
      this.#index.remove(id);
    } catch (error) {
      throw storageError(error, `removing profile ${id}`);
    } finally {
      this.#leaving.delete(id);
      const totals = this.#index.totals();
      this.#space.artifactBytes = totals.storedBytes;
      this.#space.metadataBytes = totals.metadataBytes;
    }
    this.emit('deleted', id);
    return true;
  }

  async #removeFiles({ id, kind }: Pick<Profile, 'id' | 'kind'>): Promise<void> {
    await fsp.rm(this.#directory.artifact(id, kind), { force: true });
    await fsp.rm(this.#directory.metadata(id), { force: true });
  }

  #shelf(): { artifacts: StoredArtifact[]; isInUse: (id: string) => boolean } {
    return { artifacts: this.#index.artifacts(), isInUse: (id) => this.#isInUse(id) || this.#leaving.has(id) };
  }

  #isInUse(id: string): boolean {
    return this.#readers.has(id) || this.#writers.has(id);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    // The caller has `turn`; the next in line only waits for it.
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  #indexed<T>(attempt: string, work: () => T): T {
    this.#assertOpen();
    try {
      return work();
    } catch (error) {
      throw storageError(error, attempt);
    }
  }

  #announceUsage(): void {
    if (this.#disposal === undefined) this.emit('storage', this.usage());
  }

  #assertOpen(): void {
    if (this.#disposal !== undefined) throw new SidescopeError('shutting-down', 'the store is closed');
  }
}

/** What an earlier start set aside has been there to look at for one run. */
async function emptyAside(directory: DataDirectory): Promise<void> {
  await fsp.rm(directory.aside, { recursive: true, force: true });
  await fsp.mkdir(directory.aside, { mode: 0o700 });
}

async function measure(parts: {
  directory: DataDirectory;
  index: ProfileIndex;
  budgetBytes: number;
}): Promise<DiskSpace> {
  const { directory, index, budgetBytes } = parts;
  const space = new DiskSpace(budgetBytes, directory.indexPath);
  const { storedBytes, metadataBytes } = index.totals();
  space.artifactBytes = storedBytes;
  space.metadataBytes = metadataBytes;
  space.otherBytes = Math.max(0, (await sizeOf(directory.root)) - space.usedBytes());
  return space;
}

async function sizeOf(directory: string): Promise<number> {
  let bytes = 0;
  for (const entry of await fsp.readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const stat = fs.statSync(`${entry.parentPath}/${entry.name}`, { throwIfNoEntry: false });
    bytes += stat?.size ?? 0;
  }
  return bytes;
}

async function freeOn(directory: string): Promise<number> {
  const stat = await fsp.statfs(directory);
  // Some network and sandboxed file systems report no sizes at all.
  return stat.blocks === 0 ? Infinity : stat.bavail * stat.bsize;
}
