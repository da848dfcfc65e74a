import type { z } from 'zod';
import type { cpuFactsSchema } from '../rest/profile.ts';
import { sumNodes } from './call-tree.ts';
import { shortFrameText } from './frame-text.ts';
import { findHotFunctions, sumCategories } from './hot-functions.ts';
import { sampleDurationUs } from './model.ts';
import type { CpuProfile } from './model.ts';
import { originalCpuProfile } from './originals.ts';
import type { SourcePositions } from '../source-map/original.ts';

export type CpuFacts = z.infer<typeof cpuFactsSchema>;

/** `no-samples`: V8 took none. `only-root`: all of them saw nothing but the root, which is what a stuck sampler gives. */
export type CpuProblem = 'no-samples' | 'only-root';

/**
 * What the list of profiles shows of one. `intervalUs` is measured: the median distance of two samples; the file does not
 * say which one was asked for. `topFunction` may be the garbage collector, never `(idle)`, `(program)` or `(root)`; it is the original
 * function where `positions` know it.
 */
export function cpuFacts(
  profile: CpuProfile,
  positions?: SourcePositions,
): { facts: CpuFacts; problems: CpuProblem[] } {
  const { selfUs, totalUs } = sumNodes(profile);
  const categories = sumCategories(profile, selfUs);
  const sampledUs = totalUs[0]!;
  const durationUs = profile.endTimeUs - profile.startTimeUs;
  const samples = profile.samples.length;
  const topRaw = findTopFunction(profile);
  const top = positions === undefined ? topRaw : findTopFunction(originalCpuProfile(profile, positions));
  return {
    facts: {
      intervalUs: medianIntervalUs(profile),
      samples,
      nodes: profile.parents.length,
      samplingHz: durationUs > 0 ? Math.round((samples * 10_000_000) / durationUs) / 10 : 0,
      idleShare: sampledUs > 0 ? categories.idle / sampledUs : null,
      gcShare: sampledUs > 0 ? categories.gc / sampledUs : null,
      startTimeUs: profile.startTimeUs,
      endTimeUs: profile.endTimeUs,
      topFunction: top,
      ...(topRaw !== null && topRaw !== top && { topFunctionRaw: topRaw }),
    },
    problems: findProblems(profile),
  };
}

function findProblems(profile: CpuProfile): CpuProblem[] {
  if (profile.samples.length === 0) return ['no-samples'];
  return profile.samples.every((node) => node === 0) ? ['only-root'] : [];
}

function findTopFunction(profile: CpuProfile): string | null {
  // Two: the first may be (program), which appears once.
  const top = findHotFunctions(profile, 2).find(({ category }) => category !== 'program');
  return top === undefined ? null : shortFrameText({ ...top, scriptId: '' });
}

function medianIntervalUs(profile: CpuProfile): number {
  const count = profile.samples.length - 1;
  if (count < 1) return 0;
  const intervalsUs = Float64Array.from({ length: count }, (_, index) => sampleDurationUs(profile, index)).sort();
  return intervalsUs[count >> 1]!;
}
