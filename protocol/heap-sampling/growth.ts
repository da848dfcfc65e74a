import type { GrowthSite, SitePlace } from '../rest/leaks.ts';

/** An allocation site with what source maps know of it. */
export interface LocatedSite {
  readonly place: SitePlace;
  readonly original: SitePlace | null;
  readonly caller: SitePlace | null;
  readonly bytes: number;
}

/** What grew between two readings of one sampler, most first; with no earlier one, since sampling began. Sites that did not grow are left out. */
export function growthBetween(options: {
  earlier: readonly LocatedSite[];
  later: readonly LocatedSite[];
  forMs: number;
  sitesMax: number;
}): GrowthSite[] {
  const { earlier, later, forMs, sitesMax } = options;
  const before = new Map(earlier.map(({ place, bytes }) => [keyOfSite(place), bytes]));
  return later
    .map(({ place, original, caller, bytes }) => {
      const grownBytes = Math.round(bytes - (before.get(keyOfSite(place)) ?? 0));
      return {
        ...place,
        original,
        caller,
        liveBytes: Math.round(bytes),
        grownBytes,
        bytesPerMinute: forMs > 0 ? Math.round((grownBytes * 60_000) / forMs) : 0,
      };
    })
    .filter(({ grownBytes }) => grownBytes > 0)
    .toSorted((a, b) => b.grownBytes - a.grownBytes)
    .slice(0, sitesMax);
}

export function keyOfSite({ url, line, column, functionName }: SitePlace): string {
  return `${line}:${column}\n${url}\n${functionName}`;
}
