import { isSidescopeError, SidescopeError } from '../../protocol/error.ts';
import type { ProfileFormat } from '../../protocol/rest/profile.ts';
import type { ProfileDiff } from '../../protocol/rest/diff.ts';
import type { ProfileSource } from '../../protocol/rest/profile-source.ts';
import type { ProfileSummary } from '../../protocol/rest/summary.ts';
import type { ProfileJoins } from '../requests/join.ts';
import { decodeSourceLines } from '../source-maps/source-line-bytes.ts';
import type { ArtifactReader, ProfileStore } from '../store/store.ts';
import type { ProfileWorker } from './profile-worker.ts';

export interface ConvertedForm {
  readonly format: ProfileFormat;
  /** `original`: functions as their authors wrote them, where source maps said so. `raw`: as V8 has them. */
  readonly source: 'original' | 'raw';
  /** Of pprof: which samples have labels of their request. */
  readonly requests?: 'sure' | 'likely' | undefined;
}

/** Stored CPU and heap sampling profiles, read in a worker. All reject with `unknown-profile`, `unreadable-profile`, `damaged-profile`, `unsupported-format`. */
export class StoredProfiles {
  readonly #store: ProfileStore | undefined;
  readonly #worker: ProfileWorker;
  readonly #joins: Pick<ProfileJoins, 'queryOf'>;

  constructor(parts: { store: ProfileStore | undefined; worker: ProfileWorker; joins: Pick<ProfileJoins, 'queryOf'> }) {
    this.#store = parts.store;
    this.#worker = parts.worker;
    this.#joins = parts.joins;
  }

  /** In another form. */
  async convert(profileId: string, asked: ConvertedForm, signal: AbortSignal): Promise<Uint8Array> {
    const { format, source } = asked;
    if (format !== 'pprof' && format !== 'collapsed' && format !== 'cpuprofile') {
      throw new SidescopeError('unsupported-format', `nothing is converted to ${format}`);
    }
    const store = this.#stored();
    await using reader = await store.open(profileId);
    const { clock, cpu, kind, sampling } = reader.profile;
    const form = format === 'pprof' && kind === 'heap-sampling' ? 'heap-pprof' : format;
    const positions = source === 'original' ? store.sourcePositions(profileId) : undefined;
    try {
      const join = form === 'pprof' ? await this.#joins.queryOf(reader.profile) : undefined;
      const withLikely = asked.requests === 'likely';
      const intervalUs = cpu?.intervalUs;
      return await this.#worker.convert(reader.path, form, { clock, intervalUs, positions, join, withLikely, signal });
    } catch (error) {
      // It was readable, or known not to be, when it was stored; the index says which.
      if (isSidescopeError(error, 'unreadable-profile') && (cpu !== null || sampling !== null)) {
        throw new SidescopeError('damaged-profile', error.message, { cause: error });
      }
      throw error;
    }
  }

  /** At a glance. */
  async summarize(profileId: string, limit: number, signal: AbortSignal): Promise<ProfileSummary> {
    const store = this.#stored();
    await using reader = await store.open(profileId);
    const { kind } = reader.profile;
    if (kind === 'heap-snapshot')
      throw new SidescopeError('unsupported-format', 'heap snapshots are not summed up here');
    const positions = store.sourcePositions(profileId);
    return await this.#worker.summary(reader.path, { kind, limit, positions, signal });
  }

  /** The source lines that were readable when it was taken. Throws `unknown-profile`, `unsupported-format`. */
  source(profileId: string): ProfileSource {
    const store = this.#stored();
    const { kind } = store.get(profileId);
    if (kind !== 'cpu')
      throw new SidescopeError('unsupported-format', `source lines are kept of CPU profiles; this is ${kind}`);
    const bytes = store.sourceLines(profileId);
    const kept = bytes === undefined ? { functions: [], omittedLines: 0 } : decodeSourceLines(bytes);
    const whyNone = this.#worker.keepsSourceLines ? noSource : sourceLinesOff;
    const reason = kept.functions.length === 0 ? whyNone : null;
    return { profileId, ...kept, reason };
  }

  /** Two of the same kind. */
  async compare(
    pair: { kind: ProfileDiff['kind']; before: string; after: string; limit: number },
    signal: AbortSignal,
  ): Promise<ProfileDiff> {
    const { kind, before, after, limit } = pair;
    const store = this.#stored();
    await using earlier = await store.open(before);
    await using later = await store.open(after);
    const file = ({ path, profile: { id } }: ArtifactReader) => ({ path, positions: store.sourcePositions(id) });
    const { functions, tree, ...sums } = await this.#worker.diff(
      { kind, before: file(earlier), after: file(later), limit },
      signal,
    );
    return { kind, before, after, ...sums, functions: [...functions], tree: [...tree] };
  }

  #stored(): ProfileStore {
    if (this.#store === undefined) throw new SidescopeError('unknown-profile', 'there is no storage');
    return this.#store;
  }
}

const noSource =
  "source lines are kept only when the capture ends with the target's files in reach, and functions of files executed";
const sourceLinesOff = 'source lines are not kept: --source-lines is off';
