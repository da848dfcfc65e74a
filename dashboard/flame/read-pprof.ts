import type { Frame } from '../../protocol/cpu-profile/model.ts';
import { SidescopeError } from '../../protocol/error.ts';
import type { FlameUnit, StackTree } from './flame-tree.ts';
import { readPprofFile } from '../../protocol/cpu-profile/pprof-file.ts';
import type { PprofFile } from '../../protocol/cpu-profile/pprof-file.ts';
import { RequestTable, type RequestSamples } from './request-samples.ts';

export interface ReadPprof {
  readonly tree: StackTree;
  readonly unit: FlameUnit;
  /** Per node, how many samples: what the error of a comparison follows from. */
  readonly counts: Float64Array;
  readonly requests: readonly RequestSamples[];
}

const nodesMax = 1_000_000;

/** pprof's Profile (github.com/google/pprof/blob/main/proto/profile.proto), not compressed, of any producer. */
export function readPprof(bytes: Uint8Array): ReadPprof {
  const file = readPprofFile(bytes);
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

class TreeBuilder {
  readonly self: number[] = [0];
  readonly counts: number[] = [0];
  readonly #file: PprofFile;
  readonly #frames: Frame[] = [{ functionName: '(root)', url: '', scriptId: '0', line: 0, column: 0 }];
  readonly #frameOf = new Map<number, number>();
  readonly #nodeFrames: number[] = [0];
  readonly #parents: number[] = [-1];
  readonly #known = new Map<string, number>();

  constructor(file: PprofFile) {
    this.#file = file;
  }

  /** `locations` begin with the innermost. */
  nodeOf(locations: readonly number[]): number {
    let node = 0;
    for (let at = locations.length - 1; at >= 0; at--) {
      const functions = this.#file.locations.get(locations[at]!) ?? [];
      for (let inlined = functions.length - 1; inlined >= 0; inlined--)
        node = this.#child(node, functions[inlined]![0]);
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
