import { categorizeFrame } from '../cpu-profile/frame-text.ts';
import type { Frame } from '../cpu-profile/model.ts';
import type { HeapSamplingProfile } from './model.ts';

/** What one function of the program allocated and is still there, with what Node and V8 allocated for it. */
export interface AllocationSite {
  readonly frame: Frame;
  /** For code of a package: the function of the application that called into it, where one did. */
  readonly caller: Frame | null;
  readonly bytes: number;
}

/**
 * The bytes by function, most first, at most `sitesMax`. What Node's own modules and V8's builtins allocate is credited to the function that called them: a
 * timer to who set it, a listener to who added it. Never one of our own evaluations nor the root.
 */
export function allocationSites(
  profile: HeapSamplingProfile,
  { sitesMax }: { sitesMax: number },
): { readonly liveBytes: number; readonly sites: AllocationSite[] } {
  const { frames, nodeFrames, parents, selfBytes } = profile;
  const kinds = frames.map(kindOf);
  // Parents stand before their children: one pass hands both down.
  const owners = new Int32Array(nodeFrames.length).fill(-1);
  const callers = new Int32Array(nodeFrames.length).fill(-1);
  const byOwner = new Map<number, { bytes: number; byCaller: Map<number, number> }>();
  let liveBytes = 0;
  for (let node = 0; node < nodeFrames.length; node++) {
    const frame = nodeFrames[node]!;
    const kind = kinds[frame]!;
    const parent = parents[node]!;
    owners[node] = kind === 'app' || kind === 'package' || parent === -1 ? frame : owners[parent]!;
    callers[node] = kind === 'app' ? frame : parent === -1 ? -1 : callers[parent]!;
    const bytes = selfBytes[node]!;
    if (bytes === 0 || kind === 'ours') continue;
    liveBytes += bytes;
    const owner = owners[node]!;
    let site = byOwner.get(owner);
    if (site === undefined) byOwner.set(owner, (site = { bytes: 0, byCaller: new Map() }));
    site.bytes += bytes;
    const caller = callers[node]!;
    site.byCaller.set(caller, (site.byCaller.get(caller) ?? 0) + bytes);
  }
  const sites = [...byOwner]
    .filter(([owner]) => kinds[owner] === 'app' || kinds[owner] === 'package')
    .map(([owner, { bytes, byCaller }]) => {
      const [heaviest = -1] = [...byCaller].toSorted(([, a], [, b]) => b - a)[0] ?? [];
      return {
        frame: frames[owner]!,
        caller: heaviest === -1 || heaviest === owner ? null : frames[heaviest]!,
        bytes,
      };
    })
    .toSorted((a, b) => b.bytes - a.bytes)
    .slice(0, sitesMax);
  return { liveBytes, sites };
}

function kindOf(frame: Frame): 'app' | 'package' | 'inside' | 'ours' {
  if (frame.url.startsWith('sidescope:')) return 'ours';
  const category = categorizeFrame(frame);
  return category === 'app' || category === 'package' ? category : 'inside';
}
