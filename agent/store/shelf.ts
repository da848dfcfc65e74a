import fsp from 'node:fs/promises';
import { SidescopeError } from '../../protocol/error.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import type { DataDirectory } from './data-directory.ts';
import type { DiskSpace } from './disk-space.ts';
import type { StoreLog } from './log.ts';
import type { ProfileIndex, StoredArtifact } from './profile-index.ts';
import { evictByLimits, evictForRoom } from './retention.ts';
import type { EvictionReason } from './retention.ts';
import { storageError } from './storage-error.ts';

interface ShelfParts {
  readonly directory: DataDirectory;
  readonly index: ProfileIndex;
  readonly space: DiskSpace;
  readonly log: StoreLog;
  /** Artifacts that are still to be sent somewhere: they go last. */
  readonly waiting: () => ReadonlySet<string>;
  /** After files and row are gone. */
  readonly onRemoved: (id: string) => void;
}

/** Who uses which artifact, what may leave, and making room. Everything that removes an artifact goes through `remove`. */
export class Shelf {
  readonly evicted: Record<EvictionReason, number> = { budget: 0, count: 0, age: 0 };
  bytesWritten = 0;
  readonly #parts: ShelfParts;
  readonly #uses = new Map<string, number>();
  readonly #leaving = new Set<string>();
  /** Making room and promising it are one step: two captures must not be promised the same bytes. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: ShelfParts) {
    this.#parts = parts;
  }

  /** Keeps the artifact from being removed until the function returned is called. */
  hold(id: string): () => void {
    this.#uses.set(id, (this.#uses.get(id) ?? 0) + 1);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const left = (this.#uses.get(id) ?? 1) - 1;
      if (left > 0) this.#uses.set(id, left);
      else this.#uses.delete(id);
    };
  }

  isInUse(id: string): boolean {
    return this.#uses.has(id);
  }

  isLeaving(id: string): boolean {
    return this.#leaving.has(id);
  }

  /** Makes room on budget and disk and promises it to the file `id`. Rejects with `disk-budget` or `disk-full`, then nothing was removed. */
  async promise(id: string, bytes: number): Promise<void> {
    await this.#inTurn(async () => {
      await this.#makeRoom(bytes, await freeOn(this.#parts.directory.root));
      this.#parts.space.reserve(id, bytes);
    });
  }

  /** The file `id` is about to grow. Within what was promised this is bookkeeping; beyond it room is made, or it rejects with `disk-budget`. */
  async claim(id: string, bytes: number): Promise<void> {
    const { space } = this.#parts;
    const beyond = space.beyondPromise(id, bytes);
    // The disk's own limit is met by the write itself.
    if (beyond > 0 && space.missingFor(beyond) > 0) await this.#inTurn(() => this.#makeRoom(beyond, Infinity));
    space.write(id, bytes);
    this.bytesWritten += bytes;
  }

  async enforceLimits(limits: { retentionCount: number; retentionAgeMs: number; nowMs: number }): Promise<void> {
    await this.#inTurn(async () => {
      // How long something may be kept does not depend on whether somebody has fetched it; how many are kept does.
      const byAge = evictByLimits(this.#candidates(new Set()), { ...limits, retentionCount: 0 });
      for (const { artifact, reason } of byAge) await this.#evict(artifact, reason);
      const byCount = evictByLimits(this.#candidates(), { ...limits, retentionAgeMs: 0 });
      for (const { artifact, reason } of byCount) await this.#evict(artifact, reason);
    });
  }

  /** Files first: on a full disk the index can take no change before there is room. False when somebody else removes it already. */
  async remove({ id, kind }: Pick<Profile, 'id' | 'kind'>): Promise<boolean> {
    if (this.#leaving.has(id)) return false;
    const { index, space, onRemoved } = this.#parts;
    this.#leaving.add(id);
    try {
      await this.removeFiles({ id, kind });
      index.remove(id);
      const totals = index.totals();
      space.artifactBytes = totals.storedBytes;
      space.metadataBytes = totals.metadataBytes;
    } catch (error) {
      throw storageError(error, `removing profile ${id}`);
    } finally {
      this.#leaving.delete(id);
    }
    onRemoved(id);
    return true;
  }

  async removeFiles({ id, kind }: Pick<Profile, 'id' | 'kind'>): Promise<void> {
    await fsp.rm(this.#parts.directory.artifact(id, kind), { force: true });
    await fsp.rm(this.#parts.directory.metadata(id), { force: true });
  }

  /** Resolves when no room is being made. */
  async settled(): Promise<void> {
    await this.#turn;
  }

  async #makeRoom(bytes: number, diskFreeBytes: number): Promise<void> {
    const { space, directory } = this.#parts;
    const promisedBytes = space.promisedBytes();
    const missingBudget = space.missingFor(bytes);
    const missingDisk = Math.max(0, promisedBytes + bytes - diskFreeBytes);
    const missingBytes = Math.max(missingBudget, missingDisk);
    if (missingBytes === 0) return;
    // A capture goes before what waits for a destination that may never come back.
    const victims =
      evictForRoom(this.#candidates(), missingBytes) ?? evictForRoom(this.#candidates(new Set()), missingBytes);
    if (victims === undefined) {
      const { budgetBytes } = space;
      const usedBytes = space.usedBytes();
      const numbers = { neededBytes: bytes, missingBytes, budgetBytes, usedBytes, promisedBytes };
      const details = Number.isFinite(diskFreeBytes) ? { ...numbers, diskFreeBytes } : numbers;
      const [code, where] =
        missingBudget >= missingDisk
          ? (['disk-budget', `${usedBytes} of the budget of ${budgetBytes} are used`] as const)
          : (['disk-full', `the disk of ${directory.root} has ${diskFreeBytes} free`] as const);
      throw new SidescopeError(
        code,
        `${bytes} bytes do not fit: ${where}, ${promisedBytes} more are promised to running captures, and removing all that may be removed does not give the missing ${missingBytes}`,
        { details },
      );
    }
    for (const victim of victims) await this.#evict(victim, 'budget');
  }

  async #evict(artifact: StoredArtifact, reason: EvictionReason): Promise<void> {
    // A download may have begun since the choice was made.
    if (this.isInUse(artifact.id) || !(await this.remove(artifact))) return;
    this.evicted[reason]++;
    this.#parts.log.info({ profileId: artifact.id, bytes: artifact.diskBytes, reason }, 'evicted a profile');
  }

  #candidates(waiting = this.#parts.waiting()): { artifacts: StoredArtifact[]; isInUse: (id: string) => boolean } {
    return {
      artifacts: this.#parts.index.artifacts(),
      isInUse: (id) => this.isInUse(id) || this.isLeaving(id) || waiting.has(id),
    };
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    // The caller has `turn`; the next in line only waits for it.
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}

async function freeOn(directory: string): Promise<number> {
  const stat = await fsp.statfs(directory);
  // Some network and sandboxed file systems report no sizes at all.
  return stat.blocks === 0 ? Infinity : stat.bavail * stat.bsize;
}
