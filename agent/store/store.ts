import { EventEmitter } from 'node:events';
import fs from 'node:fs';
import fsp from 'node:fs/promises';
import path from 'node:path';
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
import { JoinTable } from './join-table.ts';
import type { JoinPart } from './join-table.ts';
import type { StoreLog } from './log.ts';
import { writeMetadata } from './metadata-file.ts';
import { OperationTable } from './operation-table.ts';
import { OutboxTable } from './outbox-table.ts';
import { ProfileContentTable } from './profile-content-table.ts';
import { ProfileIndex } from './profile-index.ts';
import type { ProfileFilter, ProfilePage, ProfileQuery } from './profile-index.ts';
import { reconcile } from './reconcile.ts';
import type { Reconciled } from './reconcile.ts';
import { Shelf } from './shelf.ts';
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

export interface StoreStats extends Reconciled {
  readonly evictedByBudget: number;
  readonly evictedByCount: number;
  readonly evictedByAge: number;
  /** Artifact bytes that went to disk, compressed where they are. */
  readonly bytesWritten: number;
  /** Over the bound of what is kept of one profile. */
  readonly omittedSourceLines: number;
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
  readonly #positions: ProfileContentTable;
  readonly #sources: ProfileContentTable;
  readonly #joins: JoinTable;
  readonly #space: DiskSpace;
  readonly #reconciled: Reconciled;
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;
  readonly #shelf: Shelf;
  readonly #writers = new Set<ArtifactWriter>();
  #omittedSourceLines = 0;
  #disposal: Promise<void> | undefined;

  /**
   * Locks the directory, migrates or rebuilds the index, reconciles it with the files and applies retention. Rejects with
   * `data-directory-unusable` or `data-directory-locked`; whether to fall back is the caller's to decide.
   */
  static async open(options: StoreOptions): Promise<ProfileStore> {
    const directory = await openDataDirectory(options.directory, options.log);
    await using undo = new AsyncDisposableStack();
    undo.defer(() => directory.unlock());
    try {
      await emptyAside(directory);
      const database = openIndex(directory.indexPath, { asideDirectory: directory.aside, log: options.log });
      undo.defer(() => {
        if (database.isOpen) database.close();
      });
      const index = new ProfileIndex(database);
      const reconciled = await reconcile({ directory, index, log: options.log });
      const space = await measure({ directory, index, budgetBytes: options.budgetBytes });
      const store = new ProfileStore(options, { directory, database, index, space, reconciled });
      undo.use(store);
      await store.enforceRetention();
      store.#positions.removeOrphans();
      store.#sources.removeOrphans();
      store.#joins.removeOrphans();
      const interrupted = store.#operations.failInterrupted(store.#now());
      if (interrupted > 0) options.log.warn({ operations: interrupted }, 'operations of the agent before were cut off');
      undo.move();
      return store;
    } catch (error) {
      if (error instanceof SidescopeError && error.code === 'data-directory-unusable') throw error;
      const message = `data directory ${directory.root}: ${reasonOf(error)}`;
      throw new SidescopeError('data-directory-unusable', message, { cause: error });
    }
  }

  private constructor(
    options: StoreOptions,
    parts: {
      directory: DataDirectory;
      database: DatabaseSync;
      index: ProfileIndex;
      space: DiskSpace;
      reconciled: Reconciled;
    },
  ) {
    super();
    this.#options = options;
    this.#directory = parts.directory;
    this.#database = parts.database;
    this.#index = parts.index;
    this.#space = parts.space;
    this.#operations = new OperationTable(parts.database);
    this.#history = new SnapshotHistory(parts.database);
    this.#positions = new ProfileContentTable(parts.database, 'source_positions');
    this.#sources = new ProfileContentTable(parts.database, 'profile_sources');
    this.#joins = new JoinTable(parts.database);
    this.#now = options.now ?? Date.now;
    this.#reconciled = parts.reconciled;
    const outbox = new OutboxTable({ inIndex: (_, work) => work(parts.database) });
    this.#shelf = new Shelf({
      ...parts,
      log: options.log,
      waiting: () => outbox.waitingProfiles(),
      onRemoved: (id) => {
        this.emit('deleted', id);
        this.#announceUsage();
      },
    });
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
    await this.#shelf.promise(id, promisedBytes);
    const letGo = this.#shelf.hold(id);
    const release = (): void => {
      this.#space.release(id);
      letGo();
    };
    try {
      const writer: ArtifactWriter = await FileArtifactWriter.open({
        profileId: id,
        temporaryPath: this.#directory.temporaryArtifact(id, draft.kind),
        compressed,
        host: {
          claim: (bytes) => this.#shelf.claim(id, bytes),
          commit: (file, outcome) => this.#commit({ id, draft, file, outcome, release }),
          release: () => {
            release();
            this.#writers.delete(writer);
            this.#announceUsage();
          },
        },
      });
      this.#writers.add(writer);
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
    const profile = isId(id) && !this.#shelf.isLeaving(id) ? this.#index.get(id) : undefined;
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
    const release = this.#shelf.hold(id);
    try {
      return new FileArtifactReader({
        profile,
        path: this.#directory.artifact(id, profile.kind),
        handle: await this.#openArtifact(profile),
        release,
      });
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
    if (this.#shelf.isInUse(id)) {
      throw new SidescopeError('profile-in-use', `profile ${id} is being written or downloaded`);
    }
    const profile = this.get(id);
    if (profile.pinned) throw new SidescopeError('profile-pinned', `profile ${id} is pinned`);
    await this.#shelf.remove(profile);
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
      if (this.#shelf.isLeaving(artifact.id)) continue;
      if (this.#shelf.isInUse(artifact.id)) result.kept.inUse++;
      // Asked for again: a person may pin one while the earlier ones are removed.
      else if (this.#index.get(artifact.id)?.pinned === true) result.kept.pinned++;
      else if (await this.#shelf.remove(artifact)) result.deleted.push(artifact.id);
    }
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

  /** Counted since the store opened; for the agent's own metrics. */
  stats(): StoreStats {
    const { evicted, bytesWritten } = this.#shelf;
    return {
      ...this.#reconciled,
      evictedByBudget: evicted.budget,
      evictedByCount: evicted.count,
      evictedByAge: evicted.age,
      bytesWritten,
      omittedSourceLines: this.#omittedSourceLines,
    };
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

  /** At most some 100 kB; goes with the profile, which may come after it. */
  saveSourcePositions(profileId: string, positions: Uint8Array): void {
    this.#indexed('saving source positions', () => this.#positions.save(profileId, positions));
  }

  /** Undefined when no source map said anything about the profile. */
  sourcePositions(profileId: string): Uint8Array | undefined {
    return this.#indexed('reading source positions', () => this.#positions.load(profileId));
  }

  /** At most some 60 kB; goes with the profile, which may come after it. `omittedLines` are counted. */
  saveSourceLines(profileId: string, { bytes, omittedLines }: { bytes: Uint8Array; omittedLines: number }): void {
    this.#indexed('saving source lines', () => this.#sources.save(profileId, bytes));
    this.#omittedSourceLines += omittedLines;
  }

  /** Undefined when none were looked for. */
  sourceLines(profileId: string): Uint8Array | undefined {
    return this.#indexed('reading source lines', () => this.#sources.load(profileId));
  }

  /** At most some megabytes; goes with the profile, which may come after it. */
  saveJoin(profileId: string, part: JoinPart, content: Uint8Array): void {
    this.#indexed('saving what a profile is joined with', () => this.#joins.save(profileId, part, content));
  }

  loadJoin(profileId: string, part: JoinPart): Uint8Array | undefined {
    return this.#indexed('reading what a profile is joined with', () => this.#joins.load(profileId, part));
  }

  /** For tables of other parts, whose size is in the budget as part of the index. Throws `disk-full`, `storage-failed`, `shutting-down`. */
  inIndex<T>(attempt: string, work: (database: DatabaseSync) => T): T {
    return this.#indexed(attempt, () => work(this.#database));
  }

  /** Runs by itself at open, after each capture and every minute. */
  async enforceRetention(): Promise<void> {
    if (this.#disposal !== undefined) return;
    const { retentionCount, retentionAgeMs } = this.#options;
    await this.#shelf.enforceLimits({ retentionCount, retentionAgeMs, nowMs: this.#now() });
  }

  /** Abandons what is being written, lets nothing new begin, checkpoints the index and unlocks the directory. Open readers keep their file. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposal ??= (async () => {
      clearInterval(this.#timer);
      for (const writer of this.#writers) await writer.abandon();
      await this.#shelf.settled();
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
    release: () => void;
  }): Promise<Profile> {
    const { id, draft, file, outcome, release } = capture;
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
      await this.#shelf.removeFiles(profile).catch((removal: unknown) => {
        // The next start finds and removes it; the reason worth telling is the first one.
        this.#options.log.error({ profileId: id, reason: reasonOf(removal) }, 'a file could not be removed');
      });
      throw storageError(error, `storing artifact ${id}`);
    }
    this.#space.artifactBytes += file.storedBytes;
    this.#space.metadataBytes += metadataBytes;
    release();
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
  for (const name of await fsp.readdir(directory.aside)) {
    await fsp.rm(path.join(directory.aside, name), { recursive: true, force: true });
  }
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
