import { SidescopeError } from '../../protocol/error.ts';
import type { HeapEvidence } from '../../protocol/rest/leak-snapshots.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import type { Captures } from '../capture/captures.ts';
import type { HeapAnalyses } from '../capture/heap-analyses.ts';
import type { ProfileStore } from '../store/store.ts';

export interface LeakSnapshotsOptions {
  readonly store: Pick<ProfileStore, 'list'> | undefined;
  readonly analyses: Pick<HeapAnalyses, 'isOn' | 'start' | 'growths'>;
  readonly captures: Pick<Captures, 'waitFor' | 'cancel'>;
}

export interface TargetRun {
  readonly targetId: string;
  readonly instanceId: string;
}

/** Of one target, the newest: what was taken before them is not looked at. */
const snapshotsSeen = 20;
/** About 1 GB of snapshot. What takes longer goes on, and the verdicts have it when it is done. */
const longestWaitMs = 60_000;
const inThePage = 'take two heap snapshots as it grows and compare them in the page (Memory)';

/** What heap snapshots that somebody took say of a leak: classes, the ways they are held, and how much of the growth. Takes none itself. */
export class LeakSnapshots {
  readonly #options: LeakSnapshotsOptions;

  constructor(options: LeakSnapshotsOptions) {
    this.#options = options;
  }

  /** What was compared already: the newest two. Throws `storage-failed`. */
  evidence(run: TargetRun): HeapEvidence {
    const { analyses } = this.#options;
    const [growth] = analyses.growths(run).toSorted((a, b) => Date.parse(b.afterAt) - Date.parse(a.afterAt));
    if (growth !== undefined)
      return { growth, note: growth.warning ?? `What the snapshot ${growth.after} has and ${growth.before} has not.` };
    if (!analyses.isOn) return none(`To see what holds the memory, ${inThePage}, or set --heap-analysis.`);
    const [after, before] = this.#snapshots(run);
    if (after === undefined || before === undefined)
      return none(
        'To see what holds the memory, take two heap snapshots as it grows (POST /heap/snapshot): there are fewer of this run.',
      );
    return none(
      `To see what holds the memory, POST /profiles/${after.id}/analyse?against=${before.id}: these snapshots are not compared yet.`,
    );
  }

  /** Compares the newest two snapshots of the run, where that was not done. Throws `storage-failed`; anything else is a note. */
  async compare(run: TargetRun, options: { startedBy: string; signal: AbortSignal }): Promise<HeapEvidence> {
    const { analyses, captures } = this.#options;
    const known = this.evidence(run);
    const [after, before] = this.#snapshots(run);
    if (!analyses.isOn || after === undefined || before === undefined || known.growth?.after === after.id) return known;
    const { startedBy, signal } = options;
    try {
      signal.throwIfAborted();
      const { id } = analyses.start({ profileId: after.id, against: [before.id], startedBy });
      try {
        const { error } = await captures.waitFor(id, { timeoutMs: longestWaitMs, signal });
        if (error !== null) return { ...known, note: `The snapshots could not be compared: ${error.message}` };
      } catch (error) {
        await captures.cancel(id, startedBy).catch(() => undefined); // It has ended meanwhile.
        throw error;
      }
      const found = this.evidence(run);
      if (found.growth?.after === after.id) return found;
      return {
        ...found,
        note: `They are being compared: GET /profiles/${after.id}/diff/${before.id} when it is done.`,
      };
    } catch (error) {
      if (signal.aborted) return { ...known, note: 'The search ended before the snapshots were compared.' };
      if (!(error instanceof SidescopeError)) throw error;
      return { ...known, note: `The snapshots could not be compared: ${error.message}` };
    }
  }

  /** Newest first. */
  #snapshots({ targetId, instanceId }: TargetRun): Profile[] {
    const { store } = this.#options;
    if (store === undefined) return [];
    const { profiles } = store.list({ targetId, kind: 'heap-snapshot', limit: snapshotsSeen });
    return profiles.filter(
      ({ target, thread, complete }) => complete && target.instanceId === instanceId && thread.id === 'main',
    );
  }
}

/** Snapshots hold what the program does, so a token that may not take one does not see what is in it. */
export const withoutHeapScope: HeapEvidence = {
  growth: null,
  note: 'Classes and what holds them need a token with the scope "heap".',
};

function none(note: string): HeapEvidence {
  return { growth: null, note };
}
