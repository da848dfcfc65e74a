import type { Frame } from '../cpu-profile/model.ts';
import { SidescopeError } from '../error.ts';
import type { HeapSamplingProfile } from './model.ts';

/** V8 keeps 128 frames per stack; real trees have up to some 50,000 nodes. A sample is about 43 bytes of text. */
const bytesMax = 64 * 1024 * 1024;
const nodesMax = 500_000;

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
    throw unreadable(`${bytes.length} B that are no JSON text`);
  }
  return parseHeapProfile(value);
}

/** The same from what JSON.parse gave. */
export function parseHeapProfile(value: unknown): HeapSamplingProfile {
  const file = fields(value, 'the profile');
  const samples = list(file['samples'] ?? [], 'samples').length;
  const frames = new FrameTable();
  const nodeFrames: number[] = [];
  const parents: number[] = [];
  const selfBytes: number[] = [];
  const stack: { node: unknown; parent: number }[] = [{ node: file['head'], parent: -1 }];
  for (let entry = stack.pop(); entry !== undefined; entry = stack.pop()) {
    const where = entry.parent === -1 ? 'head' : `node ${nodeFrames.length}`;
    if (nodeFrames.length === nodesMax) {
      throw new SidescopeError('analysis-limit', `the profile has more than ${nodesMax} nodes`);
    }
    const node = fields(entry.node, where);
    const self = nodeFrames.push(frames.indexOf(node['callFrame'], `${where}.callFrame`)) - 1;
    parents.push(entry.parent);
    selfBytes.push(size(node['selfSize'], `${where}.selfSize`));
    // Backwards, so that the first child is the next node.
    for (const child of list(node['children'], `${where}.children`).toReversed())
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

class FrameTable {
  readonly frames: Frame[] = [];
  readonly #indexByKey = new Map<string, number>();

  indexOf(value: unknown, where: string): number {
    const frame = fields(value, where);
    const url = text(frame['url'], `${where}.url`);
    const scriptId = text(frame['scriptId'], `${where}.scriptId`);
    const functionName = text(frame['functionName'], `${where}.functionName`);
    // From 0-based, with -1 for no place, to 1-based, with 0.
    const line = Math.max(0, integer(frame['lineNumber'], `${where}.lineNumber`) + 1);
    const column = Math.max(0, integer(frame['columnNumber'], `${where}.columnNumber`) + 1);
    const key = `${url === '' ? scriptId : ''}\n${line}:${column}\n${url}\n${functionName}`;
    const known = this.#indexByKey.get(key);
    if (known !== undefined) return known;
    const index = this.frames.push({ functionName, url, scriptId, line, column }) - 1;
    this.#indexByKey.set(key, index);
    return index;
  }
}

function fields(value: unknown, where: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw expected('an object', value, where);
}

function list(value: unknown, where: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw expected('a list', value, where);
}

function text(value: unknown, where: string): string {
  if (typeof value === 'string') return value;
  throw expected('text', value, where);
}

function integer(value: unknown, where: string): number {
  if (Number.isSafeInteger(value)) return value as number;
  throw expected('a whole number', value, where);
}

function size(value: unknown, where: string): number {
  if (Number.isFinite(value) && (value as number) >= 0) return value as number;
  throw expected('a size', value, where);
}

function expected(what: string, value: unknown, where: string): SidescopeError {
  const seen =
    typeof value === 'number' || value === null ? String(value) : value === undefined ? 'missing' : typeof value;
  return unreadable(`${where} must be ${what}, is ${seen}`);
}

function unreadable(message: string): SidescopeError {
  return new SidescopeError('unreadable-profile', `not a heap sampling profile: ${message}`);
}
