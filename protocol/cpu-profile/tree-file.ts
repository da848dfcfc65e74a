import { SidescopeError } from '../error.ts';
import type { Frame } from './model.ts';
import type { SampleTree } from './sample-tree.ts';

const formatVersion = 1;

/** As it is kept per version: only frames that a node has. */
export function encodeSampleTree({ frames, nodeFrames, parents, self, samples }: SampleTree): Uint8Array<ArrayBuffer> {
  const indexes = new Map<number, number>();
  const rows: FrameRow[] = [];
  const used = Array.from(nodeFrames, (frame) => {
    let index = indexes.get(frame);
    if (index === undefined) {
      const { functionName, url, scriptId, line, column } = frames[frame]!;
      index = rows.push([functionName, url, scriptId === '0' ? 0 : 1, line, column]) - 1;
      indexes.set(frame, index);
    }
    return index;
  });
  const file = {
    format: 'sidescope-sample-tree',
    formatVersion,
    samples,
    frames: rows,
    nodeFrames: used,
    parents: [...parents],
    self: [...self],
  };
  return new TextEncoder().encode(JSON.stringify(file));
}

type FrameRow = readonly [string, string, 0 | 1, number, number];

/** Throws `unreadable-profile` for anything that `encodeSampleTree` did not write. */
export function decodeSampleTree(bytes: Uint8Array): SampleTree {
  let file: Record<string, unknown>;
  try {
    file = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
  } catch {
    // JSON.parse's own message quotes the text.
    throw unreadable(`${bytes.length} B that are no JSON text`);
  }
  if (typeof file !== 'object' || file === null || file['format'] !== 'sidescope-sample-tree')
    throw unreadable('it does not say that it is one');
  if (file['formatVersion'] !== formatVersion)
    throw unreadable(`its format is ${String(file['formatVersion']).slice(0, 20)}, this agent reads ${formatVersion}`);
  const frames = list(file, 'frames').map(frameOf);
  const nodeFrames = numbers(file, 'nodeFrames', (value) => value >= 0 && value < frames.length);
  const parents = numbers(file, 'parents', (value, node) => value >= -1 && value < node);
  const self = numbers(file, 'self', (value) => value >= 0);
  const samples = file['samples'];
  if (parents.length !== nodeFrames.length || self.length !== nodeFrames.length || parents.length === 0)
    throw unreadable(`${nodeFrames.length} nodes, ${parents.length} parents, ${self.length} weights`);
  if (typeof samples !== 'number' || !(samples >= 0)) throw unreadable('samples must be a number');
  if (parents[0] !== -1 || parents.indexOf(-1, 1) !== -1) throw unreadable('node 0, and only that, is the root');
  return {
    frames,
    nodeFrames: Uint32Array.from(nodeFrames),
    parents: Int32Array.from(parents),
    self: Float64Array.from(self),
    samples,
  };
}

function frameOf(row: unknown, index: number): Frame {
  if (!Array.isArray(row)) throw unreadable(`frame ${index} is no list`);
  const [functionName, url, isScript, line, column] = row as unknown[];
  if (
    typeof functionName !== 'string' ||
    typeof url !== 'string' ||
    typeof line !== 'number' ||
    !Number.isInteger(line)
  )
    throw unreadable(`frame ${index} has no name, file or line`);
  return {
    functionName,
    url,
    scriptId: isScript === 0 ? '0' : '1',
    line,
    column: typeof column === 'number' ? column : 0,
  };
}

function list(file: Record<string, unknown>, name: string): readonly unknown[] {
  const value = file[name];
  if (!Array.isArray(value)) throw unreadable(`${name} must be a list`);
  return value;
}

function numbers(
  file: Record<string, unknown>,
  name: string,
  fits: (value: number, index: number) => boolean,
): number[] {
  return list(file, name).map((value, index) => {
    if (typeof value !== 'number' || !Number.isFinite(value) || !fits(value, index))
      throw unreadable(`${name}[${index}] is out of its range`);
    return value;
  });
}

function unreadable(message: string): SidescopeError {
  return new SidescopeError('unreadable-profile', `not a merged profile: ${message}`);
}
