import {
  categorizeFrame,
  filePathOf,
  functionNameOf,
  shortFrameText,
  type FrameCategory,
} from '../../protocol/cpu-profile/frame-text.ts';
import type { Frame } from '../../protocol/cpu-profile/model.ts';
import { formatBytes, formatDuration, formatShare, plural } from '../format.ts';
import type { FlameTree, FlameUnit } from './flame-tree.ts';
import { pathTo } from './layout.ts';

/** As in the legend; every colour has its word. */
export const categoryWords: Readonly<Record<FrameCategory, string>> = {
  app: 'Application',
  package: 'Package',
  node: 'Node.js',
  native: 'Native',
  gc: 'Garbage collector',
  idle: 'Idle',
  program: 'No JavaScript',
};

/** A name may be 10 kB long. */
const labelCharsMax = 400;
/** Control characters, and marks that turn the direction of what stands beside them. */
const unsafe = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** For a box: one line, in reading order whatever the name holds. */
export function boxLabel(frame: Frame): string {
  if (isRoot(frame)) return 'all';
  return shortFrameText(frame).slice(0, labelCharsMax).replace(unsafe, '·');
}

/** The name alone, as text of the document. */
export function nameOf(frame: Frame): string {
  return isRoot(frame) ? 'all' : functionNameOf(frame).slice(0, labelCharsMax);
}

/** `/srv/app.ts:88`, or '' for what has no place. */
export function placeOf({ url, line }: Frame): string {
  const path = filePathOf(url);
  return path === '' || line === 0 ? path : `${path}:${line}`;
}

/** `pg` of `/srv/node_modules/pg/lib/client.js`; null for what is of no package. */
export function packageOf({ url }: Frame): string | null {
  const found = /.*[\\/]node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)/.exec(url);
  return found?.[1]?.replace('\\', '/') ?? null;
}

export function whoseWords(frame: Frame): string {
  if (isRoot(frame)) return 'Everything';
  const name = packageOf(frame);
  return name === null ? categoryWords[categorizeFrame(frame)] : `Package ${name}`;
}

export function weightText(weight: number, unit: FlameUnit): string {
  switch (unit) {
    case 'microseconds':
      return formatDuration(weight / 1_000);
    case 'bytes':
      return formatBytes(weight);
    case 'count':
      return plural(weight, 'sample');
    case 'share':
      return formatShare(weight);
  }
}

/** "+3.1 %", "−0.4 %", "±0 %": the sign says what the colour does. */
export function changeText(change: number): string {
  if (Math.abs(change) < 0.0005) return '±0 %';
  return `${change > 0 ? '+' : '−'}${formatShare(Math.abs(change))}`;
}

const stackLinesMax = 1_000;

/** The innermost first, as a stack trace reads. */
export function stackText(tree: FlameTree, node: number): string {
  return pathTo(tree, node)
    .slice(1)
    .toReversed()
    .slice(0, stackLinesMax)
    .map((at) => {
      const frame = tree.frames[tree.nodeFrames[at]!]!;
      const place = placeOf(frame);
      return `    at ${nameOf(frame)}${place === '' ? '' : ` (${place})`}`;
    })
    .join('\n');
}

function isRoot({ functionName, url }: Frame): boolean {
  return functionName === '(root)' && url === '';
}
