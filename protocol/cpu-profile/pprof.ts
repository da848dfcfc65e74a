import type { Profile } from '../rest/profile.ts';
import { attributeSamples, forEachPart } from './attribution.ts';
import type { KnownRequest } from './attribution.ts';
import { ByteWriter } from './byte-writer.ts';
import { stackOf, sumNodes } from './call-tree.ts';
import { categorizeFrame, filePathOf, functionNameOf } from './frame-text.ts';
import { sampleDurationUs } from './model.ts';
import type { CpuProfile, Frame } from './model.ts';
import { checkBound } from './profile-fields.ts';
import { sureFrom } from './request-cpu.ts';
import type { JoinInput } from './spans.ts';

export interface PprofOptions {
  /** Joins the profile's clock with wall time; without it the profile carries no time. */
  readonly clock?: Profile['clock'] | undefined;
  /** What the capture asked for. Else the average distance of two samples is written. */
  readonly intervalUs?: number | undefined;
  readonly comments?: readonly string[] | undefined;
  /** With it samples whose request is sure carry `trace_id`, `span_id` (of the request's entry into the process) and `span_name`, as Pyroscope reads them. */
  readonly join?: JoinInput | undefined;
  /**
   * What is likely only has labels too, and all labels say which: `confidence` is `sure` or `likely`, `http.route` is there where it is known. Samples that several
   * requests share are parts then, and their counts are rounded.
   */
  readonly withLikely?: boolean | undefined;
}

/**
 * The profile as pprof's `perftools.profiles.Profile` (github.com/google/pprof/blob/main/proto/profile.proto), not
 * compressed: callers gzip it. Values are `samples/count` and `cpu/nanoseconds`; the latter is the time that samples
 * stand for, so what V8 saw on the stack, waiting in native code included. `(idle)` is left out; `(program)` and
 * `(garbage collector)` are functions. Where the file has lines, the innermost location of a stack is the executing line,
 * the others are where their function begins. Needs no recursion: any depth of the tree will do.
 */
export function encodePprof(profile: CpuProfile, options: PprofOptions = {}): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter();
  const tables = new PprofTables(profile.frames);
  const valueType = (field: number, type: string, unit: string) =>
    writer.messageField(field, (inner) => {
      inner.varintField(1, tables.text(type));
      inner.varintField(2, tables.text(unit));
    });
  valueType(1, 'samples', 'count');
  valueType(1, 'cpu', 'nanoseconds');
  writeSamples(writer, profile, { tables, options });
  tables.writeLocations(writer);
  const durationUs = profile.endTimeUs - profile.startTimeUs;
  const intervalUs = options.intervalUs ?? durationUs / Math.max(1, profile.samples.length);
  writer.varintField(9, wallTimeNs(profile, options.clock));
  writer.varintField(10, Math.round(durationUs * 1_000));
  valueType(11, 'cpu', 'nanoseconds');
  writer.varintField(12, Math.round(intervalUs * 1_000));
  writer.packedField(
    13,
    (options.comments ?? []).map((comment) => tables.text(comment)),
  );
  writer.varintField(14, tables.text('cpu'));
  tables.writeTexts(writer);
  return writer.bytes;
}

function writeSamples(
  writer: ByteWriter,
  profile: CpuProfile,
  { tables, options }: { tables: PprofTables; options: PprofOptions },
): void {
  const { join, withLikely = false } = options;
  const isShown = profile.nodeFrames.map((frame) => (categorizeFrame(profile.frames[frame]!) === 'idle' ? 0 : 1));
  for (const { node, labels, self } of join === undefined
    ? nodeGroups(profile)
    : requestGroups(profile, { join, withLikely })) {
    if (self.samples === 0 || isShown[node] === 0) continue;
    const { frames, isCut } = stackOf(profile, node);
    const callers = frames.slice(1).map((frame) => tables.location(frame));
    if (isCut) callers.push(tables.location(CUT_STACK));
    for (const part of splitByLine(profile, node, self)) {
      writer.messageField(2, (sample) => {
        sample.packedField(1, [tables.location(frames[0]!, part.line), ...callers]);
        sample.packedField(2, [part.samples, part.selfNs]);
        for (const [name, value] of labels) {
          sample.messageField(3, (label) => {
            label.varintField(1, tables.text(name));
            label.varintField(2, tables.text(value));
          });
        }
      });
    }
  }
}

interface SampleGroup {
  readonly node: number;
  readonly labels: readonly (readonly [string, string])[];
  readonly self: { samples: number; selfNs: number };
}

function* nodeGroups(profile: CpuProfile): Generator<SampleGroup> {
  const { selfSamples, selfUs } = sumNodes(profile);
  for (let node = 0; node < selfSamples.length; node++)
    yield { node, labels: [], self: { samples: selfSamples[node]!, selfNs: selfUs[node]! * 1_000 } };
}

/** The samples of a node apart by whose they were. */
function requestGroups(
  profile: CpuProfile,
  { join, withLikely }: { join: JoinInput; withLikely: boolean },
): Iterable<SampleGroup> {
  const attribution = attributeSamples(profile, join);
  const { requests } = attribution;
  const groups = new Map<number, SampleGroup>();
  const add = (sample: number, { request, weight, isSure }: { request: number; weight: number; isSure: boolean }) => {
    const node = profile.samples[sample]!;
    const key = (node * (requests.length + 1) + request + 1) * 2 + Number(isSure);
    let group = groups.get(key);
    if (group === undefined) {
      const of = requests[request];
      const labels = of === undefined ? [] : requestLabels(of, withLikely ? isSure : null);
      groups.set(key, (group = { node, labels, self: { samples: 0, selfNs: 0 } }));
    }
    group.self.samples += weight;
    group.self.selfNs += sampleDurationUs(profile, sample) * 1_000 * weight;
  };
  const nobodys = new Float64Array(profile.samples.length).fill(1);
  forEachPart(profile, { attribution, input: join }, ({ sample, request, weight, confidence }) => {
    const isSure = confidence >= sureFrom;
    if (!isSure && !withLikely) return;
    nobodys[sample]! -= weight;
    add(sample, { request, weight, isSure });
  });
  nobodys.forEach((weight, sample) => {
    if (weight > roundingError) add(sample, { request: -1, weight, isSure: false });
  });
  return groups.values();
}

/** Of a whole that was shared by up to 64. */
const roundingError = 1e-9;

function requestLabels({ traceId, spanId, name, route }: KnownRequest, isSure: boolean | null): SampleGroup['labels'] {
  const labels: [string, string][] = [
    ['trace_id', traceId],
    ['span_id', spanId],
    ['span_name', name],
  ];
  if (isSure === null) return labels;
  if (route !== null) labels.push(['http.route', route]);
  return [...labels, ['confidence', isSure ? 'sure' : 'likely']];
}

/** Shares a node's samples and time among its lines as the file's ticks do; rounded so that the sums stay exact. */
function splitByLine(profile: CpuProfile, node: number, self: { samples: number; selfNs: number }) {
  const start = profile.lineStarts[node]!;
  const end = profile.lineStarts[node + 1]!;
  const ticks = profile.lineSamples.subarray(start, end);
  const tickSum = ticks.reduce((sum, count) => sum + count, 0);
  if (tickSum === 0) return [{ line: undefined, samples: Math.round(self.samples), selfNs: Math.round(self.selfNs) }];
  const shareUpTo = (whole: number, tick: number) => Math.round((whole * tick) / tickSum);
  const parts: { line: number | undefined; samples: number; selfNs: number }[] = [];
  let before = 0;
  ticks.forEach((count, index) => {
    const after = before + count;
    const samples = shareUpTo(self.samples, after) - shareUpTo(self.samples, before);
    const selfNs = shareUpTo(self.selfNs, after) - shareUpTo(self.selfNs, before);
    if (samples > 0 || selfNs > 0) parts.push({ line: profile.lines[start + index]!, samples, selfNs });
    before = after;
  });
  return parts;
}

/** Whole nanoseconds since 1970, beyond what a number holds exactly. */
function wallTimeNs(profile: CpuProfile, clock: PprofOptions['clock']): bigint {
  if (clock === undefined || clock === null) return 0n;
  const wallUs = Math.round(clock.wallMs * 1_000 + profile.startTimeUs - clock.monotonicUs);
  // The clock comes from the target: what is no time of this age is none.
  return Number.isSafeInteger(wallUs) && wallUs > 0 ? BigInt(wallUs) * 1_000n : 0n;
}

/** In place of a frame number: what stands for the frames beyond STACK_DEPTH_MAX. */
const CUT_STACK = -1;
const cutStackFrame: Frame = { functionName: '(deeper frames)', url: '', scriptId: '0', line: 0, column: 0 };

/** Functions and lines that were executing; a real profile has some thousands. */
const LOCATIONS_MAX = 1_000_000;

/** pprof numbers everything: texts from 0 (the empty one), functions and locations from 1. */
export class PprofTables {
  readonly #frames: readonly Frame[];
  readonly #texts = new Map<string, number>([['', 0]]);
  readonly #functionIds = new Map<number, number>();
  /** Index = id - 1. */
  readonly #locations: { frame: number; line: number }[] = [];
  readonly #locationIds = new Map<number, Map<number, number>>();

  constructor(frames: readonly Frame[]) {
    this.#frames = frames;
  }

  text(value: string): number {
    return numberOf(this.#texts, value, this.#texts.size);
  }

  /** The location of a line of a function; without `line`, of its beginning. */
  location(frame: number, line = this.#frame(frame).line): number {
    let byLine = this.#locationIds.get(frame);
    if (byLine === undefined) this.#locationIds.set(frame, (byLine = new Map<number, number>()));
    const known = byLine.get(line);
    if (known !== undefined) return known;
    checkBound('places', this.#locations.length + 1, LOCATIONS_MAX);
    const id = this.#locations.push({ frame, line });
    byLine.set(line, id);
    return id;
  }

  writeLocations(writer: ByteWriter): void {
    this.#locations.forEach(({ frame, line }, index) => {
      writer.messageField(4, (location) => {
        location.varintField(1, index + 1);
        location.messageField(4, (inner) => {
          inner.varintField(1, numberOf(this.#functionIds, frame, this.#functionIds.size + 1));
          inner.varintField(2, line);
        });
      });
    });
    for (const [frameNumber, id] of this.#functionIds) {
      const frame = this.#frame(frameNumber);
      const name = this.text(functionNameOf(frame));
      writer.messageField(5, (inner) => {
        inner.varintField(1, id);
        inner.varintField(2, name);
        inner.varintField(3, name);
        inner.varintField(4, this.text(filePathOf(frame.url)));
        inner.varintField(5, frame.line);
      });
    }
  }

  writeTexts(writer: ByteWriter): void {
    for (const text of this.#texts.keys()) writer.textField(6, text);
  }

  #frame(frame: number): Frame {
    return frame === CUT_STACK ? cutStackFrame : this.#frames[frame]!;
  }
}

function numberOf<Key>(table: Map<Key, number>, key: Key, next: number): number {
  const known = table.get(key);
  if (known === undefined) table.set(key, next);
  return known ?? next;
}
