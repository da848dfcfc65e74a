import { ByteWriter } from './byte-writer.ts';
import { stackOf, sumNodes } from './call-tree.ts';
import { categorizeFrame, longFrameText } from './frame-text.ts';
import type { CpuProfile } from './model.ts';

/**
 * Collapsed stacks, as Brendan Gregg's flamegraph.pl and its descendants read them: one line per stack, outermost frame
 * first, then a space and the number of samples, sorted by text. A frame is `fib /srv/app.js:12`; a `;` inside a name is
 * written as `%3B`, line ends as `%0A` and `%0D`. `(root)` is left out, `(idle)` too unless asked for.
 */
export function encodeCollapsed(
  profile: CpuProfile,
  { includeIdle = false }: { includeIdle?: boolean } = {},
): Uint8Array<ArrayBuffer> {
  const texts = profile.frames.map((frame) => longFrameText(frame).replace(/[;\n\r]/g, encodeURIComponent));
  const isLeftOut = profile.frames.map((frame) => !includeIdle && categorizeFrame(frame) === 'idle');
  const samplesByStack = new Map<string, number>();
  sumNodes(profile).selfSamples.forEach((samples, node) => {
    if (samples === 0 || isLeftOut[profile.nodeFrames[node]!]) return;
    const { frames, isCut } = stackOf(profile, node);
    const stack = frames.map((frame) => texts[frame]!).toReversed();
    const line = (isCut ? ['(deeper frames)', ...stack] : stack).join(';');
    samplesByStack.set(line, (samplesByStack.get(line) ?? 0) + samples);
  });
  const writer = new ByteWriter();
  for (const stack of [...samplesByStack.keys()].sort()) writer.text(`${stack} ${samplesByStack.get(stack)}\n`);
  return writer.bytes;
}
