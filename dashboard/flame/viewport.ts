import type { FlameTree } from './flame-tree.ts';

/** The part of a tree's width that is shown, in its unit. */
export interface Range {
  readonly left: number;
  readonly span: number;
}

/** A 10-millionth of all is less than one sample of any profile. */
const zoomMax = 10_000_000;

export function wholeOf(tree: FlameTree): Range {
  return { left: 0, span: tree.totals[0]! || 1 };
}

export function rangeOf(tree: FlameTree, node: number): Range {
  return withinTree(tree, { left: tree.starts[node]!, span: tree.totals[node]! });
}

/** `factor` above 1 comes nearer; what is at `at` (0 to 1, of what is shown) stays there. */
export function zoomed(tree: FlameTree, range: Range, { factor, at }: { factor: number; at: number }): Range {
  const span = Math.min(wholeOf(tree).span, Math.max(wholeOf(tree).span / zoomMax, range.span / factor));
  return withinTree(tree, { left: range.left + (range.span - span) * at, span });
}

/** By a part of what is shown; below 0 goes to the left. */
export function panned(tree: FlameTree, range: Range, by: number): Range {
  return withinTree(tree, { left: range.left + range.span * by, span: range.span });
}

/** Moves no more than is needed to show `node`; one that is wider than the range is zoomed out to. */
export function showing(tree: FlameTree, range: Range, node: number): Range {
  const start = tree.starts[node]!;
  const end = start + tree.totals[node]!;
  if (end - start > range.span) return rangeOf(tree, node);
  const left = Math.min(start, Math.max(range.left, end - range.span));
  return withinTree(tree, { left, span: range.span });
}

function withinTree(tree: FlameTree, { left, span }: Range): Range {
  const whole = wholeOf(tree).span;
  const shown = Math.min(whole, Math.max(whole / zoomMax, span));
  return { left: Math.min(whole - shown, Math.max(0, left)), span: shown };
}
