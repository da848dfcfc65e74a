import { FrameTable } from '../cpu-profile/frame-table.ts';
import { checkBound, ProfileFields } from '../cpu-profile/profile-fields.ts';
import { SidescopeError } from '../error.ts';
import type { HeapSamplingProfile } from './model.ts';

/** V8 keeps 128 frames per stack; real trees have up to some 50,000 nodes. A sample is about 43 bytes of text. */
const bytesMax = 64 * 1024 * 1024;
const nodesMax = 500_000;

const fields = new ProfileFields('a heap sampling profile');

/** Throws `unreadable-profile` with the place, `analysis-limit` when it is over a bound. */
export function parseHeapProfileBytes(bytes: Uint8Array): HeapSamplingProfile {
  if (bytes.length > bytesMax) {
    throw new SidescopeError('analysis-limit', `the profile has ${bytes.length} B, the limit is ${bytesMax} B`);
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes));
  } catch {
    // JSON.parse's own message quotes the text.
    throw fields.unreadable(`${bytes.length} B that are no JSON text`);
  }
  return parseHeapProfile(value);
}

/** The same from what JSON.parse gave. */
export function parseHeapProfile(value: unknown): HeapSamplingProfile {
  const file = fields.object(value, 'the profile');
  const samples = fields.list(file['samples'] ?? [], 'samples').length;
  const frames = new FrameTable();
  const nodeFrames: number[] = [];
  const parents: number[] = [];
  const selfBytes: number[] = [];
  const stack: { node: unknown; parent: number }[] = [{ node: file['head'], parent: -1 }];
  for (let entry = stack.pop(); entry !== undefined; entry = stack.pop()) {
    const where = entry.parent === -1 ? 'head' : `node ${nodeFrames.length}`;
    checkBound('nodes', nodeFrames.length + 1, nodesMax);
    const node = fields.object(entry.node, where);
    const self = nodeFrames.push(frames.indexOf(fields.callFrame(node['callFrame'], `${where}.callFrame`))) - 1;
    parents.push(entry.parent);
    selfBytes.push(fields.sizeBytes(node['selfSize'], `${where}.selfSize`));
    // Backwards, so that the first child is the next node.
    for (const child of fields.list(node['children'], `${where}.children`).toReversed())
      stack.push({ node: child, parent: self });
  }
  return {
    frames: frames.frames,
    nodeFrames: Uint32Array.from(nodeFrames),
    parents: Int32Array.from(parents),
    selfBytes: Float64Array.from(selfBytes),
    samples,
  };
}
