import { mix, type ChangeColumns, type Colouring, type Palette } from './colours.ts';
import type { FlameTree } from './flame-tree.ts';
import { boxLabel, changeText } from './flame-words.ts';
import { visitBoxes, type FlameView } from './layout.ts';

export const rowPx = 19;
const textMinPx = 26;
const textIndentPx = 4;
const fontPx = 11;
const font = `${fontPx}px ui-monospace, "SF Mono", "Cascadia Mono", "Liberation Mono", Menlo, Consolas, monospace`;

export interface Scene {
  readonly tree: FlameTree;
  readonly view: FlameView;
  /** What of the first row is scrolled away, in pixels. */
  readonly offsetPx: number;
  readonly palette: Palette;
  readonly colouring: Colouring;
  /** Per frame: 1 where it matches; the others fade. null where nothing is searched. */
  readonly matches: Uint8Array | null;
  readonly change: ChangeColumns | null;
  readonly selected: number | null;
  readonly hovered: number | null;
}

/** Draws what `view` shows, the whole canvas anew. The context is scaled to CSS pixels already. Returns how many boxes there are. */
export function drawFlame(context: CanvasRenderingContext2D, scene: Scene, heightPx: number): number {
  const { tree, view, palette, colouring, matches } = scene;
  const { nodeFrames } = tree;
  context.globalAlpha = 1;
  context.fillStyle = palette.ground;
  context.fillRect(0, 0, view.widthPx, heightPx);
  const texts: TextBox[] = [];
  let count = 0;
  let fill = '';
  visitBoxes(tree, view, ({ node, x, widthPx, row }) => {
    count++;
    const isFaded = matches !== null && matches[nodeFrames[node]!] === 0;
    const colour = isFaded ? faded(colouring(node), palette) : colouring(node);
    if (colour !== fill) context.fillStyle = fill = colour;
    const y = row * rowPx - scene.offsetPx;
    context.fillRect(x, y, widthPx > 2 ? widthPx - 1 : widthPx, rowPx - 1);
    if (widthPx >= textMinPx) texts.push({ node, x, y, widthPx });
    if (node === scene.selected || node === scene.hovered) {
      context.strokeStyle = palette.edge;
      context.lineWidth = node === scene.selected ? 2 : 1;
      context.strokeRect(x + 1, y + 1, Math.max(1, widthPx - 3), rowPx - 3);
    }
  });
  writeLabels(context, scene, texts);
  return count;
}

interface TextBox {
  readonly node: number;
  readonly x: number;
  readonly y: number;
  readonly widthPx: number;
}

function writeLabels(context: CanvasRenderingContext2D, scene: Scene, texts: readonly TextBox[]): void {
  const labels = labelsOf(scene.tree);
  context.font = font;
  context.textBaseline = 'middle';
  context.direction = 'ltr';
  context.fillStyle = scene.palette.text;
  const charPx = context.measureText('mmmmmmmmmm').width / 10;
  for (const { node, x, y, widthPx } of texts) {
    const roomPx = widthPx - 2 * textIndentPx;
    const label = labels.of(scene.tree.nodeFrames[node]!);
    const { change } = scene;
    const text = change === null ? label : `${changeText(change.after[node]! - change.before[node]!)} ${label}`;
    const shown = cutText(text, Math.floor(roomPx / charPx));
    // Letters outside of ASCII may be wider than the font's own: they are pressed into the room.
    if (shown !== '') context.fillText(shown, x + textIndentPx, y + rowPx / 2, roomPx);
  }
}

function cutText(text: string, chars: number): string {
  if (text.length <= chars) return text;
  return chars < 3 ? '' : `${text.slice(0, chars - 1)}…`;
}

class Labels {
  readonly #tree: FlameTree;
  readonly #texts: (string | undefined)[] = [];

  constructor(tree: FlameTree) {
    this.#tree = tree;
  }

  of(frame: number): string {
    return (this.#texts[frame] ??= boxLabel(this.#tree.frames[frame]!));
  }
}

const labelsByTree = new WeakMap<FlameTree, Labels>();

function labelsOf(tree: FlameTree): Labels {
  let labels = labelsByTree.get(tree);
  if (labels === undefined) labelsByTree.set(tree, (labels = new Labels(tree)));
  return labels;
}

const fadedColours = new Map<string, string>();

function faded(colour: string, { ground }: Palette): string {
  const key = `${colour} ${ground}`;
  let found = fadedColours.get(key);
  if (found === undefined) {
    // Two themes with some twenty colours each.
    if (fadedColours.size > 200) fadedColours.clear();
    fadedColours.set(key, (found = mix(colour, ground, 0.7)));
  }
  return found;
}
