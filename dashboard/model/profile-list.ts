import type { Profile } from '../../protocol/rest/profile.ts';
import { profileSummary } from './words.ts';

export const profileOrders = {
  newest: 'Newest first',
  longest: 'Longest first',
  largest: 'Largest first',
  pause: 'Longest pause first',
  target: 'By target',
} as const;
export type ProfileOrder = keyof typeof profileOrders;

export interface ProfileFilter {
  readonly text: string;
  readonly order: ProfileOrder;
  readonly pinnedOnly: boolean;
}

/** Rows drawn at a time: ten thousand in the document would make every click slow. */
export const rowsPerPage = 50;

export function isProfileOrder(text: string | undefined): text is ProfileOrder {
  return text !== undefined && Object.hasOwn(profileOrders, text);
}

/** Of those read so far, those that fit, in order. The text is looked for in names, labels and what stands out, without regard to case. */
export function arrange(items: readonly Profile[], filter: ProfileFilter): readonly Profile[] {
  const wanted = filter.text.trim().toLowerCase();
  const fitting =
    wanted === '' && !filter.pinnedOnly
      ? items
      : items.filter((profile) => (!filter.pinnedOnly || profile.pinned) && textOf(profile).includes(wanted));
  const compare = comparisons[filter.order];
  return compare === null ? fitting : fitting.toSorted(compare);
}

/** Page `page` (from 0) of a list; the last one for a page that is no longer there. */
export function pageOf<T>(list: readonly T[], page: number): { page: number; pages: number; rows: readonly T[] } {
  const pages = Math.max(1, Math.ceil(list.length / rowsPerPage));
  const shown = Math.min(Math.max(0, Math.trunc(page)), pages - 1);
  return { page: shown, pages, rows: list.slice(shown * rowsPerPage, (shown + 1) * rowsPerPage) };
}

/** Why these cannot be compared, or null when they can: two of a kind that has functions. */
export function compareObstacle(chosen: readonly Profile[]): string | null {
  const [first, second] = chosen;
  if (first === undefined || second === undefined || chosen.length > 2) return 'Choose two.';
  if (first.kind !== second.kind) return 'Choose two of one kind.';
  return null;
}

type Comparison = (a: Profile, b: Profile) => number;

const comparisons: Readonly<Record<ProfileOrder, Comparison | null>> = {
  newest: null,
  longest: (a, b) => b.durationMs - a.durationMs,
  largest: (a, b) => b.sizeBytes - a.sizeBytes,
  pause: (a, b) => (b.cost.pauseMs ?? -1) - (a.cost.pauseMs ?? -1),
  target: (a, b) => a.targetName.localeCompare(b.targetName) || b.startedAt.localeCompare(a.startedAt),
};

function textOf(profile: Profile): string {
  const labels = Object.entries(profile.labels).flat();
  return [profile.targetName, profile.thread.id, profile.fileName, profileSummary(profile), ...labels]
    .join('\n')
    .toLowerCase();
}
