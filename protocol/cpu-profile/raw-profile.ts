import { SidescopeError } from '../error.ts';
import type { Frame } from './model.ts';

/** What the file says, each field checked, still in its own order and with its own ids. */
export interface RawProfile {
  readonly nodes: RawNodes;
  readonly startTimeUs: number;
  readonly endTimeUs: number;
  readonly sampleIds: Float64Array;
  readonly timeDeltasUs: Float64Array;
}

/**
 * Bounds of what one profile may make of memory: an hour at 1 ms has 3.6 M samples; real ones have up to some 100,000
 * nodes. V8 ends the whole process, not only a thread, when one large allocation does not fit the thread's heap, so
 * these, not the thread's limit, are what protects the agent.
 */
export const NODES_MAX = 1_000_000;
export const SAMPLES_MAX = 16_000_000;
const FRAMES_MAX = 500_000;
const FRAME_TEXT_MAX = 32 * 1024 * 1024;
const LINES_MAX = 4_000_000;

/** Nodes in the order of the file, as columns; equal frames are shared. */
export class RawNodes {
  readonly ids: number[] = [];
  readonly indexById = new Map<number, number>();
  readonly frames: Frame[] = [];
  readonly nodeFrames: number[] = [];
  /** The children (ids) of node `i` are the entries from `childStarts[i]` up to `childStarts[i + 1]`. */
  readonly childStarts = [0];
  readonly children: number[] = [];
  readonly lineStarts = [0];
  readonly lines: number[] = [];
  readonly lineSamples: number[] = [];
  readonly #frameByKey = new Map<string, number>();
  #frameTextLength = 0;

  add(value: unknown): void {
    const where = `nodes[${this.ids.length}]`;
    const node = fields(value, where);
    const id = integer(node['id'], `${where}.id`);
    if (this.indexById.has(id)) throw unreadable(`${where} has the id ${id} of an earlier node`);
    this.indexById.set(id, this.ids.length);
    this.ids.push(id);
    this.nodeFrames.push(this.#shareFrame(readFrame(node['callFrame'], `${where}.callFrame`)));
    for (const child of list(node['children'] ?? [], `${where}.children`)) {
      this.children.push(integer(child, `${where}.children`));
    }
    this.childStarts.push(this.children.length);
    for (const tick of list(node['positionTicks'] ?? [], `${where}.positionTicks`)) {
      const entry = fields(tick, `${where}.positionTicks`);
      this.lines.push(count(entry['line'], `${where}.positionTicks.line`));
      this.lineSamples.push(count(entry['ticks'], `${where}.positionTicks.ticks`));
    }
    this.lineStarts.push(this.lines.length);
    checkBound('nodes', Math.max(this.ids.length, this.children.length), NODES_MAX);
    checkBound('lines', this.lines.length, LINES_MAX);
  }

  #shareFrame(frame: Frame): number {
    // The same file can be loaded twice: then the script differs, and the function is still the same to a reader.
    const script = frame.url === '' ? frame.scriptId : '';
    const key = `${script}\n${frame.line}:${frame.column}\n${frame.url}\n${frame.functionName}`;
    const known = this.#frameByKey.get(key);
    if (known !== undefined) return known;
    this.#frameTextLength += key.length;
    checkBound('characters of names', this.#frameTextLength, FRAME_TEXT_MAX);
    checkBound('functions', this.frames.length + 1, FRAMES_MAX);
    this.#frameByKey.set(key, this.frames.length);
    return this.frames.push(frame) - 1;
  }
}

/** From what JSON.parse gave. Throws `unreadable-profile` naming the place. */
export function readRawProfile(value: unknown): RawProfile {
  const file = fields(value, 'the profile');
  const nodes = new RawNodes();
  for (const node of list(file['nodes'], 'nodes')) nodes.add(node);
  const numbers = (name: string) => {
    const values = list(file[name], name);
    checkBound(name, values.length, SAMPLES_MAX);
    return Float64Array.from(values, (item, index) => finite(item, `${name}[${index}]`));
  };
  return {
    nodes,
    startTimeUs: time(file['startTime'], 'startTime'),
    endTimeUs: time(file['endTime'], 'endTime'),
    sampleIds: numbers('samples'),
    timeDeltasUs: numbers('timeDeltas'),
  };
}

export function unreadable(message: string): SidescopeError {
  return new SidescopeError('unreadable-profile', `not a CPU profile: ${message}`);
}

export function checkBound(what: string, value: number, max: number): void {
  if (value > max) throw new SidescopeError('analysis-limit', `the profile has more than ${max} ${what}`);
}

export function time(value: unknown, where: string): number {
  if (Math.abs(finite(value, where)) <= Number.MAX_SAFE_INTEGER) return value as number;
  throw expected('a time in microseconds', value, where);
}

export function finite(value: unknown, where: string): number {
  if (Number.isFinite(value)) return value as number;
  throw expected('a number', value, where);
}

function readFrame(value: unknown, where: string): Frame {
  const frame = fields(value, where);
  return {
    functionName: text(frame['functionName'], `${where}.functionName`),
    url: text(frame['url'], `${where}.url`),
    scriptId: text(frame['scriptId'], `${where}.scriptId`),
    // From 0-based, with -1 for no place, to 1-based, with 0.
    line: Math.max(0, integer(frame['lineNumber'], `${where}.lineNumber`) + 1),
    column: Math.max(0, integer(frame['columnNumber'], `${where}.columnNumber`) + 1),
  };
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

/** Fits a column of 32 bits. */
function count(value: unknown, where: string): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 32) return value as number;
  throw expected('a count', value, where);
}

function expected(what: string, value: unknown, where: string): SidescopeError {
  const seen =
    typeof value === 'number' || value === null ? String(value) : value === undefined ? 'missing' : typeof value;
  return unreadable(`${where} must be ${what}, is ${seen}`);
}
