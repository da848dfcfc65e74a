import type { CpuProfile } from './model.ts';
import { readRawProfile, unreadable } from './raw-profile.ts';
import type { RawNodes, RawProfile } from './raw-profile.ts';
import { readRawProfileBytes } from './read-bytes.ts';
import { orderByTime } from './time-order.ts';

/**
 * A .cpuprofile, as JSON.parse gave it, to columns. Throws `unreadable-profile` with the place, `analysis-limit` when it is
 * over a bound.
 *
 * - Real files of V8 have samples out of order (negative deltas): they are sorted by time, as DevTools does. Times before
 *   `startTime` become it, and `endTime` is moved to the last sample when that is later.
 * - Nodes of scripts named `sidescope:` are our own evaluations: they and what they called are dropped, and their samples
 *   go to the function that was interrupted.
 */
export function parseCpuProfile(value: unknown): CpuProfile {
  return buildColumns(readRawProfile(value));
}

/** The same from the file's bytes, in a fraction of the memory: for files, where `parseCpuProfile` is for values at hand. */
export function parseCpuProfileBytes(bytes: Uint8Array): CpuProfile {
  return buildColumns(readRawProfileBytes(bytes));
}

function buildColumns(raw: RawProfile): CpuProfile {
  const { nodes } = raw;
  const { nodeOfRaw, rawOfNode, parents } = orderDepthFirst(nodes, linkChildren(nodes));
  return {
    startTimeUs: raw.startTimeUs,
    frames: nodes.frames,
    nodeFrames: rawOfNode.map((index) => nodes.nodeFrames[index]!),
    parents,
    subtreeEnds: findSubtreeEnds(parents),
    ...orderSamples(raw, nodeOfRaw),
    ...columnLines(nodes, rawOfNode),
  };
}

interface Links {
  readonly root: number;
  readonly firstChild: Int32Array;
  readonly nextSibling: Int32Array;
}

function linkChildren({ ids, indexById, childStarts, children }: RawNodes): Links {
  const firstChild = new Int32Array(ids.length).fill(-1);
  const nextSibling = new Int32Array(ids.length).fill(-1);
  const hasParent = new Uint8Array(ids.length);
  ids.forEach((id, index) => {
    // Backwards, so that the list of siblings begins with the first.
    for (let at = childStarts[index + 1]! - 1; at >= childStarts[index]!; at--) {
      const child = indexById.get(children[at]!);
      if (child === undefined) throw unreadable(`node ${id} has the child ${children[at]}, which is not there`);
      if (hasParent[child] === 1) throw unreadable(`node ${children[at]} has two parents, one of them node ${id}`);
      hasParent[child] = 1;
      nextSibling[child] = firstChild[index]!;
      firstChild[index] = child;
    }
  });
  const root = hasParent.indexOf(0);
  if (root === -1) throw unreadable(ids.length === 0 ? 'it has no nodes' : 'no node is the root: all have parents');
  const second = hasParent.indexOf(0, root + 1);
  if (second !== -1) throw unreadable(`nodes ${ids[root]} and ${ids[second]} are both without parent`);
  return { root, firstChild, nextSibling };
}

/** `nodeOfRaw` sends a dropped node to the nearest kept one above it. */
function orderDepthFirst({ ids, frames, nodeFrames }: RawNodes, { root, firstChild, nextSibling }: Links) {
  const isOurs = frames.map(({ url }) => url.startsWith('sidescope:'));
  const nodeOfRaw = new Int32Array(ids.length).fill(-1);
  const rawOfNode = new Uint32Array(ids.length);
  const parents = new Int32Array(ids.length);
  let kept = 0;
  let seen = 0;
  // A dropped parent drops its children.
  const stack = [{ raw: root, parent: -1, isDropped: false }];
  for (let entry = stack.pop(); entry !== undefined; entry = stack.pop()) {
    const { raw, parent } = entry;
    seen++;
    const isDropped = entry.isDropped || (parent !== -1 && isOurs[nodeFrames[raw]!]!);
    const node = isDropped ? parent : kept++;
    if (!isDropped) {
      rawOfNode[node] = raw;
      parents[node] = parent;
    }
    nodeOfRaw[raw] = node;
    const sibling = nextSibling[raw]!;
    if (sibling !== -1) stack.push({ raw: sibling, parent, isDropped: entry.isDropped });
    const child = firstChild[raw]!;
    if (child !== -1) stack.push({ raw: child, parent: node, isDropped });
  }
  if (seen !== ids.length) throw unreadable(`node ${ids[nodeOfRaw.indexOf(-1)]} is in a circle, not below the root`);
  return { nodeOfRaw, rawOfNode: rawOfNode.subarray(0, kept), parents: parents.subarray(0, kept) };
}

function findSubtreeEnds(parents: Int32Array): Uint32Array {
  const ends = Uint32Array.from(parents, (_, node) => node + 1);
  for (let node = parents.length - 1; node > 0; node--) {
    const parent = parents[node]!;
    ends[parent] = Math.max(ends[parent]!, ends[node]!);
  }
  return ends;
}

/** 104 days: beyond that nanoseconds are no longer exact as numbers. */
const DURATION_US_MAX = 9e12;

function orderSamples({ nodes, sampleIds, timeDeltasUs, startTimeUs, endTimeUs }: RawProfile, nodeOfRaw: Int32Array) {
  if (endTimeUs < startTimeUs) throw unreadable(`endTime ${endTimeUs} is before startTime ${startTimeUs}`);
  if (sampleIds.length !== timeDeltasUs.length) {
    throw unreadable(`${sampleIds.length} samples but ${timeDeltasUs.length} timeDeltas`);
  }
  const samples = new Uint32Array(sampleIds.length);
  const timesUs = new Float64Array(sampleIds.length);
  let timeUs = 0;
  let isOrdered = true;
  for (let index = 0; index < samples.length; index++) {
    const raw = nodes.indexById.get(sampleIds[index]!);
    if (raw === undefined) throw unreadable(`samples[${index}] is node ${sampleIds[index]}, which is not there`);
    samples[index] = nodeOfRaw[raw]!;
    timeUs += timeDeltasUs[index]!;
    timesUs[index] = Math.max(0, timeUs);
    if (timeDeltasUs[index]! < 0) isOrdered = false;
  }
  const order = isOrdered ? undefined : orderByTime(timesUs);
  const sampleTimesUs = order === undefined ? timesUs : Float64Array.from(order, (index) => timesUs[index]!);
  const durationUs = Math.max(endTimeUs - startTimeUs, sampleTimesUs.at(-1) ?? 0);
  if (!(durationUs <= DURATION_US_MAX)) throw unreadable(`it lasts ${durationUs} µs`);
  return {
    samples: order === undefined ? samples : order.map((index) => samples[index]!),
    sampleTimesUs,
    endTimeUs: startTimeUs + durationUs,
  };
}

function columnLines({ lineStarts, lines, lineSamples }: RawNodes, rawOfNode: Uint32Array) {
  const starts = new Uint32Array(rawOfNode.length + 1);
  rawOfNode.forEach((raw, node) => (starts[node + 1] = starts[node]! + lineStarts[raw + 1]! - lineStarts[raw]!));
  const columns = {
    lineStarts: starts,
    lines: new Uint32Array(starts.at(-1)!),
    lineSamples: new Uint32Array(starts.at(-1)!),
  };
  rawOfNode.forEach((raw, node) => {
    for (let at = lineStarts[raw]!, to = starts[node]!; at < lineStarts[raw + 1]!; at++, to++) {
      columns.lines[to] = lines[at]!;
      columns.lineSamples[to] = lineSamples[at]!;
    }
  });
  return columns;
}
