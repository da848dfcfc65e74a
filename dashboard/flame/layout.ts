import type { FlameTree } from './flame-tree.ts';

/** What of a tree is to be seen: a range of its weight over `widthPx`, and some of its rows. */
export interface FlameView {
  /** In the tree's unit. */
  readonly left: number;
  readonly span: number;
  readonly widthPx: number;
  readonly firstRow: number;
  readonly rows: number;
}

/** Narrower ones are not drawn: a pixel would have several. */
export const boxMinPx = 0.5;

export interface Box {
  node: number;
  x: number;
  widthPx: number;
  /** 0 is `firstRow`. */
  row: number;
}

/**
 * Calls back with each box that is to be drawn, a caller before what it called. `box` is one object, filled anew for each. What is too narrow is left out with all
 * below it and all smaller siblings, so that the time is that of what can be seen.
 */
export function visitBoxes(tree: FlameTree, view: FlameView, visit: (box: Readonly<Box>) => void): void {
  const { parents, ends, depths, starts, totals } = tree;
  const pxPerUnit = view.widthPx / view.span;
  const right = view.left + view.span;
  const lastRow = view.firstRow + view.rows;
  const box: Box = { node: 0, x: 0, widthPx: 0, row: 0 };
  for (let node = 0; node < parents.length;) {
    const start = starts[node]!;
    const widthPx = totals[node]! * pxPerUnit;
    if (widthPx < boxMinPx || start >= right) {
      // Siblings behind it are no wider, and further to the right.
      node = node === 0 ? ends[0]! : ends[parents[node]!]!;
      continue;
    }
    if (start + totals[node]! <= view.left) {
      node = ends[node]!;
      continue;
    }
    const depth = depths[node]!;
    if (depth >= view.firstRow && depth < lastRow) {
      const x = (start - view.left) * pxPerUnit;
      box.node = node;
      // A canvas draws what is far outside inexactly.
      box.x = Math.max(x, 0);
      box.widthPx = Math.min(x + widthPx, view.widthPx) - box.x;
      box.row = depth - view.firstRow;
      visit(box);
    }
    node = depth + 1 < lastRow ? node + 1 : ends[node]!;
  }
}

/** The node at a place of the tree, in its unit and rows from the root; undefined beside all. */
export function nodeAt(tree: FlameTree, at: number, row: number): number | undefined {
  const { ends, starts, totals } = tree;
  const holds = (node: number): boolean => starts[node]! <= at && at < starts[node]! + totals[node]!;
  if (row < 0 || !holds(0)) return undefined;
  let node = 0;
  for (let depth = 0; depth < row; depth++) {
    let child = node + 1;
    while (child < ends[node]! && !holds(child)) child = ends[child]!;
    if (child >= ends[node]!) return undefined;
    node = child;
  }
  return node;
}

/** The heaviest first. */
export function* childrenOf({ ends }: Pick<FlameTree, 'ends'>, node: number): Generator<number, void, undefined> {
  for (let child = node + 1; child < ends[node]!; child = ends[child]!) yield child;
}

/** From the root down to `node`, both included. */
export function pathTo({ parents }: Pick<FlameTree, 'parents'>, node: number): number[] {
  const path: number[] = [];
  for (let at = node; at !== -1; at = parents[at]!) path.push(at);
  return path.reverse();
}
