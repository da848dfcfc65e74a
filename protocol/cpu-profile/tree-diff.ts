import { functionNameOf } from './frame-text.ts';
import { Merging, prune } from './merge.ts';
import type { Frame } from './model.ts';
import { pairMoved } from './pair-moved.ts';
import { functionKey, isIdle, totalsOf, type SampleTree } from './sample-tree.ts';

export interface FunctionChange {
  readonly functionName: string;
  readonly url: string;
  /** Of the later profile, where it is in that; lines move between versions, so they do not tell functions apart. */
  readonly line: number;
  readonly kind: 'new' | 'gone' | 'changed';
  /** Self samples or bytes, of those in which the thread was not idle: 0 to 1. */
  readonly shareBefore: number;
  readonly shareAfter: number;
  readonly change: number;
  readonly selfBefore: number;
  readonly selfAfter: number;
  /** Is the change beyond what two samplings of the same program differ by (3 standard errors)? */
  readonly isSignificant: boolean;
}

export interface TreeDiffNode {
  /** Index in the list; -1 for the first. A parent stands before its children. */
  readonly parent: number;
  readonly functionName: string;
  readonly url: string;
  readonly line: number;
  /** Of the busy samples, or of the bytes: 0 to 1. */
  readonly selfBefore: number;
  readonly selfAfter: number;
  readonly totalBefore: number;
  readonly totalAfter: number;
}

export interface TreeDiff {
  readonly activeBefore: number;
  readonly activeAfter: number;
  /** Of all samples, those in which the thread was not idle. */
  readonly busyBefore: number;
  readonly busyAfter: number;
  /** The largest change first, up or down. */
  readonly functions: readonly FunctionChange[];
  /** Both call trees as one, the paths with the most in either. */
  readonly tree: readonly TreeDiffNode[];
}

/**
 * Two profiles of one program by shares, so that load and duration do not matter. A function is known by name and file; one that is
 * in only one of them is looked for in the other under a file that was moved or renamed.
 */
export function diffSampleTrees(
  before: SampleTree,
  after: SampleTree,
  { limit, nodesMax }: { limit: number; nodesMax: number },
): TreeDiff {
  const [a, b] = pairMoved(before, after);
  const [old, now] = [sumFunctions(a), sumFunctions(b)];
  return {
    activeBefore: old.active,
    activeAfter: now.active,
    busyBefore: share(old.active, old.all),
    busyAfter: share(now.active, now.all),
    functions: changesOf(old, now).slice(0, limit),
    tree: nodesMax === 0 ? [] : diffNodes({ before: a, after: b, old, now, nodesMax }),
  };
}

interface Sums {
  readonly active: number;
  readonly all: number;
  /** Statistical: how many samples `active` is made of. */
  readonly samples: number;
  readonly byKey: ReadonlyMap<string, { readonly frame: Frame; self: number }>;
}

function changesOf(old: Sums, now: Sums): FunctionChange[] {
  return [...new Set([...old.byKey.keys(), ...now.byKey.keys()])]
    .map((key): FunctionChange => {
      const [one, other] = [old.byKey.get(key), now.byKey.get(key)];
      const { frame } = (other ?? one)!;
      const shareBefore = share(one?.self ?? 0, old.active);
      const shareAfter = share(other?.self ?? 0, now.active);
      const errors = errorOf(shareBefore, old.samples) + errorOf(shareAfter, now.samples);
      return {
        functionName: functionNameOf(frame),
        url: frame.url,
        line: frame.line,
        kind: one === undefined ? 'new' : other === undefined ? 'gone' : 'changed',
        shareBefore,
        shareAfter,
        change: shareAfter - shareBefore,
        selfBefore: one?.self ?? 0,
        selfAfter: other?.self ?? 0,
        isSignificant: Math.abs(shareAfter - shareBefore) > 3 * Math.sqrt(errors),
      };
    })
    .sort(
      (x, y) =>
        Math.abs(y.change) - Math.abs(x.change) ||
        compareText(x.functionName, y.functionName) ||
        compareText(x.url, y.url),
    );
}

/** By function, without `(root)` and `(idle)`. */
function sumFunctions({ frames, nodeFrames, self, samples }: SampleTree): Sums {
  const idle = frames.map(isIdle);
  const byKey = new Map<string, { frame: Frame; self: number }>();
  let active = 0;
  let all = 0;
  nodeFrames.forEach((index, node) => {
    const value = self[node]!;
    all += value;
    if (value === 0 || idle[index]!) return;
    active += value;
    const frame = frames[index]!;
    if (frame.url === '' && frame.functionName === '(root)') return;
    const key = functionKey(frame);
    const known = byKey.get(key);
    if (known === undefined) byKey.set(key, { frame, self: value });
    else known.self += value;
  });
  return { active, all, samples: samples * share(active, all), byKey };
}

function diffNodes(parts: {
  before: SampleTree;
  after: SampleTree;
  old: Sums;
  now: Sums;
  nodesMax: number;
}): TreeDiffNode[] {
  const { nodesMax } = parts;
  const before = asShares(parts.before, parts.old.active);
  const after = asShares(parts.after, parts.now.active);
  const merging = new Merging();
  const [beforeAt, afterAt] = [merging.add(before), merging.add(after)];
  const both = merging.tree();
  const { kept, indexes } = prune(both, nodesMax);
  const parents = Int32Array.from(kept, (node) => (both.parents[node] === -1 ? -1 : indexes[both.parents[node]!]!));
  const sums = (tree: SampleTree, at: Uint32Array): { self: Float64Array; totals: Float64Array } => {
    const self = new Float64Array(kept.length);
    tree.self.forEach((value, node) => (self[indexes[at[node]!]!]! += value));
    return { self, totals: totalsOf({ parents, self }) };
  };
  const [old, now] = [sums(before, beforeAt), sums(after, afterAt)];
  return kept.map((node, index) => {
    const frame = both.frames[both.nodeFrames[node]!]!;
    return {
      parent: parents[index]!,
      functionName: functionNameOf(frame),
      url: frame.url,
      line: frame.line,
      selfBefore: Math.min(1, old.self[index]!),
      selfAfter: Math.min(1, now.self[index]!),
      // Sums of shares: the last digit may be above 1.
      totalBefore: Math.min(1, old.totals[index]!),
      totalAfter: Math.min(1, now.totals[index]!),
    };
  });
}

/** Idle time is none's. */
function asShares(tree: SampleTree, active: number): SampleTree {
  const idle = tree.frames.map(isIdle);
  return { ...tree, self: tree.self.map((value, node) => (idle[tree.nodeFrames[node]!]! ? 0 : share(value, active))) };
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
