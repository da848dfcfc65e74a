import { SidescopeError } from '../error.ts';

/** The file's own shape, checked field by field, still with the file's ids and 0-based lines. */
export interface RawProfile {
  readonly nodes: readonly RawNode[];
  readonly startTimeUs: number;
  readonly endTimeUs: number;
  readonly samples: readonly number[];
  readonly timeDeltasUs: readonly number[];
}

export interface RawNode {
  readonly id: number;
  readonly functionName: string;
  readonly url: string;
  readonly scriptId: string;
  readonly lineNumber: number;
  readonly columnNumber: number;
  readonly children: readonly number[];
  readonly positionTicks: readonly { readonly line: number; readonly ticks: number }[];
}

/** Checks types and what can be seen without the tree. Throws `unreadable-profile` naming the place. */
export function checkRawProfile(value: unknown): RawProfile {
  const file = fields(value, 'the profile');
  const startTimeUs = finite(file['startTime'], 'startTime');
  const endTimeUs = finite(file['endTime'], 'endTime');
  if (endTimeUs < startTimeUs) throw unreadable(`endTime ${endTimeUs} is before startTime ${startTimeUs}`);
  const samples = list(file['samples'], 'samples');
  const timeDeltas = list(file['timeDeltas'], 'timeDeltas');
  if (samples.length !== timeDeltas.length) {
    throw unreadable(`${samples.length} samples but ${timeDeltas.length} timeDeltas`);
  }
  return {
    nodes: list(file['nodes'], 'nodes').map(checkNode),
    startTimeUs,
    endTimeUs,
    samples: samples.every(Number.isSafeInteger) ? (samples as number[]) : badNumber(samples, 'samples'),
    timeDeltasUs: timeDeltas.every(Number.isFinite) ? (timeDeltas as number[]) : badNumber(timeDeltas, 'timeDeltas'),
  };
}

export function unreadable(message: string): SidescopeError {
  return new SidescopeError('unreadable-profile', `not a CPU profile: ${message}`);
}

function checkNode(value: unknown, index: number): RawNode {
  const where = `nodes[${index}]`;
  const node = fields(value, where);
  const frame = fields(node['callFrame'], `${where}.callFrame`);
  return {
    id: integer(node['id'], `${where}.id`),
    functionName: text(frame['functionName'], `${where}.callFrame.functionName`),
    url: text(frame['url'], `${where}.callFrame.url`),
    scriptId: text(frame['scriptId'], `${where}.callFrame.scriptId`),
    lineNumber: integer(frame['lineNumber'], `${where}.callFrame.lineNumber`),
    columnNumber: integer(frame['columnNumber'], `${where}.callFrame.columnNumber`),
    children: list(node['children'] ?? [], `${where}.children`).map((child) => integer(child, `${where}.children`)),
    positionTicks: list(node['positionTicks'] ?? [], `${where}.positionTicks`).map((tick) =>
      checkTick(tick, `${where}.positionTicks`),
    ),
  };
}

function checkTick(value: unknown, where: string): { line: number; ticks: number } {
  const tick = fields(value, where);
  const checked = { line: integer(tick['line'], `${where}.line`), ticks: integer(tick['ticks'], `${where}.ticks`) };
  if (checked.line < 0 || checked.ticks < 0) throw unreadable(`${where} has a negative number`);
  return checked;
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

function finite(value: unknown, where: string): number {
  if (Number.isFinite(value)) return value as number;
  throw expected('a number', value, where);
}

function badNumber(values: readonly unknown[], where: string): never {
  const index = values.findIndex(
    (value) => !(where === 'samples' ? Number.isSafeInteger(value) : Number.isFinite(value)),
  );
  throw expected('a number', values[index], `${where}[${index}]`);
}

function expected(what: string, value: unknown, where: string): SidescopeError {
  const seen = value === undefined ? 'nothing' : (JSON.stringify(value)?.slice(0, 40) ?? typeof value);
  return unreadable(`${where} must be ${what}, is ${seen}`);
}
