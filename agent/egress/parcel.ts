import type { Readable } from 'node:stream';
import { isSidescopeError } from '../../protocol/error.ts';
import type { Profile, ProfileKind } from '../../protocol/rest/profile.ts';
import type { ProfileWorker } from '../capture/profile-worker.ts';
import type { FlightRecorder } from '../capture/recorder.ts';
import type { Redactions } from '../capture/redactions.ts';
import type { ProfileJoins } from '../requests/join.ts';
import type { SourceMapContext } from '../source-maps/find-positions.ts';
import type { OutboxRow } from '../store/outbox-table.ts';
import type { ProfileStore } from '../store/store.ts';
import { SendError } from './send-error.ts';

/** `recorder`: a window of the flight recorder, which is no profile of the store. */
export type ParcelKind = ProfileKind | 'recorder';

export interface ParcelFacts {
  readonly id: string;
  readonly kind: ParcelKind;
  readonly trigger: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** Of CPU samples. */
  readonly intervalUs: number | undefined;
  readonly targetName: string;
  readonly threadId: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Pod, namespace, node, container. */
  readonly environment: Readonly<Record<string, string>>;
  /** Service, version, workload: as they were when it was queued. */
  readonly service: Readonly<Record<string, string>>;
  /** Of what is stored; undefined for a window. */
  readonly profile: Profile | undefined;
}

/** What a destination is given. Nothing is read before it asks. */
export interface Parcel {
  readonly facts: ParcelFacts;
  /** gzipped. Rejects with `unsupported-format` for a heap snapshot. */
  pprof(signal: AbortSignal): Promise<Uint8Array>;
  /** The artifact itself; heap snapshots without their contents when `redact`. */
  artifact(options: { redact: boolean }): Promise<ArtifactBytes>;
}

export interface ArtifactBytes extends AsyncDisposable {
  readonly stream: Readable;
  /** Undefined where they are known at the end only. */
  readonly known: { readonly sizeBytes: number; readonly sha256: string } | undefined;
  readonly extension: string;
  readonly mediaType: string;
}

export interface ParcelSources {
  readonly store: ProfileStore;
  readonly worker: Pick<ProfileWorker, 'convert' | 'windowPprof'>;
  readonly joins: Pick<ProfileJoins, 'queryOf'>;
  readonly redactions: Pick<Redactions, 'open'>;
  readonly recorder: Pick<FlightRecorder, 'window'>;
  readonly environment: Readonly<Record<string, string>>;
  /** Where the files of a target are, while it is known. */
  sourceMapsOf(targetId: string): SourceMapContext | undefined;
}

/** Undefined when it is gone. Throws `storage-failed`. */
export function openParcel(
  row: Pick<OutboxRow, 'kind' | 'item' | 'facts'>,
  sources: ParcelSources,
): Parcel | undefined {
  return row.kind === 'window' ? windowParcel(row, sources) : profileParcel(row, sources);
}

function profileParcel({ item, facts }: Pick<OutboxRow, 'item' | 'facts'>, sources: ParcelSources): Parcel | undefined {
  const { store } = sources;
  const profile = profileOf(store, item);
  if (profile === undefined) return undefined;
  return {
    facts: {
      id: profile.id,
      kind: profile.kind,
      trigger: profile.trigger.kind,
      startedAtMs: Date.parse(profile.startedAt),
      endedAtMs: Date.parse(profile.endedAt),
      intervalUs: profile.cpu?.intervalUs,
      targetName: profile.targetName,
      threadId: profile.thread.id,
      labels: profile.labels,
      environment: profile.environment,
      service: facts,
      profile,
    },
    pprof: (signal) => profilePprof(profile, { sources, signal }),
    artifact: (options) => openArtifact(profile, { sources, ...options }),
  };
}

function windowParcel({ item, facts }: Pick<OutboxRow, 'item' | 'facts'>, sources: ParcelSources): Parcel | undefined {
  const found = sources.recorder.window(Number(item));
  if (found === undefined) return undefined;
  const { window, gzip } = found;
  const { clock, identity, targetName, thread } = window.facts;
  return {
    facts: {
      id: `window-${item}`,
      kind: 'recorder',
      trigger: 'recorder',
      startedAtMs: window.startedAtMs,
      endedAtMs: window.endedAtMs,
      intervalUs: window.intervalUs,
      targetName,
      threadId: thread.id,
      labels: {},
      environment: sources.environment,
      service: facts,
      profile: undefined,
    },
    async pprof(signal) {
      const [startedAt, endedAt] = [window.startedAtMs, window.endedAtMs].map((ms) => new Date(ms).toISOString());
      const join = await sources.joins.queryOf({
        id: `window-${item}`,
        clock,
        thread,
        target: identity,
        startedAt: startedAt!,
        endedAt: endedAt!,
      });
      const sourceMaps = sources.sourceMapsOf(window.targetId);
      return await sources.worker.windowPprof(gzip, { clock, intervalUs: window.intervalUs, sourceMaps, join, signal });
    },
    artifact: () => {
      throw new SendError('windows of the recorder go out as pprof only', { reason: 'unreadable', next: 'never' });
    },
  };
}

async function profilePprof(
  { id, kind, clock, cpu }: Profile,
  { sources: { store, worker, joins }, signal }: { sources: ParcelSources; signal: AbortSignal },
): Promise<Uint8Array> {
  if (kind === 'heap-snapshot')
    throw new SendError('a heap snapshot has no pprof', { reason: 'unreadable', next: 'never' });
  await using reader = await store.open(id);
  const positions = store.sourcePositions(id);
  if (kind === 'heap-sampling') return await worker.convert(reader.path, 'heap-pprof', { positions, signal });
  const join = await joins.queryOf(reader.profile);
  return await worker.convert(reader.path, 'pprof', { clock, intervalUs: cpu?.intervalUs, positions, join, signal });
}

async function openArtifact(
  profile: Profile,
  { sources: { store, redactions }, redact }: { sources: ParcelSources; redact: boolean },
): Promise<ArtifactBytes> {
  const reader = await store.open(profile.id);
  const close = { [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose]() };
  try {
    if (profile.kind !== 'heap-snapshot') {
      const extension = profile.kind === 'cpu' ? 'cpuprofile' : 'heapprofile';
      const known = { sizeBytes: profile.sizeBytes, sha256: profile.sha256 };
      return { stream: reader.plain(), known, extension, mediaType: 'application/json', ...close };
    }
    const stream = redact ? redactions.open(reader, { gzip: true }) : reader.stored();
    if (stream === undefined) throw new Error('heap snapshots are compressed at rest');
    return { stream, known: undefined, extension: 'heapsnapshot.gz', mediaType: 'application/gzip', ...close };
  } catch (error) {
    await reader[Symbol.asyncDispose]();
    throw error;
  }
}

function profileOf(store: ProfileStore, id: string): Profile | undefined {
  try {
    return store.get(id);
  } catch (error) {
    if (isSidescopeError(error, 'unknown-profile')) return undefined;
    throw error;
  }
}
