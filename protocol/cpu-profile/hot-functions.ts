import { sumFrameTotals, sumNodes } from './call-tree.ts';
import { categorizeFrame, functionNameOf } from './frame-text.ts';
import type { FrameCategory } from './frame-text.ts';
import type { CpuProfile, Frame } from './model.ts';

export interface HotFunction {
  readonly functionName: string;
  readonly url: string;
  readonly line: number;
  readonly column: number;
  readonly category: FrameCategory;
  readonly selfSamples: number;
  readonly selfUs: number;
  /** With everything it called; a recursive call is not counted again. */
  readonly totalUs: number;
  /** Self time, of the time in which the thread was not idle: 0 to 1. */
  readonly selfShare: number;
}

/** The functions with the most self time, without `(idle)` and `(root)`; ties in the order of the file. */
export function findHotFunctions(profile: CpuProfile, limit = 20): HotFunction[] {
  const { selfUs, selfSamples, totalUs } = sumNodes(profile);
  const frameSelfUs = new Float64Array(profile.frames.length);
  const frameSamples = new Uint32Array(profile.frames.length);
  profile.nodeFrames.forEach((frame, node) => {
    frameSelfUs[frame]! += selfUs[node]!;
    frameSamples[frame]! += selfSamples[node]!;
  });
  const frameTotalsUs = sumFrameTotals(profile, totalUs);
  const activeUs = totalUs[0]! - sumCategories(profile, selfUs).idle;
  return profile.frames
    .map((frame, index) => ({ frame, index }))
    .filter(({ frame, index }) => frameSamples[index]! > 0 && isFunction(frame))
    .toSorted((a, b) => frameSelfUs[b.index]! - frameSelfUs[a.index]! || a.index - b.index)
    .slice(0, limit)
    .map(({ frame, index }) => ({
      functionName: functionNameOf(frame),
      url: frame.url,
      line: frame.line,
      column: frame.column,
      category: categorizeFrame(frame),
      selfSamples: frameSamples[index]!,
      selfUs: frameSelfUs[index]!,
      totalUs: frameTotalsUs[index]!,
      selfShare: activeUs > 0 ? frameSelfUs[index]! / activeUs : 0,
    }));
}

/** Self time in microseconds by whose code it is; adds up to all the time that the samples stand for. */
export function sumCategories(profile: CpuProfile, selfUs: Float64Array): Record<FrameCategory, number> {
  const sums = { app: 0, package: 0, node: 0, native: 0, gc: 0, idle: 0, program: 0 };
  const categories = profile.frames.map(categorizeFrame);
  profile.nodeFrames.forEach((frame, node) => (sums[categories[frame]!] += selfUs[node]!));
  return sums;
}

function isFunction(frame: Frame): boolean {
  return categorizeFrame(frame) !== 'idle' && !(frame.url === '' && frame.functionName === '(root)');
}
