import { SidescopeError } from '../error.ts';
import type { Frame } from './model.ts';
import { checkBound, NODES_MAX, SAMPLES_MAX, unreadable } from './raw-profile.ts';
import type { RawNodes, RawProfile } from './raw-profile.ts';
import { SampleColumns } from './sample-columns.ts';

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
 * Holds 12 bytes per sample and one tree, however many windows there are.
 */
export class WindowJoiner {
  readonly #frames: Frame[] = [];
  readonly #nodeFrames: number[] = [];
  readonly #children: number[][] = [];
  readonly #lines: (Map<number, number> | undefined)[] = [];
  readonly #hits: number[] = [];
  readonly #frameIndex = new Map<string, number>();
  readonly #childIndex = new Map<number, number>();
  readonly #samples = new SampleColumns();
  readonly #gaps: WindowGap[] = [];
  #startUs: number | undefined;
  #endUs = 0;
  #windows = 0;

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
    checkBound('samples', this.#samples.length + sampleIds.length + 1, SAMPLES_MAX);
    const timesUs = orderedTimes(window);
    const nodeOf = this.#merge(window.nodes);
    const isFirst = this.#startUs === undefined;
    this.#startUs ??= startTimeUs;
    if (!isFirst && startTimeUs - this.#endUs >= gapMinUs) this.#markGap(startTimeUs);
    const seenUs = isFirst ? -Infinity : this.#endUs;
    for (const { timeUs, raw } of timesUs) {
      if (timeUs < seenUs) continue;
      const node = nodeOf[raw]!;
      this.#hits[node]! += 1;
      this.#samples.push(node + 1, Math.max(timeUs, this.#startUs));
    }
    this.#endUs = Math.max(this.#endUs, endTimeUs, this.#samples.lastTimeUs);
    this.#windows += 1;
  }

  /** The file's text in pieces of about 64 kB, each valid only until the next one is asked for. Throws `empty-profile` without a window. */
  *text(): Generator<string> {
    const startUs = this.#startUs;
    if (startUs === undefined) throw new SidescopeError('empty-profile', 'there is no window to join');
    let text = '{"nodes":[';
    for (let node = 0; node < this.#nodeFrames.length; node++) {
      text += `${node === 0 ? '' : ','}${this.#nodeText(node)}`;
      if (text.length < pieceLength) continue;
      yield text;
      text = '';
    }
    text += `],"startTime":${startUs},"endTime":${this.#endUs},"samples":[`;
    for (const piece of this.#samples.idTexts(pieceLength)) {
      yield text + piece;
      text = '';
    }
    text += '],"timeDeltas":[';
    for (const piece of this.#samples.deltaTexts(startUs, pieceLength)) {
      yield text + piece;
      text = '';
    }
    yield `${text}]}`;
  }

  #markGap(toUs: number): void {
    this.#gaps.push({ fromUs: this.#endUs, toUs });
    const node = this.#node(0, { functionName: notRecorded, url: '', scriptId: '0', line: 0, column: 0 });
    this.#hits[node]! += 1;
    this.#samples.push(node + 1, this.#endUs);
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
    const frameIndex = this.#shareFrame(frame);
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

  #shareFrame(frame: Frame): number {
    const script = frame.url === '' ? frame.scriptId : '';
    const key = `${script}\n${frame.line}:${frame.column}\n${frame.url}\n${frame.functionName}`;
    let index = this.#frameIndex.get(key);
    if (index === undefined) this.#frameIndex.set(key, (index = this.#frames.push(frame) - 1));
    return index;
  }

  #addLines(node: number, { lineStarts, lines, lineSamples }: RawNodes, raw: number): void {
    if (lineStarts[raw] === lineStarts[raw + 1]) return;
    const sums = (this.#lines[node] ??= new Map());
    for (let at = lineStarts[raw]!; at < lineStarts[raw + 1]!; at++)
      sums.set(lines[at]!, (sums.get(lines[at]!) ?? 0) + lineSamples[at]!);
  }

  /** As V8 writes it: places 0-based, -1 for none. */
  #nodeText(node: number): string {
    const { functionName, scriptId, url, line, column } = this.#frames[this.#nodeFrames[node]!]!;
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

/** V8 writes some samples out of order, as negative deltas. */
function orderedTimes({ nodes, startTimeUs, sampleIds, timeDeltasUs }: RawProfile): { timeUs: number; raw: number }[] {
  let timeUs = startTimeUs;
  let isOrdered = true;
  const times = Array.from(sampleIds, (id, index) => {
    const raw = nodes.indexById.get(id);
    if (raw === undefined) throw unreadable(`samples[${index}] is node ${id}, which is not there`);
    if (timeDeltasUs[index]! < 0) isOrdered = false;
    timeUs += timeDeltasUs[index]!;
    return { timeUs, raw };
  });
  return isOrdered ? times : times.sort((a, b) => a.timeUs - b.timeUs);
}
