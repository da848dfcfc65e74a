import type { FlameTree } from './flame-tree.ts';
import { childrenOf } from './layout.ts';

export interface CallRow {
  readonly node: number;
  readonly hasChildren: boolean;
  /** Calls of an open node beyond those that are listed. */
  readonly omitted: number;
}

const childrenMax = 50;
const rowsMax = 2_000;

/** The rows of a tree whose `open` nodes are unfolded, in order, at most 2,000. `wanted` is among them wherever its callers are open. */
export function openRows(tree: FlameTree, open: ReadonlySet<number>, wanted: number | null = null): CallRow[] {
  const rows: CallRow[] = [];
  const stack = [0];
  for (let node = stack.pop(); node !== undefined && rows.length < rowsMax; node = stack.pop()) {
    const hasChildren = tree.ends[node]! > node + 1;
    const children = open.has(node) ? [...childrenOf(tree, node)] : [];
    const isListed = (child: number, index: number): boolean =>
      index < childrenMax || (wanted !== null && child <= wanted && wanted < tree.ends[child]!);
    const listed = children.filter(isListed);
    rows.push({ node, hasChildren, omitted: children.length - listed.length });
    for (const child of listed.toReversed()) stack.push(child);
  }
  return rows;
}
