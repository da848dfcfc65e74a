import { attributeSamples, forEachPart, ownerOf } from './attribution.ts';
import type { Attribution, KnownRequest } from './attribution.ts';
import { sumFrameTotals } from './call-tree.ts';
import { categorizeFrame, functionNameOf } from './frame-text.ts';
import type { FrameCategory } from './frame-text.ts';
import type { CpuProfile } from './model.ts';
import { sampleDurationUs } from './model.ts';
import type { JoinInput } from './spans.ts';
import { sampleState } from './stack-runs.ts';

/** From here on an attribution counts as sure. */
export const sureFrom = 0.9;

export interface RequestCpu {
  readonly request: KnownRequest;
  readonly cpuUs: number;
  /** Of it, what is attributed with a confidence of `sureFrom` or more. */
  readonly sureUs: number;
  /** Mean of the confidences, by time. */
  readonly confidence: number;
  /** Samples; parts of shared ones are added up. */
  readonly samples: number;
  /** Most self time, of the application's own functions where there are any. */
  readonly topFunction: RequestFunction | null;
}

export interface RequestFunction {
  readonly functionName: string;
  readonly url: string;
  readonly line: number;
  readonly column: number;
  readonly category: FrameCategory;
  readonly selfUs: number;
  readonly totalUs: number;
  readonly samples: number;
}

export interface ProfileRequestCpu {
  /** Most CPU time first, at most the number asked for. */
  readonly requests: readonly RequestCpu[];
  readonly count: number;
  /** In which the thread was not idle. */
  readonly activeUs: number;
  readonly attributedUs: number;
  /** Ran outside of any request. */
  readonly outsideUs: number;
  readonly readings: number;
}

/** The requests of a profile by the CPU time that they took. */
export function sumRequests(profile: CpuProfile, input: JoinInput, limit: number): ProfileRequestCpu {
  const attribution = attributeSamples(profile, input);
  const sums = new Map<number, { us: number; sureUs: number; weightedUs: number; samples: number }>();
  const selfUs = new Map<number, Map<number, number>>();
  forEachPart(profile, { attribution, input }, ({ sample, request, weight, confidence }) => {
    const us = sampleDurationUs(profile, sample) * weight;
    let sum = sums.get(request);
    if (sum === undefined) sums.set(request, (sum = { us: 0, sureUs: 0, weightedUs: 0, samples: 0 }));
    sum.us += us;
    sum.weightedUs += us * confidence;
    sum.samples += weight;
    if (confidence >= sureFrom) sum.sureUs += us;
    let frames = selfUs.get(request);
    if (frames === undefined) selfUs.set(request, (frames = new Map<number, number>()));
    const frame = profile.nodeFrames[profile.samples[sample]!]!;
    frames.set(frame, (frames.get(frame) ?? 0) + us);
  });
  const ranked = [...sums].filter(([, { us }]) => us > 0).toSorted(([, a], [, b]) => b.us - a.us);
  return {
    requests: ranked.slice(0, limit).map(([index, { us, sureUs, weightedUs, samples }]) => ({
      request: attribution.requests[index]!,
      cpuUs: us,
      sureUs,
      confidence: weightedUs / us,
      samples,
      topFunction: topFunction(profile, { selfUs: selfUs.get(index)!, samples, us }),
    })),
    count: ranked.length,
    attributedUs: ranked.reduce((sum, [, { us }]) => sum + us, 0),
    ...sumRest(profile, attribution),
    readings: input.readings?.timesUs.length ?? 0,
  };
}

/** What one trace did in a profile. */
export interface TraceCpu {
  readonly cpuUs: number;
  readonly confidence: number;
  readonly samples: number;
  readonly functions: readonly RequestFunction[];
}

export function sumTrace(
  profile: CpuProfile,
  input: JoinInput,
  { traceId, limit }: { traceId: string; limit: number },
): TraceCpu {
  const attribution = attributeSamples(profile, input);
  const isAsked = attribution.requests.map((request) => request.traceId === traceId);
  const selfUs = new Float64Array(profile.parents.length);
  const samplesOf = new Map<number, number>();
  let [cpuUs, weightedUs, samples] = [0, 0, 0];
  forEachPart(profile, { attribution, input }, ({ sample, request, weight, confidence }) => {
    if (isAsked[request] !== true) return;
    const us = sampleDurationUs(profile, sample) * weight;
    const node = profile.samples[sample]!;
    selfUs[node]! += us;
    const frame = profile.nodeFrames[node]!;
    samplesOf.set(frame, (samplesOf.get(frame) ?? 0) + weight);
    cpuUs += us;
    weightedUs += us * confidence;
    samples += weight;
  });
  if (cpuUs === 0) return { cpuUs, confidence: 0, samples, functions: [] };
  const frameSelfUs = new Float64Array(profile.frames.length);
  profile.nodeFrames.forEach((frame, node) => (frameSelfUs[frame]! += selfUs[node]!));
  const totalUs = selfUs.slice();
  // Children stand behind their parents.
  for (let node = totalUs.length - 1; node > 0; node--) totalUs[profile.parents[node]!]! += totalUs[node]!;
  const frameTotalsUs = sumFrameTotals(profile, totalUs);
  const functions = [...samplesOf]
    .toSorted(([a], [b]) => frameSelfUs[b]! - frameSelfUs[a]!)
    .slice(0, limit)
    .map(([frame, count]) =>
      describe(profile, { frame, selfUs: frameSelfUs[frame]!, totalUs: frameTotalsUs[frame]!, samples: count }),
    );
  return { cpuUs, confidence: weightedUs / cpuUs, samples, functions };
}

function sumRest(profile: CpuProfile, { owners, states }: Attribution): { activeUs: number; outsideUs: number } {
  let [activeUs, outsideUs] = [0, 0];
  owners.forEach((owner, sample) => {
    if (states[sample] === sampleState.idle) return;
    const us = sampleDurationUs(profile, sample);
    activeUs += us;
    if (owner === ownerOf.outside) outsideUs += us;
  });
  return { activeUs, outsideUs };
}

function topFunction(
  profile: CpuProfile,
  sums: { selfUs: ReadonlyMap<number, number>; samples: number; us: number },
): RequestFunction | null {
  const ranked = [...sums.selfUs].toSorted(([, a], [, b]) => b - a);
  const isApplication = ([frame]: [number, number]): boolean => categorizeFrame(profile.frames[frame]!) === 'app';
  const best = ranked.find(isApplication) ?? ranked[0];
  if (best === undefined) return null;
  const [frame, selfUs] = best;
  const samples = Math.round((sums.samples * selfUs) / sums.us);
  return describe(profile, { frame, selfUs, totalUs: selfUs, samples });
}

function describe(
  profile: CpuProfile,
  { frame: index, ...sums }: { frame: number; selfUs: number; totalUs: number; samples: number },
): RequestFunction {
  const frame = profile.frames[index]!;
  const { url, line, column } = frame;
  return { functionName: functionNameOf(frame), url, line, column, category: categorizeFrame(frame), ...sums };
}
