import { PprofFields, unreadablePprof } from './pprof-fields.ts';

/** A pprof file as it is: everything by number, texts in `texts`. Without mappings and addresses. */
export interface PprofFile {
  readonly texts: readonly string[];
  readonly sampleTypes: readonly { readonly type: number; readonly unit: number }[];
  readonly samples: readonly PprofSample[];
  /** The innermost first where one was inlined. */
  readonly locations: ReadonlyMap<number, readonly (readonly [functionId: number, line: number])[]>;
  readonly functions: ReadonlyMap<number, { name: number; systemName: number; file: number; line: number }>;
  readonly periodType: { readonly type: number; readonly unit: number };
  readonly period: number;
  /** Since 1970; 0 when it does not say. */
  readonly timeNs: number;
  readonly durationNs: number;
  readonly comments: readonly number[];
  readonly defaultType: number;
}

export interface PprofSample {
  /** The innermost first. */
  readonly locations: readonly number[];
  readonly values: readonly number[];
  readonly labels: readonly (readonly [key: number, text: number, number: number, unit: number])[];
}

const STACK_DEPTH_MAX = 100_000;

/** pprof's Profile (github.com/google/pprof/blob/main/proto/profile.proto), not compressed, of any producer. Throws `unreadable-profile`. */
export function readPprofFile(bytes: Uint8Array): PprofFile {
  const texts: string[] = [];
  const sampleTypes: { type: number; unit: number }[] = [];
  const samples: PprofSample[] = [];
  const locations = new Map<number, [number, number][]>();
  const functions = new Map<number, { name: number; systemName: number; file: number; line: number }>();
  const comments: number[] = [];
  const scalars = { 9: 0, 10: 0, 12: 0, 14: 0 };
  let periodType = { type: 0, unit: 0 };
  const fields = new PprofFields(bytes);
  fields.each((field, wire) => {
    if (field === 0) throw unreadablePprof('there is no field 0', 0);
    if (wire === 0 && (field === 9 || field === 10 || field === 12 || field === 14)) scalars[field] = fields.varint();
    else if (field === 13) fields.numbers(wire, comments);
    if (wire !== 2) return;
    if (field === 1) sampleTypes.push(typeOf(fields.message()));
    else if (field === 2) samples.push(sampleOf(fields.message()));
    else if (field === 4) readLocation(fields.message(), locations);
    else if (field === 5) {
      const [id = 0, name = 0, systemName = 0, file = 0, line = 0] = numbersOf(fields.message(), 5);
      functions.set(id, { name, systemName, file, line });
    } else if (field === 6) texts.push(fields.text());
    else if (field === 11) periodType = typeOf(fields.message());
  });
  if (sampleTypes.length === 0) throw unreadablePprof('it has no sample type', 0);
  return {
    ...{ texts, sampleTypes, samples, locations, functions, periodType, comments },
    ...{ timeNs: scalars[9], durationNs: scalars[10], period: scalars[12], defaultType: scalars[14] },
  };
}

function typeOf(message: PprofFields): { type: number; unit: number } {
  const [type = 0, unit = 0] = numbersOf(message, 2);
  return { type, unit };
}

/** Fields 1 to `count` of a message of numbers; 0 where one is not there. */
function numbersOf(message: PprofFields, count: number): number[] {
  const values = Array.from({ length: count }, () => 0);
  message.each((field, wire) => {
    if (wire === 0 && field >= 1 && field <= count) values[field - 1] = message.varint();
  });
  return values;
}

function sampleOf(message: PprofFields): PprofSample {
  const [locations, values]: [number[], number[]] = [[], []];
  const labels: [number, number, number, number][] = [];
  message.each((field, wire) => {
    if (field === 1) message.numbers(wire, locations);
    else if (field === 2) message.numbers(wire, values);
    else if (field === 3 && wire === 2) {
      const [key = 0, text = 0, number = 0, unit = 0] = numbersOf(message.message(), 4);
      labels.push([key, text, number, unit]);
    }
  });
  if (locations.length > STACK_DEPTH_MAX) throw unreadablePprof(`a stack has more than ${STACK_DEPTH_MAX} frames`, 0);
  return { locations, values, labels };
}

function readLocation(message: PprofFields, into: Map<number, [number, number][]>): void {
  let id = 0;
  const lines: [number, number][] = [];
  message.each((field, wire) => {
    if (field === 1 && wire === 0) id = message.varint();
    else if (field === 4 && wire === 2) {
      const [fn = 0, line = 0] = numbersOf(message.message(), 2);
      lines.push([fn, line]);
    }
  });
  into.set(id, lines);
}
