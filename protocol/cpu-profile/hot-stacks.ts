import { shareText } from '../text-table/table.ts';
import { shortFrameText } from './frame-text.ts';
import type { Frame } from './model.ts';

/** Outermost function first. */
export interface HotStack {
  /** Of the whole: 0 to 1. */
  readonly share: number;
  readonly frames: readonly string[];
}

/** The call tree of a CPU profile, or of heap sampling: node 0 is the root. */
interface CallTree {
  readonly frames: readonly Frame[];
  readonly nodeFrames: ArrayLike<number>;
  readonly parents: ArrayLike<number>;
}

/** The `limit` stacks with the most of their own (`selfValues` per node: time or bytes), of `whole`. Recursion is written once. */
export function findHotStacks(
  { frames, nodeFrames, parents }: CallTree,
  { selfValues, whole, limit }: { selfValues: Float64Array; whole: number; limit: number },
): HotStack[] {
  const byText = new Map<string, { value: number; frames: readonly string[] }>();
  const hottest = [...selfValues.keys()]
    .filter((node) => selfValues[node]! > 0 && isOfProgram(frames[nodeFrames[node]!]!))
    .sort((a, b) => selfValues[b]! - selfValues[a]! || a - b)
    .slice(0, STACKS_ASKED);
  for (const node of hottest) {
    const stack: string[] = [];
    for (let at = node; at > 0; at = parents[at]!) {
      const text = shortFrameText(frames[nodeFrames[at]!]!);
      if (stack.at(-1) !== text) stack.push(text);
    }
    const key = stack.join('\n');
    const known = byText.get(key);
    if (known === undefined) byText.set(key, { value: selfValues[node]!, frames: stack.reverse() });
    else known.value += selfValues[node]!;
  }
  return [...byText.values()]
    .sort((a, b) => b.value - a.value)
    .slice(0, limit)
    .map(({ value, frames: stack }) => ({ share: whole > 0 ? value / whole : 0, frames: stack }));
}

/** Not V8's own `(root)` and `(garbage collector)`, nor our evaluations. */
function isOfProgram({ functionName, url }: Frame): boolean {
  return !(functionName.startsWith('(') && url === '') && !url.startsWith('sidescope:');
}

/** Of a tree of any size: stacks that differ only in their recursion are one. */
const STACKS_ASKED = 500;

/** One line each, of 160 characters at most. */
export function stackLines(stacks: readonly HotStack[]): string[] {
  return stacks.map(({ share, frames }) => `  ${shareText(share)}  ${foldStack(frames).join(' > ').slice(0, 140)}`);
}

/** The ends of a stack tell more than its middle. */
function foldStack(frames: readonly string[]): readonly string[] {
  return frames.length <= 5 ? frames : [frames[0]!, '…', ...frames.slice(-3)];
}
