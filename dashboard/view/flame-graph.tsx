import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { CanvasView, type CanvasContent } from '../flame/canvas-view.ts';
import { byCategory, byChange, type ChangeColumns } from '../flame/colours.ts';
import { rowPx } from '../flame/draw.ts';
import type { FlameTree, FlameUnit } from '../flame/flame-tree.ts';
import { boxLabel } from '../flame/flame-words.ts';
import { stepFrom } from '../flame/steps.ts';
import { panned, rangeOf, wholeOf, zoomed } from '../flame/viewport.ts';
import { FlameDetail } from './flame-detail.tsx';
import { FlameLegend, usePalette } from './flame-legend.tsx';

export interface FlameGraphProps {
  readonly tree: FlameTree;
  readonly unit: FlameUnit;
  readonly matches: Uint8Array | null;
  readonly change: ChangeColumns | null;
  readonly selected: number | null;
  readonly onSelect: (node: number | null) => void;
}

const zoomPerKey = 1.6;
const panPerKey = 0.15;
const rowsMin = 6;

/** The graph with its legend, what the pointer is on, and the keyboard. */
export function FlameGraph({ tree, unit, matches, change, selected, onSelect }: FlameGraphProps) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const where = useRef<HTMLSpanElement>(null);
  const view = useRef<CanvasView | null>(null);
  const [hovered, setHovered] = useState<number | null>(null);
  const [isWhole, setWhole] = useState(true);
  const { palette, legend } = usePalette();
  const content = useMemo<CanvasContent | null>(() => {
    if (palette === null) return null;
    const colouring = change === null ? byCategory(tree, palette) : byChange(change, palette);
    return { tree, palette, colouring, matches, change, selected };
  }, [tree, palette, matches, change, selected]);
  const enter = (node: number): void => {
    onSelect(node);
    view.current?.move(rangeOf(tree, node));
  };
  const calls = useRef({ onSelect, enter });
  calls.current = { onSelect, enter };

  useEffect(() => {
    if (content === null || box.current === null || canvas.current === null) return;
    if (view.current !== null) return view.current.show(content);
    view.current = new CanvasView({
      box: box.current,
      canvas: canvas.current,
      content,
      events: {
        onHover: setHovered,
        onPick: (node) => calls.current.onSelect(node),
        onEnter: (node) => calls.current.enter(node),
        // Not by the state: at every frame of a movement the whole component would be made anew.
        onRange: ({ left, span }, { span: whole }) => {
          if (where.current !== null) {
            where.current.style.marginLeft = `${(left / whole) * 100}%`;
            where.current.style.width = `${(span / whole) * 100}%`;
          }
          setWhole(span >= whole);
        },
      },
    });
  }, [content]);
  useEffect(() => () => view.current?.close(), []);
  useEffect(() => setHovered(null), [tree]);
  useEffect(() => {
    if (selected !== null) view.current?.reveal(selected);
  }, [selected, tree]);

  const onKeyDown = (event: KeyboardEvent): void => {
    const shown = view.current;
    if (shown === null || event.ctrlKey || event.metaKey || event.altKey) return;
    const zoomBy = (factor: number): void => shown.move(zoomed(tree, shown.range, { factor, at: 0.5 }));
    if (event.key === '+' || event.key === '=') zoomBy(zoomPerKey);
    else if (event.key === '-') zoomBy(1 / zoomPerKey);
    else if (event.shiftKey && event.key === 'ArrowLeft') shown.move(panned(tree, shown.range, -panPerKey));
    else if (event.shiftKey && event.key === 'ArrowRight') shown.move(panned(tree, shown.range, panPerKey));
    else if (event.key === 'Escape' || event.key === '0') {
      onSelect(null);
      shown.move(wholeOf(tree));
    } else if (event.key === 'Enter' && selected !== null) enter(selected);
    else {
      const next = stepFrom(tree, selected, event.key);
      if (next === undefined) return;
      onSelect(next);
    }
    event.preventDefault();
  };

  const rows = tree.depthMax + 1;
  const said = selected === null ? null : boxLabel(tree.frames[tree.nodeFrames[selected]!]!);
  return (
    <div>
      <FlameLegend change={change !== null} legend={legend} />
      <div
        ref={box}
        class="flame-box"
        tabIndex={0}
        style={{ height: `min(60vh, 620px, ${Math.max(rows, rowsMin) * rowPx + 2}px)` }}
        role="application"
        aria-roledescription="flame graph"
        aria-label={`Flame graph of ${tree.nodeFrames.length - 1} call paths. Arrows go from box to box, Enter zooms to one, plus and minus zoom, Escape shows all. The tables beside it say the same.`}
        onKeyDown={onKeyDown}
      >
        <div class="flame-space" style={{ height: `${rows * rowPx}px` }}>
          <canvas ref={canvas} aria-hidden="true" />
        </div>
      </div>
      <div class="flame-where" aria-hidden="true">
        <span ref={where} />
      </div>
      <p class="sr" role="status">
        {said}
      </p>
      <FlameDetail
        tree={tree}
        unit={unit}
        change={change}
        node={hovered ?? selected}
        isWhole={isWhole}
        onEnter={enter}
        onReset={() => view.current?.move(wholeOf(tree))}
      />
    </div>
  );
}
