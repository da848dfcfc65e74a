import type { SidescopeError } from '../error.ts';
import { FrameTable } from './frame-table.ts';
import type { Frame } from './model.ts';
import { checkBound, ProfileFields } from './profile-fields.ts';

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
const LINES_MAX = 4_000_000;

export const cpuFields = new ProfileFields('a CPU profile');

/** Nodes in the order of the file, as columns; equal frames are shared. */
export class RawNodes {
  readonly ids: number[] = [];
  readonly indexById = new Map<number, number>();
  readonly nodeFrames: number[] = [];
  /** The children (ids) of node `i` are the entries from `childStarts[i]` up to `childStarts[i + 1]`. */
  readonly childStarts = [0];
  readonly children: number[] = [];
  readonly lineStarts = [0];
  readonly lines: number[] = [];
  readonly lineSamples: number[] = [];
  readonly #frames = new FrameTable();

  get frames(): readonly Frame[] {
    return this.#frames.frames;
  }

  add(value: unknown): void {
    const where = `nodes[${this.ids.length}]`;
    const node = cpuFields.object(value, where);
    const id = cpuFields.integer(node['id'], `${where}.id`);
    if (this.indexById.has(id)) throw unreadable(`${where} has the id ${id} of an earlier node`);
    this.indexById.set(id, this.ids.length);
    this.ids.push(id);
    this.nodeFrames.push(this.#frames.indexOf(cpuFields.callFrame(node['callFrame'], `${where}.callFrame`)));
    for (const child of cpuFields.list(node['children'] ?? [], `${where}.children`)) {
      this.children.push(cpuFields.integer(child, `${where}.children`));
    }
    this.childStarts.push(this.children.length);
    for (const tick of cpuFields.list(node['positionTicks'] ?? [], `${where}.positionTicks`)) {
      const entry = cpuFields.object(tick, `${where}.positionTicks`);
      this.lines.push(cpuFields.count(entry['line'], `${where}.positionTicks.line`));
      this.lineSamples.push(cpuFields.count(entry['ticks'], `${where}.positionTicks.ticks`));
    }
    this.lineStarts.push(this.lines.length);
    checkBound('nodes', Math.max(this.ids.length, this.children.length), NODES_MAX);
    checkBound('lines', this.lines.length, LINES_MAX);
  }
}

/** From what JSON.parse gave. Throws `unreadable-profile` naming the place. */
export function readRawProfile(value: unknown): RawProfile {
  const file = cpuFields.object(value, 'the profile');
  const nodes = new RawNodes();
  for (const node of cpuFields.list(file['nodes'], 'nodes')) nodes.add(node);
  const numbers = (name: string) => {
    const values = cpuFields.list(file[name], name);
    checkBound(name, values.length, SAMPLES_MAX);
    return Float64Array.from(values, (item, index) => cpuFields.number(item, `${name}[${index}]`));
  };
  return {
    nodes,
    startTimeUs: cpuFields.timeUs(file['startTime'], 'startTime'),
    endTimeUs: cpuFields.timeUs(file['endTime'], 'endTime'),
    sampleIds: numbers('samples'),
    timeDeltasUs: numbers('timeDeltas'),
  };
}

export function unreadable(message: string): SidescopeError {
  return cpuFields.unreadable(message);
}
