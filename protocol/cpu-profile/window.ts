import { categorizeFrame } from './frame-text.ts';
import type { CpuProfile } from './model.ts';
import { sampleDurationUs } from './model.ts';
import { OriginalLines, originalFrames } from './originals.ts';
import type { SourcePositions } from '../source-map/original.ts';

/** A function by what V8 calls it, the line in it that ran most, and the same in the source where a map knows it. Lines are 1-based. */
export interface WindowFunction {
  readonly functionName: string;
  readonly url: string;
  /** Where the function begins. */
  readonly line: number;
  readonly column: number;
  readonly hotLine: number;
  readonly original: { readonly functionName: string; readonly url: string; readonly line: number } | null;
  /** Of the time in the window in which JavaScript, or what it called, ran: 0 to 1. */
  readonly share: number;
}

export interface WindowWork {
  /** How much of the window the profile's samples stand for. */
  readonly coveredUs: number;
  /** The application's function that was at work most; what it called of Node's own and of V8's counts as its work. null where none was. */
  readonly dominant: WindowFunction | null;
}

/** What ran in a part of a profile; the times are of the profile's clock, as `startTimeUs`. */
export function workInWindow(
  profile: CpuProfile,
  { fromUs, toUs, positions }: { fromUs: number; toUs: number; positions?: SourcePositions | undefined },
): WindowWork {
  const ownerOf = owners(profile);
  const startUs = fromUs - profile.startTimeUs;
  const endUs = toUs - profile.startTimeUs;
  const byFrame = new Map<number, number>();
  const nodes = new Set<number>();
  let coveredUs = 0;
  let workUs = 0;
  profile.samples.forEach((node, index) => {
    const atUs = profile.sampleTimesUs[index]!;
    const us = Math.min(endUs, atUs + sampleDurationUs(profile, index)) - Math.max(startUs, atUs);
    if (us <= 0) return;
    coveredUs += us;
    const owner = ownerOf[node]!;
    if (owner < 0) return;
    workUs += us;
    nodes.add(node);
    const frame = profile.nodeFrames[owner]!;
    byFrame.set(frame, (byFrame.get(frame) ?? 0) + us);
  });
  const [best] = [...byFrame].sort((a, b) => b[1] - a[1]);
  if (best === undefined) return { coveredUs, dominant: null };
  const [frame, us] = best;
  const owned = [...new Set([...nodes].map((node) => ownerOf[node]!))].filter(
    (owner) => profile.nodeFrames[owner] === frame,
  );
  return { coveredUs, dominant: describe(profile, { frame, nodes: owned, share: us / workUs, positions }) };
}

/** Per node: the nearest one up the stack that is the application's, else itself; -1 for idle time, GC, and where V8 saw no JavaScript. */
function owners({ parents, nodeFrames, frames }: CpuProfile): Int32Array {
  const categories = frames.map(categorizeFrame);
  const owner = new Int32Array(parents.length).fill(-1);
  const isApplication = new Uint8Array(parents.length);
  // Parents stand before their children.
  for (let node = 0; node < parents.length; node++) {
    const category = categories[nodeFrames[node]!]!;
    const above = parents[node]!;
    if (category === 'app' || category === 'package') {
      owner[node] = node;
      isApplication[node] = 1;
    } else if (category === 'node' || category === 'native') {
      const isInherited = above >= 0 && isApplication[above] === 1;
      owner[node] = isInherited ? owner[above]! : node;
      isApplication[node] = isInherited ? 1 : 0;
    }
  }
  return owner;
}

function describe(
  profile: CpuProfile,
  parts: { frame: number; nodes: readonly number[]; share: number; positions: SourcePositions | undefined },
): WindowFunction {
  const { frame, nodes, share, positions } = parts;
  const raw = profile.frames[frame]!;
  const hotLine = hottestLine(profile, nodes) ?? raw.line;
  const original = positions === undefined ? raw : originalFrames([raw], positions)[0]!;
  const isMapped = positions !== undefined && original !== raw;
  return {
    functionName: raw.functionName,
    url: raw.url,
    line: raw.line,
    column: raw.column,
    hotLine,
    original: isMapped
      ? {
          functionName: original.functionName,
          url: original.url,
          line: new OriginalLines(positions).of(hotLine, { raw, original }),
        }
      : null,
    share,
  };
}

/** V8 counts lines for the whole profile, not for a part of it. */
function hottestLine({ lineStarts, lines, lineSamples }: CpuProfile, nodes: readonly number[]): number | undefined {
  const samplesOf = new Map<number, number>();
  for (const node of nodes) {
    for (let at = lineStarts[node]!; at < lineStarts[node + 1]!; at++) {
      samplesOf.set(lines[at]!, (samplesOf.get(lines[at]!) ?? 0) + lineSamples[at]!);
    }
  }
  return [...samplesOf].sort((a, b) => b[1] - a[1])[0]?.[0];
}
