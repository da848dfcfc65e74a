import { formatBytes, formatCount, formatShare } from '../format.ts';
import type { Progress } from './messages.ts';

/** What the worker does now, for people. */
export function progressText({ phase, fraction, bytes }: Progress): string {
  if (phase !== 'reading') return `${phaseWords[phase] ?? phase}, ${formatBytes(bytes)} read`;
  return fraction === null
    ? `Reading, ${formatBytes(bytes)}`
    : `Reading, ${formatBytes(bytes)} (${formatShare(fraction)})`;
}

const phaseWords: Readonly<Record<string, string>> = {
  retainers: 'Finding who holds what',
  dominators: 'Finding what would be freed with what',
  classes: 'Adding up classes',
  paths: 'Finding the shortest ways',
};

/** "+1,200", "−3", "0". */
export function formatChange(count: number): string {
  return count > 0 ? `+${formatCount(count)}` : count < 0 ? `−${formatCount(-count)}` : '0';
}

/** "+1.5 MiB", "−3 KiB", "0 B". */
export function formatBytesChange(bytes: number): string {
  return bytes > 0 ? `+${formatBytes(bytes)}` : formatBytes(bytes);
}
