import type { Frame } from '../../protocol/cpu-profile/model.ts';
import { SidescopeError } from '../../protocol/error.ts';
import type { FlameUnit, StackTree } from './flame-tree.ts';
import { PprofFields, unreadablePprof } from './pprof-fields.ts';

/** The samples of one request, as the labels `trace_id` and `span_name` name it. */
export interface RequestSamples {
  readonly traceId: string;
  readonly name: string;
  /** Nodes of the tree, with what of their own weight is the request's. A node may be there more than once. */
  readonly nodes: readonly number[];
  readonly weights: readonly number[];
}

export interface ReadPprof {
  readonly tree: StackTree;
  readonly unit: FlameUnit;
  /** Per node, how many samples: what the error of a comparison follows from. */
  readonly counts: Float64Array;
  readonly requests: readonly RequestSamples[];
}

const nodesMax = 1_000_000;
const stackDepthMax = 100_000;
/** Beyond that, requests are left out: nobody chooses among so many. */
const requestsMax = 5_000;

/** pprof's Profile (github.com/google/pprof/blob/main/proto/profile.proto), not compressed, of any producer. */
export function readPprof(bytes: Uint8Array): ReadPprof {
  const file = readTables(bytes);
  if (file.sampleTypes.length === 0) throw unreadablePprof('it has no sample type', 0);
  const weightAt = Math.max(
    0,
    file.defaultType === 0
      ? file.sampleTypes.length - 1
      : file.sampleTypes.findIndex(({ type }) => type === file.defaultType),
  );
  const unitName = file.texts[file.sampleTypes[weightAt]!.unit] ?? '';
  const countAt = file.sampleTypes.findIndex(({ unit }) => file.texts[unit] === 'count');
  const { unit, scale } = unitOf(unitName);
  const builder = new TreeBuilder(file);
  const requests = new RequestTable(file.texts);
  for (const { locations, values, labels } of file.samples) {
    const node = builder.nodeOf(locations);
    const weight = (values[weightAt] ?? 0) * scale;
    // V8 and Go write no negative value; a file of differences has them as numbers above 2^63.
    if (!(weight >= 0 && weight < 2 ** 53)) continue;
    builder.self[node]! += weight;
    builder.counts[node]! += countAt === -1 ? 1 : (values[countAt] ?? 0);
    requests.add(labels, { node, weight });
  }
  return { ...builder.finish(), unit, requests: requests.list };
}

function unitOf(name: string): { unit: FlameUnit; scale: number } {
  const perUs = { nanoseconds: 1e-3, microseconds: 1, milliseconds: 1e3, seconds: 1e6 }[name];
  if (perUs !== undefined) return { unit: 'microseconds', scale: perUs };
  const perByte = { bytes: 1, kilobytes: 1024, megabytes: 1024 ** 2 }[name];
  return perByte === undefined ? { unit: 'count', scale: 1 } : { unit: 'bytes', scale: perByte };
}

type Label = readonly [key: number, text: number];

interface Tables {
  readonly texts: string[];
  readonly sampleTypes: { type: number; unit: number }[];
  readonly samples: { locations: number[]; values: number[]; labels: Label[] }[];
  /** Functions, the innermost first where one was inlined. */
  readonly locations: Map<number, number[]>;
  readonly functions: Map<number, { name: number; file: number; line: number }>;
  defaultType: number;
}

function readTables(bytes: Uint8Array): Tables {
  const file: Tables = {
    texts: [],
    sampleTypes: [],
    samples: [],
    locations: new Map(),
    functions: new Map(),
    defaultType: 0,
  };
  const fields = new PprofFields(bytes);
  fields.each((field, wire) => {
    if (field === 0) throw unreadablePprof('there is no field 0', 0);
    if (field === 14 && wire === 0) file.defaultType = fields.varint();
    if (wire !== 2) return;
    if (field === 1) file.sampleTypes.push(named(fields.message(), { type: 1, unit: 2 }));
    else if (field === 2) file.samples.push(readSample(fields.message()));
    else if (field === 4) readLocation(fields.message(), file);
    else if (field === 5) {
      const { id, ...called } = named(fields.message(), { id: 1, name: 2, file: 4, line: 5 });
      file.functions.set(id, called);
    } else if (field === 6) file.texts.push(fields.text());
  });
  return file;
}

/** The numbers of a message by name; 0 where one is not there. */
function named<Name extends string>(message: PprofFields, numbers: Record<Name, number>): Record<Name, number> {
  const values = Object.fromEntries(Object.keys(numbers).map((name) => [name, 0])) as Record<Name, number>;
  const nameOf = new Map(Object.entries<number>(numbers).map(([name, number]) => [number, name as Name]));
  message.each((field, wire) => {
    const name = nameOf.get(field);
    if (name !== undefined && wire === 0) values[name] = message.varint();
  });
  return values;
}

function readSample(message: PprofFields): Tables['samples'][number] {
  const sample: Tables['samples'][number] = { locations: [], values: [], labels: [] };
  message.each((field, wire) => {
    if (field === 1) message.numbers(wire, sample.locations);
    else if (field === 2) message.numbers(wire, sample.values);
    else if (field === 3 && wire === 2) {
      const { key, text } = named(message.message(), { key: 1, text: 2 });
      sample.labels.push([key, text]);
    }
  });
  if (sample.locations.length > stackDepthMax) throw unreadablePprof('a stack has more than 100000 frames', 0);
  return sample;
}

function readLocation(message: PprofFields, { locations }: Tables): void {
  let id = 0;
  const functions: number[] = [];
  message.each((field, wire) => {
    if (field === 1 && wire === 0) id = message.varint();
    else if (field === 4 && wire === 2) functions.push(named(message.message(), { of: 1 }).of);
  });
  locations.set(id, functions);
}

class TreeBuilder {
  readonly self: number[] = [0];
  readonly counts: number[] = [0];
  readonly #file: Tables;
  readonly #frames: Frame[] = [{ functionName: '(root)', url: '', scriptId: '0', line: 0, column: 0 }];
  readonly #frameOf = new Map<number, number>();
  readonly #nodeFrames: number[] = [0];
  readonly #parents: number[] = [-1];
  readonly #known = new Map<string, number>();

  constructor(file: Tables) {
    this.#file = file;
  }

  /** `locations` begin with the innermost. */
  nodeOf(locations: readonly number[]): number {
    let node = 0;
    for (let at = locations.length - 1; at >= 0; at--) {
      const functions = this.#file.locations.get(locations[at]!) ?? [];
      for (let inlined = functions.length - 1; inlined >= 0; inlined--) node = this.#child(node, functions[inlined]!);
      if (functions.length === 0) node = this.#child(node, 0);
    }
    return node;
  }

  finish(): Pick<ReadPprof, 'tree' | 'counts'> {
    return {
      tree: {
        frames: this.#frames,
        nodeFrames: Uint32Array.from(this.#nodeFrames),
        parents: Int32Array.from(this.#parents),
        self: Float64Array.from(this.self),
      },
      counts: Float64Array.from(this.counts),
    };
  }

  #child(parent: number, functionId: number): number {
    const key = `${parent}:${functionId}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const node = this.#nodeFrames.push(this.#frame(functionId)) - 1;
    if (node === nodesMax) {
      throw new SidescopeError('analysis-limit', `the profile has more than ${nodesMax} call paths`);
    }
    this.#parents.push(parent);
    this.self.push(0);
    this.counts.push(0);
    this.#known.set(key, node);
    return node;
  }

  #frame(functionId: number): number {
    const known = this.#frameOf.get(functionId);
    if (known !== undefined) return known;
    const { texts, functions } = this.#file;
    const called = functions.get(functionId);
    const url = texts[called?.file ?? 0] ?? '';
    const functionName = called === undefined ? '(unknown)' : (texts[called.name] ?? '');
    const frame = { functionName, url, scriptId: url === '' ? '0' : '1', line: called?.line ?? 0, column: 0 };
    const index = this.#frames.push(frame) - 1;
    this.#frameOf.set(functionId, index);
    return index;
  }
}

class RequestTable {
  readonly #texts: readonly string[];
  readonly #byKey = new Map<string, { traceId: string; name: string; nodes: number[]; weights: number[] }>();

  constructor(texts: readonly string[]) {
    this.#texts = texts;
  }

  get list(): RequestSamples[] {
    return [...this.#byKey.values()];
  }

  add(labels: readonly Label[], { node, weight }: { node: number; weight: number }): void {
    if (labels.length === 0) return;
    const values = new Map(labels.map(([key, text]) => [this.#texts[key], this.#texts[text] ?? '']));
    const traceId = values.get('trace_id') ?? '';
    if (traceId === '') return;
    const name = values.get('span_name') ?? '';
    const key = `${traceId}\n${name}`;
    let request = this.#byKey.get(key);
    if (request === undefined) {
      if (this.#byKey.size === requestsMax) return;
      this.#byKey.set(key, (request = { traceId, name, nodes: [], weights: [] }));
    }
    request.nodes.push(node);
    request.weights.push(weight);
  }
}
