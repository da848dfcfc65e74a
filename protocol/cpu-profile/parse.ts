import type { CpuProfile, Frame } from './model.ts';
import { checkRawProfile, unreadable } from './raw-profile.ts';
import type { RawNode, RawProfile } from './raw-profile.ts';

/**
 * A .cpuprofile, as JSON.parse gave it, to columns; throws `unreadable-profile` with the place.
 *
 * - Real files of V8 have samples out of order (negative deltas): they are sorted by time, as DevTools does. Times before
 *   `startTime` become it, and `endTime` is moved to the last sample when that is later.
 * - Nodes of scripts named `sidescope:` are our own evaluations: they and what they called are dropped, and their samples
 *   go to the function that was interrupted.
 */
export function parseCpuProfile(value: unknown): CpuProfile {
  const raw = checkRawProfile(value);
  const indexById = indexIds(raw.nodes);
  const links = linkChildren(raw.nodes, indexById);
  const { nodeOfRaw, rawOfNode, parents } = orderDepthFirst(raw.nodes, links);
  const { frames, nodeFrames } = shareFrames(rawOfNode);
  return {
    startTimeUs: raw.startTimeUs,
    frames,
    nodeFrames,
    parents,
    subtreeEnds: findSubtreeEnds(parents),
    ...orderSamples(raw, (id, sample) => {
      const index = indexById.get(id);
      if (index === undefined) throw unreadable(`samples[${sample}] refers to node ${id}, which is not there`);
      return nodeOfRaw[index]!;
    }),
    ...columnLines(rawOfNode),
  };
}

function indexIds(nodes: readonly RawNode[]): Map<number, number> {
  const indexById = new Map<number, number>();
  nodes.forEach(({ id }, index) => {
    if (indexById.has(id)) throw unreadable(`nodes[${index}] has the id ${id} of an earlier node`);
    indexById.set(id, index);
  });
  return indexById;
}

interface Links {
  readonly root: number;
  readonly firstChild: Int32Array;
  readonly nextSibling: Int32Array;
}

function linkChildren(nodes: readonly RawNode[], indexById: ReadonlyMap<number, number>): Links {
  const firstChild = new Int32Array(nodes.length).fill(-1);
  const nextSibling = new Int32Array(nodes.length).fill(-1);
  const hasParent = new Uint8Array(nodes.length);
  nodes.forEach((node, index) => {
    for (const id of node.children.toReversed()) {
      const child = indexById.get(id);
      if (child === undefined) throw unreadable(`node ${node.id} has the child ${id}, which is not there`);
      if (hasParent[child] === 1) throw unreadable(`node ${id} has two parents, one of them node ${node.id}`);
      hasParent[child] = 1;
      nextSibling[child] = firstChild[index]!;
      firstChild[index] = child;
    }
  });
  const root = hasParent.indexOf(0);
  if (root === -1) throw unreadable(nodes.length === 0 ? 'it has no nodes' : 'no node is the root: all have parents');
  const second = hasParent.indexOf(0, root + 1);
  if (second !== -1) throw unreadable(`nodes ${nodes[root]!.id} and ${nodes[second]!.id} are both without parent`);
  return { root, firstChild, nextSibling };
}

/** `nodeOfRaw` sends a dropped node to the nearest kept one above it. */
function orderDepthFirst(nodes: readonly RawNode[], { root, firstChild, nextSibling }: Links) {
  const nodeOfRaw = new Int32Array(nodes.length).fill(-1);
  const rawOfNode: RawNode[] = [];
  const parents: number[] = [];
  // Entries of the stack: a node, and where its parent went (-1 for the root); a dropped parent drops its children.
  const stack: { raw: number; parent: number; isDropped: boolean }[] = [{ raw: root, parent: -1, isDropped: false }];
  let seen = 0;
  for (let entry = stack.pop(); entry !== undefined; entry = stack.pop()) {
    const { raw, parent } = entry;
    seen++;
    const sibling = nextSibling[raw]!;
    if (sibling !== -1) stack.push({ ...entry, raw: sibling });
    const isDropped = entry.isDropped || (parent !== -1 && nodes[raw]!.url.startsWith('sidescope:'));
    const node = isDropped ? parent : rawOfNode.push(nodes[raw]!) - 1;
    if (!isDropped) parents.push(parent);
    nodeOfRaw[raw] = node;
    const child = firstChild[raw]!;
    if (child !== -1) stack.push({ raw: child, parent: node, isDropped });
  }
  if (seen !== nodes.length) {
    throw unreadable(`node ${nodes[nodeOfRaw.indexOf(-1)]!.id} is in a circle, not below the root`);
  }
  return { nodeOfRaw, rawOfNode, parents: Int32Array.from(parents) };
}

function shareFrames(nodes: readonly RawNode[]): { frames: Frame[]; nodeFrames: Uint32Array } {
  const frames: Frame[] = [];
  const indexByKey = new Map<string, number>();
  const nodeFrames = new Uint32Array(nodes.length);
  nodes.forEach(({ functionName, url, scriptId, lineNumber, columnNumber }, node) => {
    // The same file can be loaded twice: then the script differs, and the function is still the same to a reader.
    const key = `${url === '' ? scriptId : ''}\n${lineNumber}:${columnNumber}\n${url}\n${functionName}`;
    let index = indexByKey.get(key);
    if (index === undefined) {
      const line = Math.max(0, lineNumber + 1);
      index = frames.push({ functionName, url, scriptId, line, column: Math.max(0, columnNumber + 1) }) - 1;
      indexByKey.set(key, index);
    }
    nodeFrames[node] = index;
  });
  return { frames, nodeFrames };
}

function findSubtreeEnds(parents: Int32Array): Uint32Array {
  const ends = Uint32Array.from(parents, (_, node) => node + 1);
  for (let node = parents.length - 1; node > 0; node--) {
    const parent = parents[node]!;
    ends[parent] = Math.max(ends[parent]!, ends[node]!);
  }
  return ends;
}

function orderSamples(raw: RawProfile, nodeOf: (id: number, sample: number) => number) {
  const samples = Uint32Array.from(raw.samples, nodeOf);
  const sampleTimesUs = new Float64Array(samples.length);
  let timeUs = 0;
  let isOrdered = true;
  raw.timeDeltasUs.forEach((deltaUs, index) => {
    timeUs += deltaUs;
    sampleTimesUs[index] = Math.max(0, timeUs);
    if (deltaUs < 0) isOrdered = false;
  });
  const durationUs = raw.endTimeUs - raw.startTimeUs;
  if (isOrdered) {
    return { samples, sampleTimesUs, endTimeUs: raw.startTimeUs + Math.max(durationUs, sampleTimesUs.at(-1) ?? 0) };
  }
  const order = Uint32Array.from(samples.keys()).sort((a, b) => sampleTimesUs[a]! - sampleTimesUs[b]! || a - b);
  const sortedTimesUs = Float64Array.from(order, (index) => sampleTimesUs[index]!);
  return {
    samples: Uint32Array.from(order, (index) => samples[index]!),
    sampleTimesUs: sortedTimesUs,
    endTimeUs: raw.startTimeUs + Math.max(durationUs, sortedTimesUs.at(-1)!),
  };
}

function columnLines(nodes: readonly RawNode[]) {
  const lineStarts = new Uint32Array(nodes.length + 1);
  nodes.forEach((node, index) => (lineStarts[index + 1] = lineStarts[index]! + node.positionTicks.length));
  const ticks = nodes.flatMap((node) => node.positionTicks);
  return {
    lineStarts,
    lines: Uint32Array.from(ticks, ({ line }) => line),
    lineSamples: Uint32Array.from(ticks, (tick) => tick.ticks),
  };
}
