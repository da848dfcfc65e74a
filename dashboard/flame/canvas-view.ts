import type { ChangeColumns, Colouring, Palette } from './colours.ts';
import { drawFlame, rowPx } from './draw.ts';
import type { FlameTree } from './flame-tree.ts';
import { followGestures } from './gestures.ts';
import { nodeAt } from './layout.ts';
import { panned, showing, wholeOf, zoomed, type Range } from './viewport.ts';

export interface CanvasContent {
  readonly tree: FlameTree;
  readonly palette: Palette;
  readonly colouring: Colouring;
  readonly matches: Uint8Array | null;
  readonly change: ChangeColumns | null;
  readonly selected: number | null;
}

export interface CanvasEvents {
  readonly onHover: (node: number | null) => void;
  readonly onPick: (node: number) => void;
  readonly onEnter: (node: number) => void;
  /** At every frame of a movement. */
  readonly onRange: (range: Range, whole: Range) => void;
}

/**
 * The graph in a box that scrolls: its canvas is as large as what is seen of it and stays in place, what it draws follows. Nothing here waits for the page's state, so
 * that moving costs one drawing per frame.
 */
export class CanvasView {
  readonly #box: HTMLElement;
  readonly #canvas: HTMLCanvasElement;
  readonly #events: CanvasEvents;
  readonly #stop = new AbortController();
  readonly #resized: ResizeObserver;
  #content: CanvasContent;
  #range: Range;
  #hovered: number | null = null;
  #frame = 0;

  constructor(parts: { box: HTMLElement; canvas: HTMLCanvasElement; content: CanvasContent; events: CanvasEvents }) {
    this.#box = parts.box;
    this.#canvas = parts.canvas;
    this.#events = parts.events;
    this.#content = parts.content;
    this.#range = wholeOf(parts.content.tree);
    const { signal } = this.#stop;
    this.#box.addEventListener('scroll', () => this.#plan(), { signal, passive: true });
    this.#resized = new ResizeObserver(() => this.#plan());
    this.#resized.observe(this.#box);
    const at = ({ x, y }: { x: number; y: number }): number | null => this.#nodeAt(x, y);
    followGestures(
      this.#canvas,
      {
        onZoom: (zoom) => this.move(zoomed(this.#content.tree, this.#range, zoom)),
        onPan: ({ width, heightPx }) => {
          this.#box.scrollTop += heightPx;
          this.move(panned(this.#content.tree, this.#range, width));
        },
        onHover: (point) => this.#hover(point === null ? null : at(point)),
        onPick: (point) => withNode(at(point), this.#events.onPick),
        onEnter: (point) => withNode(at(point), this.#events.onEnter),
      },
      signal,
    );
    this.#plan();
  }

  get range(): Range {
    return this.#range;
  }

  /** Another tree is shown whole. */
  show(content: CanvasContent): void {
    const isOther = content.tree !== this.#content.tree;
    this.#content = content;
    if (isOther) {
      this.#range = wholeOf(content.tree);
      this.#hovered = null;
      this.#box.scrollTop = 0;
      this.#tellRange();
    }
    this.#plan();
  }

  move(range: Range): void {
    this.#range = range;
    this.#tellRange();
    this.#plan();
  }

  /** Brings `node` into sight, with as little movement as that takes. */
  reveal(node: number): void {
    const top = this.#content.tree.depths[node]! * rowPx;
    const { scrollTop, clientHeight } = this.#box;
    if (top < scrollTop) this.#box.scrollTop = top;
    else if (top + rowPx > scrollTop + clientHeight) this.#box.scrollTop = top + rowPx - clientHeight;
    this.move(showing(this.#content.tree, this.#range, node));
  }

  close(): void {
    this.#stop.abort();
    this.#resized.disconnect();
    cancelAnimationFrame(this.#frame);
  }

  #tellRange(): void {
    this.#events.onRange(this.#range, wholeOf(this.#content.tree));
  }

  #hover(node: number | null): void {
    if (node === this.#hovered) return;
    this.#hovered = node;
    this.#canvas.style.cursor = node === null ? '' : 'pointer';
    this.#events.onHover(node);
    this.#plan();
  }

  #nodeAt(x: number, y: number): number | null {
    const at = this.#range.left + (x / this.#box.clientWidth) * this.#range.span;
    return nodeAt(this.#content.tree, at, Math.floor((y + this.#box.scrollTop) / rowPx)) ?? null;
  }

  #plan(): void {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  #draw(): void {
    const { clientWidth: widthPx, clientHeight: heightPx, scrollTop } = this.#box;
    const context = this.#canvas.getContext('2d', { alpha: false });
    if (context === null || widthPx === 0 || heightPx === 0) return;
    const ratio = devicePixelRatio;
    const [width, height] = [Math.round(widthPx * ratio), Math.round(heightPx * ratio)];
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
      this.#canvas.style.height = `${heightPx}px`;
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const firstRow = Math.floor(scrollTop / rowPx);
    const view = { ...this.#range, widthPx, firstRow, rows: Math.ceil(heightPx / rowPx) + 1 };
    const offsetPx = scrollTop - firstRow * rowPx;
    const boxes = drawFlame(context, { ...this.#content, view, offsetPx, hovered: this.#hovered }, heightPx);
    this.#canvas.dataset['boxes'] = String(boxes);
  }
}

function withNode(node: number | null, call: (node: number) => void): void {
  if (node !== null) call(node);
}
