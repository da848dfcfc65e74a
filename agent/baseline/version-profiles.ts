import { isSidescopeError } from '../../protocol/error.ts';
import type { FunctionChange } from '../../protocol/rest/diff.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import type { ProfileWorker } from '../capture/profile-worker.ts';
import type { ProfileStore } from '../store/store.ts';
import type { BaselineState } from './state.ts';
import type { VersionKey } from './state-names.ts';
import type { NamedProfile } from './stored-profile.ts';

export interface VersionProfilesOptions {
  readonly state: BaselineState;
  readonly store: Pick<ProfileStore, 'open' | 'sourcePositions'>;
  readonly worker: Pick<ProfileWorker, 'sampleTree' | 'mergeTrees' | 'diffMerged'>;
  readonly log: { warn(facts: object, message: string): void };
}

export interface VersionDiff {
  readonly samplesBefore: number;
  readonly samplesAfter: number;
  readonly changes: readonly FunctionChange[];
}

/** Profiles that wait to be merged; what is beyond is left out of the version's profile, not of the store. */
const waitingMax = 8;
const mergedRemembered = 200;
const functionsMax = 50;
/** More of one version are made one. */
const filesMax = 8;

/** The CPU profiles of a version, of all captures of main threads by all agents: merged when they are read, and by and by where they are stored. */
export class VersionProfiles {
  readonly #options: VersionProfilesOptions;
  readonly #merged = new Set<string>();
  #work: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  /** Not added because too many waited, or they could not be read or written. */
  skipped = 0;

  constructor(options: VersionProfilesOptions) {
    this.#options = options;
  }

  /** Adds a stored profile, once. Resolves with the samples that the version has then; undefined when it added nothing. */
  async add(profile: Profile, key: VersionKey, signal: AbortSignal): Promise<number | undefined> {
    const { id, kind, thread, cpu } = profile;
    if (kind !== 'cpu' || thread.kind !== 'main' || cpu === null || cpu.samples === 0 || this.#merged.has(id)) return;
    if (this.#waiting >= waitingMax) {
      this.skipped++;
      return undefined;
    }
    this.#remember(id);
    this.#waiting++;
    const adding = this.#work.then(() => this.#add(id, key, signal));
    this.#work = adding;
    try {
      return await adding;
    } finally {
      this.#waiting--;
    }
  }

  /** Undefined when one of them has no profile. */
  async diff(before: VersionKey, after: VersionKey, signal: AbortSignal): Promise<VersionDiff | undefined> {
    const { state, worker, log } = this.#options;
    const [old, now] = [await state.readProfiles(before), await state.readProfiles(after)];
    if (old.length === 0 || now.length === 0) return undefined;
    try {
      const trees = { before: old.map(({ tree }) => tree), after: now.map(({ tree }) => tree) };
      const { diff, unreadable } = await worker.diffMerged({ ...trees, limit: functionsMax }, signal);
      await this.#setAside(old, unreadable.before);
      await this.#setAside(now, unreadable.after);
      if (diff === null) return undefined;
      const { activeBefore, activeAfter, functions } = diff;
      return { samplesBefore: activeBefore, samplesAfter: activeAfter, changes: functions };
    } catch (error) {
      if (!isSidescopeError(error)) throw error;
      log.warn({ code: error.code }, `functions of two versions could not be compared: ${error.message}`);
      return undefined;
    }
  }

  async settled(): Promise<void> {
    await this.#work;
  }

  async #add(id: string, key: VersionKey, signal: AbortSignal): Promise<number | undefined> {
    const { state, store, worker, log } = this.#options;
    try {
      await using reader = await store.open(id);
      const { tree, samples } = await worker.sampleTree(
        { path: reader.path, positions: store.sourcePositions(id) },
        signal,
      );
      const stored = await state.addProfile(key, { tree, samples });
      if (stored === undefined) this.skipped++;
      else if (stored.files > filesMax) await this.#mergeStored(key, signal);
      return stored?.samples;
    } catch (error) {
      // The profile itself is in the store, whatever happens here; at the end of the agent the signal's reason comes out.
      this.skipped++;
      if (!signal.aborted)
        log.warn(
          { profile: id },
          `a profile was not added to its version's: ${error instanceof Error ? error.message : String(error)}`,
        );
      return undefined;
    }
  }

  /** What fails here is tried again with the next profile; nothing is lost by it. */
  async #mergeStored(key: VersionKey, signal: AbortSignal): Promise<void> {
    const { state, worker, log } = this.#options;
    const stored = await state.readProfiles(key);
    if (stored.length < 2) return;
    try {
      const { merged, unreadable } = await worker.mergeTrees(
        stored.map(({ tree }) => tree),
        signal,
      );
      await this.#setAside(stored, unreadable);
      const profiles = stored.filter((_, index) => !unreadable.some((one) => one.index === index));
      if (merged !== null && profiles.length > 1) await state.replaceProfiles(key, { profiles, ...merged });
    } catch (error) {
      if (!isSidescopeError(error)) throw error;
      log.warn({ code: error.code }, `the profiles of a version could not be made one: ${error.message}`);
    }
  }

  async #setAside(
    profiles: readonly NamedProfile[],
    unreadable: readonly { readonly index: number; readonly message: string }[],
  ): Promise<void> {
    for (const { index, message } of unreadable) {
      const profile = profiles[index];
      if (profile !== undefined) await this.#options.state.setProfileAside(profile, message);
    }
  }

  #remember(id: string): void {
    this.#merged.add(id);
    const [oldest] = this.#merged;
    if (this.#merged.size > mergedRemembered && oldest !== undefined) this.#merged.delete(oldest);
  }
}
