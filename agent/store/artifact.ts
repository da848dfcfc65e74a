import type { Readable } from 'node:stream';
import type { Profile, ProfileFormat, ProfileKind } from '../../protocol/rest/profile.ts';

/** All of a profile that is known when its file is opened; the store makes the rest. */
export type ProfileDraft = Pick<
  Profile,
  'kind' | 'operationId' | 'targetId' | 'targetName' | 'target' | 'thread' | 'trigger' | 'startedAt' | 'environment'
>;

/** What is known when the last byte is there. */
export type ProfileOutcome = Pick<
  Profile,
  | 'endedAt'
  | 'durationMs'
  | 'complete'
  | 'incompleteReason'
  | 'cost'
  | 'cpu'
  | 'snapshot'
  | 'sampling'
  | 'sourceMaps'
  | 'clock'
  | 'warnings'
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
  /** Flush, fsync, rename, fsync of the directory, index: after this the artifact exists. When it rejects nothing is left of it. */
  finish(outcome: ProfileOutcome): Promise<Profile>;
  /** Removes the temporary file. May be called twice, and after `finish` (then it does nothing). */
  abandon(): Promise<void>;
}

export interface ArtifactReader extends AsyncDisposable {
  readonly profile: Profile;
  /** For a worker that reads the stored file itself while this reader holds it. */
  readonly path: string;
  /** Plain bytes [start, end). The stream fails with `damaged-profile` when the file is shorter than the index says, or changed. */
  plain(range?: { start: number; end: number }): Readable;
  /** The stored gzip member as it is; undefined when the artifact is not compressed at rest. */
  stored(): Readable | undefined;
}

interface KindFacts {
  readonly extension: string;
  readonly formats: readonly ProfileFormat[];
  /** CPU profiles stay plain: the worker that checks them reads the temporary file, and they are small. */
  readonly compressed: boolean;
}

export const kindFacts: Readonly<Record<ProfileKind, KindFacts>> = {
  cpu: { extension: 'cpuprofile', formats: ['cpuprofile', 'pprof', 'collapsed'], compressed: false },
  'heap-snapshot': { extension: 'heapsnapshot', formats: ['heapsnapshot'], compressed: true },
  'heap-sampling': { extension: 'heapprofile', formats: ['heapprofile', 'pprof'], compressed: false },
};

/** `shop-api-20260131T120000Z-cpu.cpuprofile`; a worker's name stands before the kind, since `thread=all` makes several at once. */
export function downloadName(draft: ProfileDraft): string {
  const target =
    draft.targetName
      .toLowerCase()
      .replace(/[^a-z0-9._]+/g, '-')
      .replace(/^[-.]+|[-.]+$/g, '')
      .slice(0, 64) || 'target';
  const at = `${new Date(draft.startedAt).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
  const thread = draft.thread.kind === 'main' ? '' : `-${draft.thread.id}`;
  return `${target}-${at}${thread}-${draft.kind}.${kindFacts[draft.kind].extension}`;
}
