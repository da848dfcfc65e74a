import type { HotFunction } from '../../protocol/cpu-profile/hot-functions.ts';
import { filePathOf } from '../../protocol/cpu-profile/frame-text.ts';
import { isSidescopeError } from '../../protocol/error.ts';
import type { HotFunctionOfProfiles, HotFunctions } from '../../protocol/rest/hot-functions.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import type { ProfileStore } from '../store/store.ts';

const maxProfiles = 5;
const maxRemembered = 20;

export interface HotProfilesOptions {
  /** Undefined without a data directory. */
  readonly store: Pick<ProfileStore, 'list' | 'open' | 'sourcePositions'> | undefined;
  /** In a process of its own: reading a profile takes a second. */
  read(path: string, options: { positions: Uint8Array | undefined; signal: AbortSignal }): Promise<HotFunction[]>;
}

interface ReadProfile {
  readonly profile: Profile;
  readonly functions: readonly HotFunction[];
}

/** The functions of the latest stored CPU profiles, summed up. Each profile is read once. */
export class HotProfiles {
  readonly #options: HotProfilesOptions;
  readonly #read = new Map<string, readonly HotFunction[]>();

  constructor(options: HotProfilesOptions) {
    this.#options = options;
  }

  /** Rejects with `analysis-limit`, `too-many-analyses`; a profile that is gone or cannot be read is left out. */
  async list(query: {
    since: string | undefined;
    targetId: string | undefined;
    limit: number;
    signal: AbortSignal;
  }): Promise<NonNullable<HotFunctions['cpu']>> {
    const { since, targetId, limit, signal } = query;
    const profiles = this.#options.store?.list({ kind: 'cpu', since, targetId, limit: maxProfiles }).profiles ?? [];
    const read: ReadProfile[] = [];
    for (const profile of profiles) {
      const functions = await this.#functionsOf(profile, signal);
      if (functions !== undefined) read.push({ profile, functions });
    }
    return {
      profileIds: read.map(({ profile }) => profile.id),
      sampledMs: read.reduce((sum, { profile }) => sum + profile.durationMs, 0),
      items: sumUp(read).slice(0, limit),
      countReason: 'samples do not tell how often a function was called, nor how long one call took',
      reason: this.#reason(read.length, profiles.length),
    };
  }

  async #functionsOf(profile: Profile, signal: AbortSignal): Promise<readonly HotFunction[] | undefined> {
    const known = this.#read.get(profile.id);
    if (known !== undefined) return known;
    const { store } = this.#options;
    if (store === undefined) return undefined;
    try {
      await using reader = await store.open(profile.id);
      const functions = await this.#options.read(reader.path, { positions: store.sourcePositions(profile.id), signal });
      this.#read.set(profile.id, functions);
      for (const oldest of this.#read.keys()) {
        if (this.#read.size <= maxRemembered) break;
        this.#read.delete(oldest);
      }
      return functions;
    } catch (error) {
      // Deleted meanwhile, or damaged: the others are worth having without it, and `profileIds` says which they are.
      if (leftOut.some((code) => isSidescopeError(error, code))) return undefined;
      throw error;
    }
  }

  #reason(read: number, found: number): string | null {
    if (read > 0) return null;
    if (this.#options.store === undefined) return 'there is no storage, so no CPU profile is kept';
    return found === 0 ? 'no CPU profile was taken yet: POST /cpu/start' : 'the stored CPU profiles could not be read';
  }
}

const leftOut = ['unknown-profile', 'damaged-profile', 'unreadable-profile'] as const;

function sumUp(read: readonly ReadProfile[]): HotFunctionOfProfiles[] {
  const rows = read.flatMap(({ profile, functions }) => functions.map((one) => ({ profile, one })));
  const merged = Map.groupBy(rows, ({ one }) => `${one.functionName}\n${one.url}\n${one.line}\n${one.column}`);
  const allSelfUs = rows.reduce((sum, { one }) => sum + one.selfUs, 0);
  return [...merged.values()]
    .map((parts): HotFunctionOfProfiles => {
      const { one } = parts[0]!;
      const selfUs = parts.reduce((sum, part) => sum + part.one.selfUs, 0);
      const samples = parts.reduce((sum, part) => sum + part.one.selfSamples, 0);
      return {
        name: one.functionName,
        where: one.url === '' ? null : { file: filePathOf(one.url), line: one.line, column: one.column },
        category: one.category,
        count: null,
        averageMs: null,
        p95Ms: null,
        totalMs: parts.reduce((sum, part) => sum + part.one.totalUs, 0) / 1000,
        selfMs: selfUs / 1000,
        // Samples of one function come as a Poisson process does: n of them are good to the root of n.
        selfErrorMs: samples > 0 ? selfUs / 1000 / Math.sqrt(samples) : 0,
        share: allSelfUs > 0 ? selfUs / allSelfUs : 0,
        samples,
        profiles: new Set(parts.map(({ profile }) => profile.id)).size,
        lastSeenAt: parts
          .map(({ profile }) => profile.endedAt)
          .toSorted()
          .at(-1)!,
      };
    })
    .toSorted((a, b) => b.selfMs - a.selfMs);
}
