import type { EventEmitter } from 'node:events';
import type { Readable } from 'node:stream';
import type { DiskUsage, Profile, ProfileKind, ProfilePatch } from '../../protocol/rest/profile.ts';

/** All of a profile that is known when its file is opened; the store makes the rest. */
export type ProfileDraft = Pick<
  Profile,
  'kind' | 'operationId' | 'targetId' | 'targetName' | 'target' | 'thread' | 'trigger' | 'startedAt' | 'environment'
>;

/** What is known when the last byte is there. */
export type ProfileOutcome = Pick<
  Profile,
  'endedAt' | 'durationMs' | 'complete' | 'incompleteReason' | 'cost' | 'cpu' | 'snapshot' | 'clock' | 'warnings'
>;

export interface ArtifactWriter {
  readonly profileId: string;
  /** Plain bytes so far. */
  readonly sizeBytes: number;
  /** Where the temporary file is, so that a worker may read it before `finish` (CPU profiles are stored as they are). */
  readonly temporaryPath: string;
  /** Resolves when the bytes may be reused and there is room for more (backpressure). Rejects with `disk-full`, `disk-budget`, `storage-failed`. */
  write(bytes: Uint8Array): Promise<void>;
  /** Everything written is on disk in `temporaryPath`; more may be written afterwards. */
  flush(): Promise<void>;
  /** Flush, fsync, rename, fsync of the directory, index: after this the artifact exists. */
  finish(outcome: ProfileOutcome): Promise<Profile>;
  /** Removes the temporary file. May be called twice, and after `finish` (then it does nothing). */
  abandon(): Promise<void>;
}

export interface ArtifactReader extends AsyncDisposable {
  readonly profile: Profile;
  /** Plain bytes [start, end). Rejects with `damaged-profile` when the file is shorter than the index says. */
  plain(range?: { start: number; end: number }): Readable;
  /** The stored gzip member as it is; undefined when the artifact is not compressed at rest. */
  stored(): Readable | undefined;
}

export declare class ProfileStore extends EventEmitter<{
  profile: [Profile];
  deleted: [string];
  storage: [DiskUsage];
}> {
  create(draft: ProfileDraft, options: { expectedBytes: number }): Promise<ArtifactWriter>;
  /** Throws `unknown-profile`. */
  get(id: string): Profile;
  list(query: {
    kind?: ProfileKind | undefined;
    targetId?: string | undefined;
    since?: string | undefined;
    before?: string | undefined;
    trigger?: string | undefined;
    limit?: number | undefined;
    cursor?: string | undefined;
  }): { profiles: Profile[]; nextCursor: string | null; total: number };
  /** Holds the artifact against deletion and eviction until disposed. */
  open(id: string): Promise<ArtifactReader>;
  patch(id: string, patch: ProfilePatch): Profile;
  /** `profile-in-use`, `profile-pinned`, `unknown-profile`. */
  delete(id: string): Promise<void>;
  /** Pinned ones and those in use are kept and counted. */
  deleteMany(filter: {
    before?: string | undefined;
    kind?: ProfileKind | undefined;
    targetId?: string | undefined;
  }): Promise<{ deleted: string[]; kept: { pinned: number; inUse: number } }>;
  usage(): DiskUsage;
}
