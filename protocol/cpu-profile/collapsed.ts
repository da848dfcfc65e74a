import { ByteWriter } from './byte-writer.ts';
import { STACK_DEPTH_MAX, sumNodes } from './call-tree.ts';
import { categorizeFrame, longFrameText } from './frame-text.ts';
import type { CpuProfile } from './model.ts';

/**
 * Collapsed stacks, as Brendan Gregg's flamegraph.pl and its descendants read them: one line per stack, outermost frame
 * first, then a space and the number of samples, in the order of the frames' texts. A frame is `fib /srv/app.js:12`; a `;`
 * inside a name is written as `%3B`, line ends as `%0A` and `%0D`. `(root)` is left out, `(idle)` too unless asked for.
 */
export function encodeCollapsed(
  profile: CpuProfile,
  { includeIdle = false }: { includeIdle?: boolean } = {},
): Uint8Array<ArrayBuffer> {
  const texts = profile.frames.map((frame) => longFrameText(frame).replace(/[;\n\r]/g, encodeURIComponent));
  const isLeftOut = profile.frames.map((frame) => !includeIdle && categorizeFrame(frame) === 'idle');
  const stacks = mergeStacks(profile, texts);
  const samples = new Uint32Array(stacks.parents.length);
  sumNodes(profile).selfSamples.forEach((count, node) => {
    if (!isLeftOut[profile.nodeFrames[node]!]) samples[stacks.stackOfNode[node]!]! += count;
  });
  const writer = new ByteWriter();
  for (const stack of sortDepthFirst(stacks)) {
    if (samples[stack]! > 0) writer.text(`${stackText(stacks, stack)} ${samples[stack]}\n`);
  }
  return writer.bytes;
}

/** Nodes whose stacks read the same are one: a tree of texts, parents before children, 0 the root. */
interface Stacks {
  readonly stackOfNode: Uint32Array;
  readonly parents: number[];
  readonly textOfStack: number[];
  /** In the order of the texts. */
  readonly texts: readonly string[];
}

function mergeStacks(profile: CpuProfile, frameTexts: readonly string[]): Stacks {
  const texts = [...new Set(frameTexts)].sort();
  const textIndexes = new Map(texts.map((text, index) => [text, index]));
  const textOfFrame = frameTexts.map((text) => textIndexes.get(text)!);
  const stackOfNode = new Uint32Array(profile.parents.length);
  const parents = [-1];
  const textOfStack = [textOfFrame[profile.nodeFrames[0]!]!];
  const stackByKey = new Map<number, number>();
  for (let node = 1; node < stackOfNode.length; node++) {
    const parent = stackOfNode[profile.parents[node]!]!;
    const text = textOfFrame[profile.nodeFrames[node]!]!;
    const key = parent * texts.length + text;
    let stack = stackByKey.get(key);
    if (stack === undefined) {
      stack = parents.push(parent) - 1;
      textOfStack.push(text);
      stackByKey.set(key, stack);
    }
    stackOfNode[node] = stack;
  }
  return { stackOfNode, parents, textOfStack, texts };
}

function* sortDepthFirst({ parents, textOfStack }: Stacks): Generator<number> {
  const byText = Uint32Array.from(parents.keys()).sort((a, b) => textOfStack[b]! - textOfStack[a]!);
  const firstChild = new Int32Array(parents.length).fill(-1);
  const nextSibling = new Int32Array(parents.length).fill(-1);
  for (const stack of byText) {
    if (stack === 0) continue;
    nextSibling[stack] = firstChild[parents[stack]!]!;
    firstChild[parents[stack]!] = stack;
  }
  const open = [0];
  for (let stack = open.pop(); stack !== undefined; stack = open.pop()) {
    yield stack;
    if (nextSibling[stack]! !== -1) open.push(nextSibling[stack]!);
    if (firstChild[stack]! !== -1) open.push(firstChild[stack]!);
  }
}

function stackText({ parents, textOfStack, texts }: Stacks, stack: number): string {
  const frames: string[] = [];
  let above = stack;
  do {
    frames.push(texts[textOfStack[above]!]!);
    above = parents[above]!;
  } while (above > 0 && frames.length < STACK_DEPTH_MAX);
  if (above > 0) frames.push('(deeper frames)');
  return frames.toReversed().join(';');
}
