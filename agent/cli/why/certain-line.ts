import { filePathOf } from '../../../protocol/cpu-profile/frame-text.ts';
import type { CpuProfile } from '../../../protocol/cpu-profile/model.ts';
import type { StackSample } from './observe.ts';
import { hottestLine, mostFrequent } from './places.ts';
import type { Hotspot, Place } from './places.ts';

interface Seen {
  readonly samples: readonly StackSample[];
  readonly profile: CpuProfile | null;
}

/**
 * V8 looks for interrupts where a function begins, and a profile has no line for a function that only waits for what it called: both then show its header. The
 * other one, or another sample, knows the line.
 */
export function certainLine(hotspot: Hotspot, { samples, profile }: Seen): Hotspot {
  const { place } = hotspot;
  const at = profile?.frames.findIndex((frame) => isIn(frame, place) && frame.line === place.line) ?? -1;
  if (profile === null || at === -1) return hotspot;
  const isInside = (line: number | undefined): line is number => line !== undefined && line !== place.line;
  const ofProfile = hottestLine(profile, at);
  const ofStacks = samples.flatMap(({ frames }) => {
    const frame = frames?.find((each) => isIn(each, place));
    const isOther = frame?.functionPlace !== undefined && frame.functionPlace.line !== place.line;
    const line = frame?.lineNumber;
    return isInside(line) && !isOther ? [line] : [];
  });
  const line = isInside(ofProfile) ? ofProfile : ofStacks.length > 0 ? mostFrequent(ofStacks, String) : undefined;
  return line === undefined ? hotspot : { ...hotspot, place: { ...place, line, column: 0 } };
}

function isIn(frame: { readonly functionName: string; readonly url: string }, { functionName, file }: Place): boolean {
  return (frame.functionName || '(anonymous)') === functionName && filePathOf(frame.url) === file;
}
