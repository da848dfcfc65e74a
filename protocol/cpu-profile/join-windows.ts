import { SidescopeError } from '../error.ts';
import type { Frame } from './model.ts';
import { FrameTable } from './frame-table.ts';
import { checkBound } from './profile-fields.ts';
import { NODES_MAX, SAMPLES_MAX, unreadable } from './raw-profile.ts';
import type { RawNodes, RawProfile } from './raw-profile.ts';

/** Time between two windows that no sampler saw, on the target's clock. */
export interface WindowGap {
  readonly fromUs: number;
  readonly toUs: number;
}

/** What stands in a joined profile for such time. DevTools and speedscope show it like any function. */
export const notRecorded = '(not recorded)';

/** Shorter ones are not told: a sampler at 10 ms can be 30 ms late on a busy machine. */
const gapMinUs = 100_000;

/**
 * Makes one .cpuprofile of windows of one thread of one process, added in the order of time. Their call trees become one: nodes with the same frame below the same
 * parent are the same, so ids are new. Times stay those of the target's CLOCK_MONOTONIC; of what two windows both saw, the earlier one counts.
 *
 *     window 1        window 2                   joined
 *     |--a--a--b--|   |--a--c--|          |--a--a--b--(not recorded)--a--c--|
 *
 * Holds one tree, and the text of one window's samples until it is taken, however many windows there are.
 */
export class WindowJoiner {
  readonly #frames = new FrameTable();
  readonly #nodeFrames: number[] = [];
  readonly #children: number[][] = [];
  readonly #lines: (Map<number, number> | undefined)[] = [];
  readonly #hits: number[] = [];
  readonly #childIndex = new Map<number, number>();
  readonly #gaps: WindowGap[] = [];
  #startUs: number | undefined;
  #endUs = 0;
  #windows = 0;
  #samples = 0;
  #lastUs = 0;
  #ids = '';
  #timeDeltas = '';

  constructor() {
    this.#node(-1, { functionName: '(root)', url: '', scriptId: '0', line: 0, column: 0 });
  }

  get windows(): number {
    return this.#windows;
  }

  get gaps(): readonly WindowGap[] {
    return this.#gaps;
  }

  /** Throws `unreadable-profile` for one that is none, or begins before one that was added earlier; `analysis-limit`. Then it is not in. */
  add(window: RawProfile): void {
    const { startTimeUs, endTimeUs, sampleIds, timeDeltasUs } = window;
    if (sampleIds.length !== timeDeltasUs.length)
      throw unreadable(`${sampleIds.length} samples but ${timeDeltasUs.length} timeDeltas`);
    if (endTimeUs < startTimeUs) throw unreadable(`endTime ${endTimeUs} is before startTime ${startTimeUs}`);
    if (this.#startUs !== undefined && startTimeUs < this.#startUs)
      throw unreadable(`a window begins at ${startTimeUs}, before the first one`);
    checkBound('samples', this.#samples + sampleIds.length + 1, SAMPLES_MAX);
    const { timesUs, raws } = orderedTimes(window);
    const nodeOf = this.#merge(window.nodes);
    const isFirst = this.#startUs === undefined;
    const startUs = (this.#startUs ??= startTimeUs);
    if (isFirst) this.#lastUs = startUs;
    else if (startTimeUs - this.#endUs >= gapMinUs) this.#markGap(startTimeUs);
    const seenUs = isFirst ? -Infinity : this.#endUs;
    for (const [index, timeUs] of timesUs.entries()) {
      if (timeUs < seenUs) continue;
      const node = nodeOf[raws[index]!]!;
      this.#hits[node]! += 1;
      this.#push(node + 1, Math.max(timeUs, startUs));
    }
    this.#endUs = Math.max(this.#endUs, endTimeUs, this.#lastUs);
    this.#windows += 1;
  }

  /** What `samples` and `timeDeltas` of the file go on with, since it was taken before: to be written one behind the other. */
  takeSamples(): { readonly ids: string; readonly timeDeltas: string } {
    const taken = { ids: this.#ids, timeDeltas: this.#timeDeltas };
    this.#ids = this.#timeDeltas = '';
    return taken;
  }

  /** The file's text up to its samples, in pieces of about 64 kB; behind it come all ids, `],"timeDeltas":[`, all distances, and `]}`. Throws `empty-profile` without a window. */
  *head(): Generator<string> {
    const startUs = this.#startUs;
    if (startUs === undefined) throw new SidescopeError('empty-profile', 'there is no window to join');
    let text = '{"nodes":[';
    for (let node = 0; node < this.#nodeFrames.length; node++) {
      text += `${node === 0 ? '' : ','}${this.#nodeText(node)}`;
      if (text.length < pieceLength) continue;
      yield text;
      text = '';
    }
    yield `${text}],"startTime":${startUs},"endTime":${this.#endUs},"samples":[`;
  }

  #push(id: number, timeUs: number): void {
    const comma = this.#samples === 0 ? '' : ',';
    this.#ids += `${comma}${id}`;
    this.#timeDeltas += `${comma}${timeUs - this.#lastUs}`;
    this.#samples += 1;
    this.#lastUs = timeUs;
  }

  #markGap(toUs: number): void {
    this.#gaps.push({ fromUs: this.#endUs, toUs });
    const node = this.#node(0, { functionName: notRecorded, url: '', scriptId: '0', line: 0, column: 0 });
    this.#hits[node]! += 1;
    this.#push(node + 1, this.#endUs);
  }

  /** For each node of the window, which one of ours it is. */
  #merge(nodes: RawNodes): Int32Array {
    const { ids, indexById, childStarts, children } = nodes;
    const root = rootOf(nodes);
    const nodeOf = new Int32Array(ids.length).fill(-1);
    const stack = [{ raw: root, parent: -1 }];
    let seen = 0;
    for (let entry = stack.pop(); entry !== undefined; entry = stack.pop()) {
      const { raw, parent } = entry;
      if (nodeOf[raw] !== -1) throw unreadable(`node ${ids[raw]} has two parents`);
      const node = parent === -1 ? 0 : this.#node(parent, nodes.frames[nodes.nodeFrames[raw]!]!);
      nodeOf[raw] = node;
      seen += 1;
      this.#addLines(node, nodes, raw);
      // Backwards, so that the first child comes first.
      for (let at = childStarts[raw + 1]! - 1; at >= childStarts[raw]!; at--) {
        const child = indexById.get(children[at]!);
        if (child === undefined) throw unreadable(`node ${ids[raw]} has the child ${children[at]}, which is not there`);
        stack.push({ raw: child, parent: node });
      }
    }
    if (seen !== ids.length) throw unreadable('a node is in a circle, not below the root');
    return nodeOf;
  }

  #node(parent: number, frame: Frame): number {
    const frameIndex = this.#frames.indexOf(frame);
    const key = parent * 2 ** 21 + frameIndex;
    const known = this.#childIndex.get(key);
    if (known !== undefined) return known;
    const node = this.#nodeFrames.push(frameIndex) - 1;
    checkBound('nodes', node + 1, NODES_MAX);
    this.#children.push([]);
    this.#lines.push(undefined);
    this.#hits.push(0);
    this.#childIndex.set(key, node);
    if (parent !== -1) this.#children[parent]!.push(node);
    return node;
  }

  #addLines(node: number, { lineStarts, lines, lineSamples }: RawNodes, raw: number): void {
    if (lineStarts[raw] === lineStarts[raw + 1]) return;
    const sums = (this.#lines[node] ??= new Map());
    for (let at = lineStarts[raw]!; at < lineStarts[raw + 1]!; at++)
      sums.set(lines[at]!, (sums.get(lines[at]!) ?? 0) + lineSamples[at]!);
  }

  /** As V8 writes it: places 0-based, -1 for none. */
  #nodeText(node: number): string {
    const { functionName, scriptId, url, line, column } = this.#frames.frames[this.#nodeFrames[node]!]!;
    const lines = this.#lines[node];
    const children = this.#children[node]!;
    return JSON.stringify({
      id: node + 1,
      callFrame: { functionName, scriptId, url, lineNumber: line - 1, columnNumber: column - 1 },
      hitCount: this.#hits[node],
      ...(children.length > 0 && { children: children.map((child) => child + 1) }),
      ...(lines !== undefined && { positionTicks: [...lines].map(([at, ticks]) => ({ line: at, ticks })) }),
    });
  }
}

const pieceLength = 64 * 1024;

function rootOf({ ids, indexById, children }: RawNodes): number {
  const hasParent = new Uint8Array(ids.length);
  for (const child of children) {
    const index = indexById.get(child);
    if (index !== undefined) hasParent[index] = 1;
  }
  const root = hasParent.indexOf(0);
  if (root === -1) throw unreadable(ids.length === 0 ? 'it has no nodes' : 'no node is the root: all have parents');
  return root;
}

/** V8 writes some samples out of order, as negative deltas. In columns: a window has 100,000 and more. */
function orderedTimes({ nodes, startTimeUs, sampleIds, timeDeltasUs }: RawProfile): {
  timesUs: Float64Array;
  raws: Int32Array;
} {
  let timeUs = startTimeUs;
  let isOrdered = true;
  const timesUs = new Float64Array(sampleIds.length);
  const raws = new Int32Array(sampleIds.length);
  for (let index = 0; index < sampleIds.length; index++) {
    const raw = nodes.indexById.get(sampleIds[index]!);
    if (raw === undefined) throw unreadable(`samples[${index}] is node ${sampleIds[index]}, which is not there`);
    if (timeDeltasUs[index]! < 0) isOrdered = false;
    timeUs += timeDeltasUs[index]!;
    timesUs[index] = timeUs;
    raws[index] = raw;
  }
  if (isOrdered) return { timesUs, raws };
  const order = Uint32Array.from(timesUs.keys()).sort((a, b) => timesUs[a]! - timesUs[b]! || a - b);
  return {
    timesUs: Float64Array.from(order, (index) => timesUs[index]!),
    raws: Int32Array.from(order, (index) => raws[index]!),
  };
}
