import { longFrameText } from '../../protocol/cpu-profile/frame-text.ts';
import { SidescopeError } from '../../protocol/error.ts';
import type { FlameTree } from './flame-tree.ts';

export interface Matches {
  /** Per frame: 1 where it matches. */
  readonly frames: Uint8Array;
  readonly functions: number;
  /** Of all that the tree weighs: what matching functions have, with all that they call; nothing counts twice. */
  readonly share: number;
}

const patternCharsMax = 500;
/** Longer names are looked at up to here. */
const textCharsMax = 2_000;

/** Functions by name and file, upper and lower case alike. Throws `invalid-request` for what is no regular expression. */
export function searchFrames(tree: FlameTree, pattern: string): Matches {
  const expression = compile(pattern);
  const frames = Uint8Array.from(tree.frames, (frame) =>
    expression.test(longFrameText(frame).slice(0, textCharsMax)) ? 1 : 0,
  );
  const { nodeFrames, ends, totals } = tree;
  const seen = new Set<number>();
  let sum = 0;
  for (let node = 1; node < nodeFrames.length; node++) {
    if (frames[nodeFrames[node]!] === 1) seen.add(nodeFrames[node]!);
  }
  for (let node = 1; node < nodeFrames.length;) {
    const isMatch = frames[nodeFrames[node]!] === 1;
    if (isMatch) sum += totals[node]!;
    node = isMatch ? ends[node]! : node + 1;
  }
  return { frames, functions: seen.size, share: totals[0]! > 0 ? Math.min(1, sum / totals[0]!) : 0 };
}

function compile(pattern: string): RegExp {
  if (pattern.length > patternCharsMax) {
    throw new SidescopeError('invalid-request', `the expression has ${pattern.length} characters, the limit is 500`);
  }
  try {
    return new RegExp(pattern, 'iu');
  } catch {
    // Names have brackets and dollars: what is no expression in the strict sense often is one in the old.
  }
  try {
    return new RegExp(pattern, 'i');
  } catch (error) {
    throw new SidescopeError('invalid-request', error instanceof Error ? error.message : String(error));
  }
}
