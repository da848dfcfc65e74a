import type { ActiveSpan, StackFrame, StackReading } from '../../protocol/inspector/readings.ts';
import type { Stall, StallFrame } from '../../protocol/rest/stalls.ts';

const maxNodes = 200;
const maxLines = 1_000;
const maxSpans = 100;

interface Node {
  readonly frame: StackFrame;
  readonly parent: number;
  samples: number;
  self: number;
  readonly children: Map<string, number>;
}

/** What the samples of one stall add up to. Bounded: frames beyond 200 nodes are counted in their callers. */
export class StallStacks {
  readonly #nodes: Node[] = [];
  readonly #roots = new Map<string, number>();
  readonly #lines = new Map<string, { frame: StackFrame; count: number }>();
  readonly #functions = new Map<string, number>();
  readonly #spans = new Map<string, { span: ActiveSpan; count: number }>();
  #samples = 0;

  /** A stack of a thread that was at work; frames innermost first. */
  add({ frames, span }: StackReading): void {
    if (frames === null || frames.length === 0) return;
    this.#samples += 1;
    let parent = -1;
    for (const frame of frames.toReversed()) {
      const next = this.#child(parent, frame);
      if (next === undefined) break;
      parent = next;
      const node = this.#nodes[parent];
      if (node !== undefined) node.samples += 1;
    }
    const innermost = this.#nodes[parent];
    if (innermost !== undefined) innermost.self += 1;
    this.#countLine(frames);
    if (span !== null) this.#countSpan(span);
  }

  tree(): Stall['tree'] {
    return this.#nodes.map(({ frame, parent, samples, self }) => ({ ...toStallFrame(frame), parent, samples, self }));
  }

  /** As V8 has them, in the order of `tree`. */
  frames(): StackFrame[] {
    return this.#nodes.map(({ frame }) => frame);
  }

  /** The application's function that was at work most, and in it the line. What it called of Node's own counts as its work. */
  dominant(): (StackFrame & { readonly share: number }) | null {
    const [best] = [...this.#functions].sort((a, b) => b[1] - a[1]);
    if (best === undefined) return null;
    const [name, count] = best;
    const lines = [...this.#lines.values()].filter(({ frame }) => functionKey(frame) === name);
    const [line] = lines.sort((a, b) => b.count - a.count);
    return line === undefined ? null : { ...line.frame, share: count / this.#samples };
  }

  span(): Stall['span'] {
    const [best] = [...this.#spans.values()].sort((a, b) => b.count - a.count);
    return best === undefined ? null : { ...best.span, share: best.count / this.#samples };
  }

  #child(parent: number, frame: StackFrame): number | undefined {
    const siblings = parent === -1 ? this.#roots : this.#nodes[parent]?.children;
    const key = functionKey(frame);
    const known = siblings?.get(key);
    if (known !== undefined) return known;
    if (this.#nodes.length >= maxNodes) return undefined;
    const index = this.#nodes.push({ frame, parent, samples: 0, self: 0, children: new Map() }) - 1;
    siblings?.set(key, index);
    return index;
  }

  #countLine(frames: readonly StackFrame[]): void {
    const frame = frames.find(({ url }) => url !== '' && !url.startsWith('node:')) ?? frames[0];
    if (frame === undefined) return;
    const key = functionKey(frame);
    this.#functions.set(key, (this.#functions.get(key) ?? 0) + 1);
    const lineKey = `${key}:${frame.lineNumber}`;
    const line = this.#lines.get(lineKey);
    if (line !== undefined) line.count += 1;
    else if (this.#lines.size < maxLines) this.#lines.set(lineKey, { frame, count: 1 });
  }

  #countSpan(span: ActiveSpan): void {
    const known = this.#spans.get(span.spanId);
    if (known !== undefined) known.count += 1;
    else if (this.#spans.size < maxSpans) this.#spans.set(span.spanId, { span, count: 1 });
  }
}

export function toStallFrame({ functionName, url, lineNumber, columnNumber }: StackFrame): StallFrame {
  return { functionName, url, lineNumber, columnNumber, original: null };
}

function functionKey({ functionName, url }: StackFrame): string {
  return `${functionName}\n${url}`;
}
