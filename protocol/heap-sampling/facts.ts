import { shortFrameText } from '../cpu-profile/frame-text.ts';
import type { SamplingFacts } from '../rest/profile.ts';
import type { SourcePositions } from '../source-map/original.ts';
import { originalFrames } from '../cpu-profile/originals.ts';
import type { HeapSamplingProfile } from './model.ts';

/** What the file itself says; mode and interval are only known to who took it. */
export type HeapSamplingContent = Omit<SamplingFacts, 'mode' | 'intervalBytes'>;

/** `topSite` is the function that allocated most itself, never one of our own evaluations nor the root; null when nothing was sampled. */
export function heapSamplingFacts(profile: HeapSamplingProfile, positions?: SourcePositions): HeapSamplingContent {
  const { frames, nodeFrames, selfBytes } = profile;
  const bytesOfFrame = new Float64Array(frames.length);
  selfBytes.forEach((bytes, node) => (bytesOfFrame[nodeFrames[node]!]! += bytes));
  let top = -1;
  let topBytes = 0;
  frames.forEach((frame, index) => {
    const bytes = bytesOfFrame[index]!;
    if (bytes <= topBytes || frame.functionName === '(root)' || frame.url.startsWith('sidescope:')) return;
    top = index;
    topBytes = bytes;
  });
  const raw = frames[top];
  const [site] = raw === undefined || positions === undefined ? [raw] : originalFrames([raw], positions);
  return {
    samples: profile.samples,
    nodes: nodeFrames.length,
    sampledBytes: Math.round(selfBytes.reduce((sum, bytes) => sum + bytes, 0)),
    topSite: site === undefined ? null : shortFrameText(site),
    ...(raw !== undefined && raw !== site && { topSiteRaw: shortFrameText(raw) }),
  };
}
