import type { Frame } from '../../protocol/cpu-profile/model.ts';
import { originalFrames } from '../../protocol/cpu-profile/originals.ts';
import type { LocatedSite } from '../../protocol/heap-sampling/growth.ts';
import { parseHeapProfileBytes } from '../../protocol/heap-sampling/parse.ts';
import { allocationSites } from '../../protocol/heap-sampling/sites.ts';
import type { SitePlace } from '../../protocol/rest/leaks.ts';
import { findPositions, type SourceMapContext } from '../source-maps/find-positions.ts';

export interface LocatedSites {
  readonly liveBytes: number;
  /** Most bytes first. */
  readonly sites: readonly LocatedSite[];
}

/** The sites of a profile with their original places. Synchronous, and reads files of the target: for a worker. Throws as `parseHeapProfileBytes`. */
export function locateSites(
  profile: Uint8Array,
  { sourceMaps, sitesMax }: { sourceMaps: SourceMapContext | undefined; sitesMax: number },
): LocatedSites {
  const { liveBytes, sites } = allocationSites(parseHeapProfileBytes(profile), { sitesMax });
  const frames = sites.flatMap(({ frame, caller }) => (caller === null ? [frame] : [frame, caller]));
  const originals = originalsOf(frames, sourceMaps);
  const originalOf = new Map(frames.map((frame, index) => [frame, originals[index]!]));
  return {
    liveBytes,
    sites: sites.map(({ frame, caller, bytes }) => {
      const original = originalOf.get(frame)!;
      return {
        place: placeOf(frame),
        original: original === frame ? null : placeOf(original),
        caller: caller === null ? null : placeOf(originalOf.get(caller)!),
        bytes,
      };
    }),
  };
}

function originalsOf(frames: readonly Frame[], sourceMaps: SourceMapContext | undefined): readonly Frame[] {
  if (sourceMaps === undefined) return frames;
  try {
    return originalFrames(frames, findPositions({ places: frames, lines: [] }, sourceMaps).positions);
  } catch {
    // Files of the target that cannot be read: the sites are worth having as V8 names them.
    return frames;
  }
}

function placeOf({ functionName, url, line, column }: Frame): SitePlace {
  return { functionName, url, line, column };
}
