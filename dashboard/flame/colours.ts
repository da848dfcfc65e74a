import { categorizeFrame, type FrameCategory } from '../../protocol/cpu-profile/frame-text.ts';
import type { FlameTree } from './flame-tree.ts';

export type SwatchName = FrameCategory | 'grew' | 'shrank' | 'same';

/** As the style sheet has them in this theme: `rgb(1, 2, 3)`. */
export interface Palette {
  readonly swatches: Readonly<Record<SwatchName, string>>;
  readonly text: string;
  readonly edge: string;
  readonly ground: string;
}

/** What a node is filled with. */
export type Colouring = (node: number) => string;

export function byCategory({ frames, nodeFrames }: FlameTree, { swatches }: Palette): Colouring {
  const colours = frames.map((frame) => swatches[categorizeFrame(frame)]);
  return (node) => colours[nodeFrames[node]!]!;
}

const steps = 4;
/** Twentieths of a percent are the noise of any two profiles. */
const smallest = 0.0005;

/** Red for what has grown, blue for what shrank, the stronger the more of itself that is. */
export function byChange({ before, after }: ChangeColumns, { swatches }: Palette): Colouring {
  const scale = (colour: string): string[] =>
    Array.from({ length: steps + 1 }, (_, step) => mix(swatches.same, colour, (step + 1) / (steps + 1)));
  const [grew, shrank] = [scale(swatches.grew), scale(swatches.shrank)];
  return (node) => {
    const change = after[node]! - before[node]!;
    if (Math.abs(change) < smallest) return swatches.same;
    const part = Math.abs(change) / Math.max(before[node]!, after[node]!);
    return (change > 0 ? grew : shrank)[Math.min(steps, Math.floor(part * (steps + 1)))]!;
  };
}

export interface ChangeColumns {
  readonly before: Float64Array;
  readonly after: Float64Array;
}

/** `part` 0 is the first colour, 1 the second. Colours that are no `rgb()` stay as they are. */
export function mix(from: string, to: string, part: number): string {
  const [a, b] = [channelsOf(from), channelsOf(to)];
  if (a === undefined || b === undefined) return to;
  return `rgb(${a.map((value, channel) => Math.round(value + (b[channel]! - value) * part)).join(', ')})`;
}

function channelsOf(colour: string): number[] | undefined {
  const channels = /^rgba?\(([\d., ]+)\)$/.exec(colour)?.[1]?.split(',').map(Number);
  return channels?.slice(0, 3);
}
