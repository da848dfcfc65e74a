import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { boxLabel, changeText, weightText } from '../flame/flame-words.ts';
import type { FlameTree, FlameUnit } from '../flame/flame-tree.ts';
import { openRows } from '../flame/call-rows.ts';
import { pathTo } from '../flame/layout.ts';
import type { ChangeColumns } from '../flame/colours.ts';
import { formatShare } from '../format.ts';

const indentLevels = 24;

/** The boxes as a tree, heaviest first, by keyboard and for screen readers. Choosing a row chooses the box. */
export function ProfileCallTree(props: {
  tree: FlameTree;
  unit: FlameUnit;
  change: ChangeColumns | null;
  selected: number | null;
  onSelect: (node: number) => void;
}) {
  const { tree, unit, change, selected, onSelect } = props;
  const [open, setOpen] = useState<ReadonlySet<number>>(() => new Set([0]));
  const box = useRef<HTMLDivElement>(null);
  const focusWanted = useRef(false);
  useEffect(() => setOpen(new Set([0])), [tree]);
  useEffect(() => {
    // What was chosen in the graph is opened here.
    if (selected === null) return;
    const above = pathTo(tree, selected).slice(0, -1);
    setOpen((before) => (above.every((node) => before.has(node)) ? before : new Set([...before, ...above])));
  }, [selected, tree]);
  const rows = useMemo(() => openRows(tree, open, selected), [tree, open, selected]);
  const current = rows.find(({ node }) => node === selected)?.node ?? 0;
  useEffect(() => {
    if (!focusWanted.current) return;
    focusWanted.current = false;
    box.current?.querySelector<HTMLElement>('[tabindex="0"]')?.focus();
  });
  const fold = (node: number, isOpen: boolean): void => {
    const next = new Set(open);
    if (isOpen) next.add(node);
    else next.delete(node);
    setOpen(next);
  };
  const choose = (node: number | undefined): void => {
    if (node === undefined) return;
    focusWanted.current = true;
    onSelect(node);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const at = rows.findIndex(({ node }) => node === current);
    const row = rows[at];
    if (row === undefined) return;
    if (event.key === 'ArrowDown') choose(rows[at + 1]?.node);
    else if (event.key === 'ArrowUp') choose(rows[at - 1]?.node);
    else if (event.key === 'Home') choose(rows[0]?.node);
    else if (event.key === 'End') choose(rows.at(-1)?.node);
    else if (event.key === 'ArrowRight' && row.hasChildren) {
      if (open.has(current)) choose(rows[at + 1]?.node);
      else fold(current, true);
    } else if (event.key === 'ArrowLeft') {
      if (open.has(current) && row.hasChildren) fold(current, false);
      else choose(tree.parents[current] === -1 ? undefined : tree.parents[current]);
    } else if (event.key === 'Enter' || event.key === ' ') choose(current);
    else return;
    event.preventDefault();
  };
  const all = tree.totals[0]! || 1;
  return (
    <div class="call-tree" role="tree" aria-label="Call tree" ref={box} onKeyDown={onKeyDown}>
      {rows.map(({ node, hasChildren, omitted }) => {
        const label = boxLabel(tree.frames[tree.nodeFrames[node]!]!);
        const depth = tree.depths[node]!;
        return (
          <div
            key={node}
            class="call-row"
            role="treeitem"
            aria-level={depth + 1}
            aria-selected={node === selected}
            aria-expanded={hasChildren ? open.has(node) : undefined}
            tabIndex={node === current ? 0 : -1}
            style={{ paddingLeft: `${8 + Math.min(depth, indentLevels) * 12}px` }}
            onClick={() => {
              onSelect(node);
              if (hasChildren) fold(node, !open.has(node));
            }}
          >
            <span class="fold-mark" aria-hidden="true">
              {hasChildren ? (open.has(node) ? '▾' : '▸') : ''}
            </span>
            <span class="call-name" title={label}>
              <bdi>{label}</bdi>
              {omitted > 0 && <span class="dim"> ({omitted} smaller calls not shown)</span>}
            </span>
            <span class="num">
              {change === null
                ? `${formatShare(tree.totals[node]! / all)}, ${weightText(tree.totals[node]!, unit)}`
                : changeText(change.after[node]! - change.before[node]!)}
            </span>
          </div>
        );
      })}
    </div>
  );
}
