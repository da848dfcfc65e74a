import type { Stacks, ThreadStack, ThreadStackFrame } from '../../protocol/rest/stacks.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import { formatDuration, formatShare } from '../format.ts';
import type { Tone } from './words.ts';

export const threadStates: Readonly<Record<ThreadStack['state'], readonly [Tone, string]>> = {
  running: ['busy', 'Running'],
  idle: ['idle', 'Idle'],
  'no-answer': ['bad', 'No answer'],
};

/** As its author wrote it, where a source map says so. */
export function frameText(frame: ThreadStackFrame): { name: string; place: string } {
  const { functionName, url, lineNumber, columnNumber } = frame.original ?? frame;
  const name = functionName === '' ? '(anonymous)' : functionName;
  const file = url.replace(/^file:\/\//, '');
  const at = lineNumber > 0 ? `:${lineNumber}${columnNumber > 0 ? `:${columnNumber}` : ''}` : '';
  return { name, place: file === '' ? '' : `${file}${at}` };
}

/** As one pastes them into a ticket. */
export function stacksText(stacks: Stacks): string {
  const lines = [`Stacks of ${stacks.targetId}, ${stacks.takenAt}`];
  for (const thread of stacks.threads) {
    lines.push('', `${thread.thread} ${thread.title}: ${thread.summary}`);
    if (thread.span !== null) lines.push(`  in ${thread.span.route ?? thread.span.name}, trace ${thread.span.traceId}`);
    for (const frame of thread.frames) {
      const { name, place } = frameText(frame);
      lines.push(`    at ${name}${place === '' ? '' : ` (${place})`}`);
    }
    if (thread.hasMore) lines.push('    …');
  }
  if (stacks.omittedThreads > 0) lines.push('', `${stacks.omittedThreads} more threads`);
  return `${lines.join('\n')}\n`;
}

export interface TreeRow {
  readonly frame: Stall['tree'][number];
  readonly depth: number;
  /** Of all samples. */
  readonly share: number;
}

/** The merged stacks in the order of a tree, the heavier branch first. Chains of callers deeper than `deepest` stand at that depth. */
export function treeRows(tree: Stall['tree'], deepest = 24): TreeRow[] {
  const children = new Map<number, number[]>();
  for (const [index, { parent }] of tree.entries()) children.set(parent, [...(children.get(parent) ?? []), index]);
  const samplesOf = (index: number): number => tree[index]?.samples ?? 0;
  const all = (children.get(-1) ?? []).reduce((sum, index) => sum + samplesOf(index), 0);
  const rows: TreeRow[] = [];
  const heaviestLast = (indexes: readonly number[]): number[] =>
    [...indexes].sort((a, b) => samplesOf(a) - samplesOf(b));
  const open = heaviestLast(children.get(-1) ?? []).map((index) => ({ index, depth: 0 }));
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { index, depth } = next;
    const frame = tree[index];
    if (frame === undefined) continue;
    rows.push({ frame, depth: Math.min(depth, deepest), share: all === 0 ? 0 : frame.samples / all });
    const below = heaviestLast(children.get(index) ?? []);
    // A parent after its child would be a circle; the agent writes callers first.
    for (const child of below) if (child > index) open.push({ index: child, depth: depth + 1 });
  }
  return rows;
}

export function stallText(stall: Stall): string {
  const lines = [
    `${stall.summary}`,
    `${stall.kind} ${stall.thread} for ${formatDuration(stall.durationMs)} from ${stall.startedAt} (${stall.state}, ${stall.verdict})`,
  ];
  if (stall.span !== null) lines.push(`in ${stall.span.route ?? stall.span.name}, trace ${stall.span.traceId}`);
  for (const { frame, depth, share } of treeRows(stall.tree)) {
    const { name, place } = frameText(frame);
    lines.push(`${'  '.repeat(depth)}${formatShare(share)} ${name} ${place}`);
  }
  return `${lines.join('\n')}\n`;
}
