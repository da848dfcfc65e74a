import type { CpuProfile } from './model.ts';
import { sampleState, StackContinuity } from './stack-runs.ts';

/** A reading, and whose it was: a request by number, or -1 for outside of any. */
export interface OwnedReading {
  readonly atUs: number;
  readonly owner: number;
}

/** Per sample the reading before and after it in its run (-1: none), and how much of the way is undisturbed. */
export interface ReadingMarks {
  readonly before: Int32Array;
  readonly after: Int32Array;
  /** Bits of `way`. */
  readonly beforeWay: Uint8Array;
  readonly afterWay: Uint8Array;
  /** Per reading: the sample it fell on; -1 where the thread was idle. */
  readonly samples: Int32Array;
}

/** `sure`: nothing else was open. `stretch`: one call was on the stack all the way. */
export const way = { sure: 1, stretch: 2 } as const;

export function markReadings(
  profile: CpuProfile,
  found: { readings: readonly OwnedReading[]; states: Uint8Array; sole: Int32Array },
): ReadingMarks {
  const { readings, states, sole } = found;
  const length = states.length;
  const cuts = stretchCuts(profile, states);
  const marks: ReadingMarks = {
    before: new Int32Array(length).fill(-1),
    after: new Int32Array(length).fill(-1),
    beforeWay: new Uint8Array(length),
    afterWay: new Uint8Array(length),
    samples: new Int32Array(readings.length).fill(-1),
  };
  let reading = -1;
  let bits = 0;
  let next = 0;
  const timeOf = (index: number): number => readings[index]!.atUs - profile.startTimeUs;
  for (let at = 0; at < length; at++) {
    if (states[at] === sampleState.idle) reading = -1;
    if (reading !== -1) {
      if (cuts[at] === 1) bits &= ~way.stretch;
      if (sole[at] !== readings[reading]!.owner) bits &= ~way.sure;
      marks.before[at] = reading;
      marks.beforeWay[at] = bits;
    }
    const endUs = profile.sampleTimesUs[at + 1] ?? Infinity;
    while (next < readings.length && timeOf(next) < endUs) {
      // On the way into or out of idleness it is not known which side it was.
      const isAtWork = states[at] !== sampleState.idle && states[at + 1] !== sampleState.idle;
      if (isAtWork && timeOf(next) >= profile.sampleTimesUs[at]!) {
        marks.samples[next] = at;
        reading = next;
        bits = way.sure | way.stretch;
      }
      next += 1;
    }
  }
  let last = readings.length - 1;
  reading = -1;
  for (let at = length - 1; at >= 0; at--) {
    if (states[at] === sampleState.idle) reading = -1;
    if (reading !== -1 && at + 1 < length && cuts[at + 1] === 1 && marks.samples[reading] !== at) bits &= ~way.stretch;
    while (last >= 0 && (marks.samples[last] === -1 || marks.samples[last] === at)) {
      if (marks.samples[last] === at) {
        reading = last;
        bits = way.sure | way.stretch;
      }
      last -= 1;
    }
    if (reading === -1) continue;
    if (sole[at] !== readings[reading]!.owner) bits &= ~way.sure;
    marks.after[at] = reading;
    marks.afterWay[at] = bits;
  }
  return marks;
}

/** Per sample: 1 where it is not of the same stretch as the one before. */
function stretchCuts(profile: CpuProfile, states: Uint8Array): Uint8Array {
  const continuity = new StackContinuity(profile);
  const cuts = new Uint8Array(states.length);
  let before = -1;
  for (let at = 0; at < states.length; at++) {
    if (states[at] === sampleState.gc) continue;
    const node = profile.samples[at]!;
    cuts[at] = states[at] === sampleState.js && before !== -1 && continuity.goesOn(before, node) ? 0 : 1;
    before = states[at] === sampleState.js ? node : -1;
  }
  return cuts;
}

/** The reading before one, seen from the sample that the one fell on. */
export function readingBefore(
  index: number,
  { readings, marks }: { readings: readonly OwnedReading[]; marks: ReadingMarks },
): (OwnedReading & { bits: number }) | undefined {
  const reading = readings[index - 1];
  const sample = marks.samples[index]!;
  const itsSample = marks.samples[index - 1] ?? -1;
  if (reading === undefined || itsSample === -1) return undefined;
  if (itsSample === sample) return { ...reading, bits: way.stretch };
  return marks.before[sample] === index - 1 ? { ...reading, bits: marks.beforeWay[sample]! } : undefined;
}
