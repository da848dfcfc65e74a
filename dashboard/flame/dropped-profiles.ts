/** Profiles of this machine on their way from where they were dropped to the view. Nothing keeps them over a reload. */
const kept: Partial<Record<'open' | 'against', File>> = {};

export function offerProfile(file: File, as: 'open' | 'against' = 'open'): void {
  kept[as] = file;
}

/** The one that was offered last. */
export function offeredProfile(as: 'open' | 'against' = 'open'): File | null {
  return kept[as] ?? null;
}
