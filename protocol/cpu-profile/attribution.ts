import { Confidence } from './attribution-confidence.ts';
import type { CpuProfile } from './model.ts';
import { OpenRequests, quietRequests } from './open-requests.ts';
import { markReadings, readingBefore, way } from './reading-marks.ts';
import type { OwnedReading, ReadingMarks } from './reading-marks.ts';
import type { JoinInput, RequestWindow } from './spans.ts';
import { readingOf } from './spans.ts';
import { sampleState, sampleStates } from './stack-runs.ts';

/** A request that has samples; one that only readings told of has neither start nor end. */
export type KnownRequest = Pick<RequestWindow, 'traceId' | 'spanId' | 'name' | 'route'> & {
  readonly window: RequestWindow | null;
};

/** What an owner can be besides a request. `shared`: each of the open ones has an equal part of the sample. */
export const ownerOf = { outside: -1, unknown: -2, shared: -3 } as const;

/** Per sample whose work it was, and how likely that is right. */
export interface Attribution {
  readonly requests: readonly KnownRequest[];
  /** Index in `requests`, or one of `ownerOf`. */
  readonly owners: Int32Array;
  /** 0 to 1; of a shared sample, one divided by the open requests. */
  readonly confidences: Float32Array;
  readonly states: Uint8Array;
  /** Requests that were open and never at work. */
  readonly quiet: ReadonlySet<number>;
}

/** Shared among more, a sample says nothing. */
const sharersMax = 64;

/**
 * Whose work each sample was. A *run* is what the thread did between two idle samples; a *stretch* the part of it in which one call of the application was on the
 * stack all the time. In order of what is known:
 *
 * 1. A reading in the same run names the request, and from there to the sample no other request was open and off a wait: `sure`.
 * 2. Others were open, but the sample is in the same stretch as one or two readings: the nearer they are, and if they agree, the surer.
 * 3. No reading: the only request that was open; none was open; several share it.
 *
 *     samples   idle A A A A A B B idle      readings  ^ at A: the A's are its, B is another call below the event loop
 */
export function attributeSamples(profile: CpuProfile, input: JoinInput): Attribution {
  const { requests, readings } = ownReadings(input);
  const states = sampleStates(profile);
  const quiet = quietOf(input, readings);
  const sole = soleRequests(profile, { input, quiet });
  const marks = markReadings(profile, { readings, states, sole });
  const confidence = calibrate({ readings, marks, sole });
  const owners = new Int32Array(states.length).fill(ownerOf.unknown);
  const confidences = new Float32Array(states.length);
  for (let at = 0; at < states.length; at++) {
    if (states[at] === sampleState.idle) continue;
    const best = bestGuess(at, { profile, readings, marks, sole, states, confidence });
    owners[at] = best.owner;
    confidences[at] = best.confidence;
  }
  shareOut(profile, { input, quiet, states, owners, confidences });
  return { requests, owners, confidences, states, quiet };
}

/** Calls back with each part of each sample that belongs to a request: `weight` 1, or what it has of a shared one. */
export function forEachPart(
  profile: CpuProfile,
  attributed: { attribution: Attribution; input: JoinInput },
  visit: (part: { sample: number; request: number; weight: number; confidence: number }) => void,
): void {
  const { attribution, input } = attributed;
  const open = new OpenRequests(input.requests, attribution.quiet);
  attribution.owners.forEach((owner, sample) => {
    const confidence = attribution.confidences[sample]!;
    if (owner >= 0) visit({ sample, request: owner, weight: 1, confidence });
    if (owner !== ownerOf.shared) return;
    for (const request of open.moveTo(wallMsOf(profile, input, sample)))
      visit({ sample, request, weight: confidence, confidence });
  });
}

/** Readings as requests: by the span, where a trace came in more than once; by the trace else. */
function ownReadings({ readings, requests: windows }: JoinInput) {
  const requests: KnownRequest[] = windows.map((window) => ({ ...window, window }));
  const bySpan = new Map<string, number>();
  const byTrace = new Map<string, number>();
  windows.forEach(({ traceId, spanId, seenSpanIds }, index) => {
    if (!byTrace.has(traceId)) byTrace.set(traceId, index);
    for (const id of [spanId, ...seenSpanIds]) bySpan.set(`${traceId} ${id}`, index);
  });
  const ownerOfSpan = (readings?.spans ?? []).map((span) => {
    const known = bySpan.get(`${span.traceId} ${span.spanId}`) ?? byTrace.get(span.traceId);
    if (known !== undefined) return known;
    const index = requests.push({ ...span, window: null }) - 1;
    byTrace.set(span.traceId, index);
    return index;
  });
  const owned = (readings?.timesUs ?? []).map((atUs, index): OwnedReading => {
    const span = readings?.spanIndexes[index] ?? readingOf.unknown;
    if (span >= 0) return { atUs, owner: ownerOfSpan[span] ?? ownerOf.unknown };
    return { atUs, owner: span === readingOf.noneRan ? ownerOf.outside : ownerOf.unknown };
  });
  return { requests, readings: owned.filter(({ owner }) => owner !== ownerOf.unknown) };
}

const soleOf = { none: -1, several: -2 } as const;

/** Per sample: the only request that can have been at work, or one of `soleOf`. */
function soleRequests(
  profile: CpuProfile,
  { input, quiet }: { input: JoinInput; quiet: ReadonlySet<number> },
): Int32Array {
  const sole = new Int32Array(profile.samples.length).fill(soleOf.several);
  if (!input.isMainThread || input.wallOffsetMs === null) return sole;
  const open = new OpenRequests(input.requests, quiet);
  for (let at = 0; at < sole.length; at++) {
    const now = open.moveTo(wallMsOf(profile, input, at));
    if (now.size < 2) sole[at] = [...now][0] ?? soleOf.none;
  }
  return sole;
}

function quietOf(input: JoinInput, readings: readonly OwnedReading[]): ReadonlySet<number> {
  const { wallOffsetMs } = input;
  if (!input.isMainThread || wallOffsetMs === null) return new Set();
  const seen = readings.map(({ atUs, owner }) => ({ wallMs: atUs / 1_000 + wallOffsetMs, owner }));
  return quietRequests(input.requests, seen);
}

function wallMsOf(profile: CpuProfile, { wallOffsetMs }: JoinInput, sample: number): number {
  return (profile.startTimeUs + profile.sampleTimesUs[sample]!) / 1_000 + (wallOffsetMs ?? 0);
}

function calibrate(found: { readings: readonly OwnedReading[]; marks: ReadingMarks; sole: Int32Array }): Confidence {
  const { readings, marks, sole } = found;
  const confidence = new Confidence(chanceOf(readings));
  readings.forEach(({ atUs, owner }, index) => {
    const sample = marks.samples[index]!;
    if (sample === -1) return;
    const only = sole[sample]!;
    if (only >= 0) confidence.tryAlone(owner === only);
    else if (only === soleOf.none) confidence.tryOutside(owner === ownerOf.outside);
    const earlier = readingBefore(index, { readings, marks });
    if (earlier === undefined) return;
    if ((earlier.bits & way.sure) !== 0) confidence.trySure(earlier.owner === owner);
    else if ((earlier.bits & way.stretch) !== 0) confidence.tryNear(atUs - earlier.atUs, earlier.owner === owner);
  });
  return confidence;
}

/** How likely two readings of any times name the same request. */
function chanceOf(readings: readonly OwnedReading[]): number {
  const counts = new Map<number, number>();
  for (const { owner } of readings) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  return [...counts.values()].reduce((sum, count) => sum + (count / readings.length) ** 2, 0);
}

interface Guess {
  readonly owner: number;
  readonly confidence: number;
}

function bestGuess(
  at: number,
  known: {
    profile: CpuProfile;
    readings: readonly OwnedReading[];
    marks: ReadingMarks;
    sole: Int32Array;
    states: Uint8Array;
    confidence: Confidence;
  },
): Guess {
  const { profile, readings, marks, sole, states, confidence } = known;
  const atUs = profile.startTimeUs + profile.sampleTimesUs[at]!;
  const before = readings[marks.before[at]!];
  const after = readings[marks.after[at]!];
  const [beforeWay, afterWay] = [marks.beforeWay[at]!, marks.afterWay[at]!];
  if (before !== undefined && (beforeWay & way.sure) !== 0) return { owner: before.owner, confidence: confidence.sure };
  if (after !== undefined && (afterWay & way.sure) !== 0) return { owner: after.owner, confidence: confidence.sure };
  // What V8 saw no JavaScript in may be anything, but for where nothing else was.
  if (states[at] === sampleState.other) return nobody;
  const guesses: Guess[] = [byTime(sole[at]!, confidence)];
  const isBeforeNear = before !== undefined && (beforeWay & way.stretch) !== 0;
  const isAfterNear = after !== undefined && (afterWay & way.stretch) !== 0;
  if (isBeforeNear) guesses.push({ owner: before.owner, confidence: confidence.near(Math.max(0, atUs - before.atUs)) });
  if (isAfterNear) guesses.push({ owner: after.owner, confidence: confidence.near(Math.max(0, after.atUs - atUs)) });
  if (isBeforeNear && isAfterNear && before.owner === after.owner)
    guesses.push({
      owner: before.owner,
      confidence: confidence.between(Math.max(0, atUs - before.atUs), Math.max(0, after.atUs - atUs)),
    });
  return guesses.reduce((best, guess) => (guess.confidence > best.confidence ? guess : best));
}

const nobody: Guess = { owner: ownerOf.unknown, confidence: 0 };

function byTime(sole: number, confidence: Confidence): Guess {
  if (sole >= 0) return { owner: sole, confidence: confidence.alone };
  return sole === soleOf.none ? { owner: ownerOf.outside, confidence: confidence.outside } : nobody;
}

/** What nothing better is known of is shared by the open requests; a guess that is worse than that becomes one of them. */
function shareOut(
  profile: CpuProfile,
  found: {
    input: JoinInput;
    quiet: ReadonlySet<number>;
    states: Uint8Array;
    owners: Int32Array;
    confidences: Float32Array;
  },
): void {
  const { input, quiet, states, owners, confidences } = found;
  if (!input.isMainThread || input.wallOffsetMs === null) return;
  const open = new OpenRequests(input.requests, quiet);
  for (let at = 0; at < owners.length; at++) {
    if (states[at] === sampleState.idle || states[at] === sampleState.other) continue;
    const { size } = open.moveTo(wallMsOf(profile, input, at));
    if (size < 2 || size > sharersMax || confidences[at]! >= 1 / size) continue;
    owners[at] = ownerOf.shared;
    confidences[at] = 1 / size;
  }
}
