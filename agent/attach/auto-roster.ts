import type { AutoTarget } from './auto-targets.ts';
import { targetSource, type TargetSpec } from './target-source.ts';

/** A container that restarts has its address again within a minute, and late spans of a process that has ended still find it. */
const absentMs = 60_000;
/** What has ended stays to be asked for so long, the newest of it: for its stalls, deaths and history by its id. */
export const goneKeptMs = 30 * 60_000;
const goneMax = 32;

export interface RosterChange {
  /** To be watched from now on. */
  readonly add: readonly TargetSpec[];
  /** Ids that are not there any more: watched no longer, and still to be asked for. */
  readonly leave: readonly string[];
  /** Ids to be forgotten. */
  readonly forget: readonly string[];
  /** Found, and not watched for want of room. */
  readonly omitted: number;
}

export interface RosterRound {
  readonly found: readonly AutoTarget[];
  readonly nowMs: number;
  /** How many may be watched beside those that the options name. */
  readonly room: number;
  /** Watched by another name already. */
  readonly isKnown: (spec: TargetSpec) => boolean;
  /** It is seen that its end was noticed by whoever watches it: nothing of it is under way. */
  readonly isLost: (id: string) => boolean;
}

/** Which of the targets that were found by themselves are watched: those that are there. What has ended makes room, at once where that is needed. */
export class AutoRoster {
  readonly #watched = new Map<string, { readonly key: string; absentSinceMs: number | undefined }>();
  /** By when they left, the oldest first. */
  readonly #gone = new Map<string, number>();

  next({ found, nowMs, room, isKnown, isLost }: RosterRound): RosterChange {
    const present = new Set(found.map(({ key }) => key));
    for (const entry of this.#watched.values())
      entry.absentSinceMs = present.has(entry.key) ? undefined : (entry.absentSinceMs ?? nowMs);
    const leave: string[] = [];
    const forget: string[] = [];
    const add: TargetSpec[] = [];
    let omitted = 0;
    const leaves = (id: string): void => {
      this.#watched.delete(id);
      this.#gone.set(id, nowMs);
      leave.push(id);
    };
    const absent = [...this.#watched]
      .filter(([id, { absentSinceMs }]) => absentSinceMs !== undefined && isLost(id))
      .toSorted(([, a], [, b]) => (a.absentSinceMs ?? 0) - (b.absentSinceMs ?? 0));
    for (const [id, { absentSinceMs = nowMs }] of absent) if (nowMs - absentSinceMs >= absentMs) leaves(id);

    for (const { spec, key } of found) {
      const { id } = targetSource(spec);
      const watched = this.#watched.get(id);
      if (watched?.key === key || isKnown(spec)) continue;
      if (watched !== undefined) {
        // Another process has its pid: what is known of the one before would be taken for its own.
        if (!isLost(id)) continue;
        leaves(id);
      }
      if (this.#watched.size >= room) {
        const [longest] = absent.find(([other]) => this.#watched.has(other)) ?? [];
        if (longest !== undefined) leaves(longest);
      }
      if (this.#watched.size >= room) {
        omitted++;
        continue;
      }
      if (this.#gone.delete(id)) forget.push(id);
      this.#watched.set(id, { key, absentSinceMs: undefined });
      add.push(spec);
    }
    for (const [id, leftMs] of this.#gone) {
      if (nowMs - leftMs < goneKeptMs && this.#gone.size <= goneMax) break;
      this.#gone.delete(id);
      forget.push(id);
    }
    return { add, leave, forget, omitted };
  }
}
