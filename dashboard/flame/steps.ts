import type { FlameTree } from './flame-tree.ts';
import { childrenOf } from './layout.ts';

/** Where an arrow key leads to: up to the caller, down to the heaviest callee, aside to what the same caller called. Undefined for other keys; at an edge one stays. */
export function stepFrom(tree: FlameTree, node: number | null, key: string): number | undefined {
  if (!['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight', 'Home'].includes(key)) return undefined;
  if (node === null || key === 'Home') return 0;
  const parent = tree.parents[node]!;
  if (key === 'ArrowUp') return parent === -1 ? node : parent;
  const [firstChild = node] = childrenOf(tree, node);
  if (key === 'ArrowDown') return firstChild;
  if (parent === -1) return node;
  if (key === 'ArrowRight') return tree.ends[node]! < tree.ends[parent]! ? tree.ends[node]! : node;
  let before = node;
  for (const sibling of childrenOf(tree, parent)) {
    if (sibling === node) break;
    before = sibling;
  }
  return before;
}
