import { categorizeFrame } from './frame-text.ts';
import { findHotFunctions } from './hot-functions.ts';
import type { HotFunction } from './hot-functions.ts';
import type { CpuProfile } from './model.ts';

export interface FunctionChange {
  readonly functionName: string;
  readonly url: string;
  /** Of the later profile, where it is in that; lines move between versions, so they do not tell functions apart. */
  readonly line: number;
  readonly kind: 'new' | 'gone' | 'changed';
  /** Self samples, of those in which the thread was not idle: 0 to 1. */
  readonly shareBefore: number;
  readonly shareAfter: number;
  readonly change: number;
  readonly samplesBefore: number;
  readonly samplesAfter: number;
  /** Is the change beyond what two samplings of the same program differ by (3 standard errors)? */
  readonly isSignificant: boolean;
}

export interface CpuDiff {
  readonly activeSamplesBefore: number;
  readonly activeSamplesAfter: number;
  /** Of all samples, those in which the thread was not idle. */
  readonly busyBefore: number;
  readonly busyAfter: number;
  /** The largest change first, up or down. */
  readonly functions: readonly FunctionChange[];
}

/**
 * Two profiles of one program, by functions: shares of the busy samples, so that load and duration do not matter. A
 * function is known by name and file; several of one name in one file count as one.
 */
export function diffCpuProfiles(before: CpuProfile, after: CpuProfile, limit = 50): CpuDiff {
  const a = sumFunctions(before);
  const b = sumFunctions(after);
  const changes = [...new Set([...a.byKey.keys(), ...b.byKey.keys()])].map((key) => {
    const [old, now] = [a.byKey.get(key), b.byKey.get(key)];
    const { functionName, url, line } = (now ?? old)!;
    const [samplesBefore, samplesAfter] = [old?.samples ?? 0, now?.samples ?? 0];
    const shareBefore = share(samplesBefore, a.activeSamples);
    const shareAfter = share(samplesAfter, b.activeSamples);
    const errors = errorOf(shareBefore, a.activeSamples) + errorOf(shareAfter, b.activeSamples);
    return {
      functionName,
      url,
      line,
      kind: old === undefined ? ('new' as const) : now === undefined ? ('gone' as const) : ('changed' as const),
      shareBefore,
      shareAfter,
      change: shareAfter - shareBefore,
      samplesBefore,
      samplesAfter,
      isSignificant: Math.abs(shareAfter - shareBefore) > 3 * Math.sqrt(errors),
    };
  });
  return {
    activeSamplesBefore: a.activeSamples,
    activeSamplesAfter: b.activeSamples,
    busyBefore: share(a.activeSamples, before.samples.length),
    busyAfter: share(b.activeSamples, after.samples.length),
    functions: changes
      .sort(
        (x, y) =>
          Math.abs(y.change) - Math.abs(x.change) ||
          compareText(x.functionName, y.functionName) ||
          compareText(x.url, y.url),
      )
      .slice(0, limit),
  };
}

interface FunctionSum extends Pick<HotFunction, 'functionName' | 'url' | 'line'> {
  samples: number;
}

function sumFunctions(profile: CpuProfile): { activeSamples: number; byKey: ReadonlyMap<string, FunctionSum> } {
  const byKey = new Map<string, FunctionSum>();
  let activeSamples = 0;
  const isIdle = profile.frames.map((frame) => categorizeFrame(frame) === 'idle');
  for (const node of profile.samples) if (!isIdle[profile.nodeFrames[node]!]!) activeSamples++;
  for (const { functionName, url, line, selfSamples } of findHotFunctions(profile, Infinity)) {
    const key = `${functionName}\n${url}`;
    const known = byKey.get(key);
    if (known === undefined) byKey.set(key, { functionName, url, line, samples: selfSamples });
    else known.samples += selfSamples;
  }
  return { activeSamples, byKey };
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

/** Of a share, as variance; as if there were one more sample, so that none of few is not certain. */
function errorOf(value: number, samples: number): number {
  const softened = (value * samples + 0.5) / (samples + 1);
  return (softened * (1 - softened)) / (samples + 1);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
