import { SidescopeError } from '../../protocol/error.ts';
import type { FunctionChange } from '../../protocol/rest/diff.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import type { ProfileWorker } from '../capture/profile-worker.ts';
import type { ProfileStore } from '../store/store.ts';
import type { BaselineState, VersionKey } from './state.ts';

export interface VersionProfilesOptions {
  readonly state: BaselineState;
  readonly store: Pick<ProfileStore, 'open' | 'sourcePositions'>;
  readonly worker: Pick<ProfileWorker, 'merge' | 'diffMerged'>;
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

/** One merged CPU profile per version, of all captures of main threads. */
export class VersionProfiles {
  readonly #options: VersionProfilesOptions;
  readonly #merged = new Set<string>();
  #work: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  /** Not merged because too many waited, or they could not be read. */
  skipped = 0;

  constructor(options: VersionProfilesOptions) {
    this.#options = options;
  }

  /** Adds a stored profile, once. Resolves with the samples of the merged one; undefined when it added nothing. */
  async add(profile: Profile, key: VersionKey, signal: AbortSignal): Promise<number | undefined> {
    const { id, kind, thread, cpu } = profile;
    if (kind !== 'cpu' || thread.kind !== 'main' || cpu === null || cpu.samples === 0 || this.#merged.has(id)) return;
    if (this.#waiting >= waitingMax) {
      this.skipped++;
      return undefined;
    }
    this.#remember(id);
    this.#waiting++;
    const merging = this.#work.then(() => this.#merge(id, key, signal));
    this.#work = merging;
    try {
      return await merging;
    } finally {
      this.#waiting--;
    }
  }

  /** Undefined when one of them has no profile. */
  async diff(before: VersionKey, after: VersionKey, signal: AbortSignal): Promise<VersionDiff | undefined> {
    const { state, worker, log } = this.#options;
    const [first, second] = [await state.readProfile(before), await state.readProfile(after)];
    if (first === undefined || second === undefined) return undefined;
    try {
      const { activeBefore, activeAfter, functions } = await worker.diffMerged(
        { before: first, after: second, limit: functionsMax },
        signal,
      );
      return { samplesBefore: activeBefore, samplesAfter: activeAfter, changes: functions };
    } catch (error) {
      if (!(error instanceof SidescopeError)) throw error;
      log.warn({ code: error.code }, `functions of two versions could not be compared: ${error.message}`);
      return undefined;
    }
  }

  async settled(): Promise<void> {
    await this.#work;
  }

  async #merge(id: string, key: VersionKey, signal: AbortSignal): Promise<number | undefined> {
    const { state, store, worker, log } = this.#options;
    try {
      await using reader = await store.open(id);
      const file = { path: reader.path, positions: store.sourcePositions(id) };
      const into = await state.readProfile(key);
      const merged = await worker.merge(file, into, signal).catch(async (error: unknown) => {
        if (into === undefined || !(error instanceof SidescopeError) || error.code !== 'unreadable-profile')
          throw error;
        // What is unreadable may be what was merged before: without it then, and if this one is the culprit it fails again.
        const alone = await worker.merge(file, undefined, signal);
        await state.setProfileAside(key, error.message);
        return alone;
      });
      return (await state.writeProfile(key, merged.tree)) ? merged.samples : undefined;
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

  #remember(id: string): void {
    this.#merged.add(id);
    const [oldest] = this.#merged;
    if (this.#merged.size > mergedRemembered && oldest !== undefined) this.#merged.delete(oldest);
  }
}
