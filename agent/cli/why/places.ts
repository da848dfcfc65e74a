import { categorizeFrame, filePathOf } from '../../../protocol/cpu-profile/frame-text.ts';
import { sumNodes } from '../../../protocol/cpu-profile/call-tree.ts';
import { sumCategories } from '../../../protocol/cpu-profile/hot-functions.ts';
import type { CpuProfile } from '../../../protocol/cpu-profile/model.ts';
import type { StackFrame } from '../../../protocol/inspector/readings.ts';
import type { StackSample } from './observe.ts';

/** Line and column are 1-based; 0 where there is none. */
export interface Place {
  readonly functionName: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface Hotspot {
  readonly place: Place;
  /** What it calls that is no code of the application, when most time is there: `JSON.parse`, `RegExp.test`, `pbkdf2Sync`. */
  readonly doing: string | null;
  readonly calledBy: readonly Place[];
  /** Of the samples that were not idle, 0 to 1. */
  readonly share: number;
}

export interface Shares {
  readonly javascript: number;
  readonly native: number;
  readonly gc: number;
  readonly waiting: number;
}

/** In this share of the samples a function must be, to be the one that blocks. */
const dominant = 0.8;
const maxCallers = 2;
/** Below this a function says nothing about where the time went. */
const noteworthy = 0.05;

/** Where a blocked thread is: the innermost function of the application that almost every sample is in, at its most frequent line. */
export function hotspotOfStacks(samples: readonly StackSample[]): Hotspot | null {
  const stacks = samples.flatMap(({ frames }) => (frames === null || frames.length === 0 ? [] : [frames]));
  const places = new Map<string, { count: number; depths: number; frames: StackFrame[] }>();
  for (const frames of stacks) {
    const seen = new Set<string>();
    frames.forEach((frame, depth) => {
      const key = `${frame.functionName}\0${frame.url}`;
      if (seen.has(key)) return;
      seen.add(key);
      const entry = places.get(key) ?? { count: 0, depths: 0, frames: [] };
      places.set(key, { count: entry.count + 1, depths: entry.depths + depth, frames: [...entry.frames, frame] });
    });
  }
  const known = [...places.values()].filter(({ count }) => count >= stacks.length * dominant);
  const ofApplication = known.filter(({ frames }) => frames[0] !== undefined && isApplication(frames[0]));
  const [found] = (ofApplication.length > 0 ? ofApplication : known).toSorted(
    (a, b) => a.depths / a.count - b.depths / b.count,
  );
  if (found === undefined) return null;
  const frame = mostFrequent(found.frames, ({ lineNumber }) => String(lineNumber));
  const stack = stacks.findLast((frames) => frames.includes(frame)) ?? [];
  const at = stack.indexOf(frame);
  const inside = stacks.flatMap((frames) => {
    const called =
      frames[frames.findIndex(({ functionName, url }) => functionName === frame.functionName && url === frame.url) - 1];
    return called !== undefined && !isApplication(called) ? [builtinName(called.functionName, called.url)] : [];
  });
  return {
    place: placeOf(frame),
    doing: inside.length > stacks.length / 2 ? mostFrequent(inside, String) : null,
    calledBy: stack
      .slice(at + 1)
      .filter(isApplication)
      .slice(0, maxCallers)
      .map(placeOf),
    share: found.count / stacks.length,
  };
}

/** Where a thread spends its time by a CPU profile: what Node and V8 do is counted to the function of the application that asked for it. */
export function hotspotOfProfile(profile: CpuProfile): Hotspot | null {
  const { selfUs } = sumNodes(profile);
  const categories = profile.frames.map(categorizeFrame);
  const categoryOf = (node: number) => categories[profile.nodeFrames[node]!]!;
  const byFrame = new Map<number, { us: number; outside: Map<string, number>; node: number; nodeUs: number }>();
  let activeUs = 0;
  selfUs.forEach((us, node) => {
    const category = categoryOf(node);
    if (us === 0 || category === 'idle' || category === 'program') return;
    activeUs += us;
    let anchor = node;
    let called = node;
    for (; anchor > 0 && !['app', 'package'].includes(categoryOf(anchor)); anchor = profile.parents[anchor]!)
      called = anchor;
    if (anchor <= 0) return;
    const frame = profile.nodeFrames[anchor]!;
    const entry = byFrame.get(frame) ?? { us: 0, outside: new Map<string, number>(), node: anchor, nodeUs: 0 };
    entry.us += us;
    if (us > entry.nodeUs) Object.assign(entry, { node: anchor, nodeUs: us });
    const { functionName, url } = profile.frames[profile.nodeFrames[called]!]!;
    const name = builtinName(functionName, url);
    if (anchor !== node) entry.outside.set(name, (entry.outside.get(name) ?? 0) + us);
    byFrame.set(frame, entry);
  });
  const [found] = [...byFrame].toSorted(([, a], [, b]) => b.us - a.us);
  if (found === undefined || found[1].us < activeUs * noteworthy) return null;
  const [frameIndex, { us, outside, node }] = found;
  const [doing] = [...outside].toSorted(([, a], [, b]) => b - a);
  const callers: Place[] = [];
  for (let above = profile.parents[node]!; above > 0 && callers.length < maxCallers; above = profile.parents[above]!) {
    const frame = profile.frames[profile.nodeFrames[above]!]!;
    if (['app', 'package'].includes(categoryOf(above))) callers.push(profilePlace(frame, frame.line));
  }
  const frame = profile.frames[frameIndex]!;
  return {
    place: profilePlace(frame, hottestLine(profile, frameIndex) ?? frame.line),
    doing: doing !== undefined && doing[1] > us / 2 ? doing[0] : null,
    calledBy: callers,
    share: activeUs > 0 ? us / activeUs : 0,
  };
}

/** What the main thread's time went to. Node's own functions are counted as native: what takes long in them is what they call in C++. */
export function sharesOf(profile: CpuProfile): Shares | null {
  const { selfUs, totalUs } = sumNodes(profile);
  const sums = sumCategories(profile, selfUs);
  const allUs = totalUs[0] ?? 0;
  if (allUs <= 0) return null;
  const share = (us: number): number => us / allUs;
  return {
    javascript: share(sums.app + sums.package),
    native: share(sums.node + sums.native + sums.program),
    gc: share(sums.gc),
    waiting: share(sums.idle),
  };
}

export function placeText({ functionName, file, line, column }: Place): string {
  const where = line === 0 ? file : `${file}:${line}${column > 0 ? `:${column}` : ''}`;
  return `${functionName}${where === '' ? '' : `  ${where}`}`;
}

/** V8 tells the bare name of a builtin; these are the ones that take long by themselves. */
function builtinName(functionName: string, url: string): string {
  if (functionName === zlibWrapper) return 'a synchronous function of zlib';
  return (url === '' ? builtins[functionName] : undefined) ?? (functionName || '(anonymous)');
}

const builtins: Readonly<Record<string, string>> = {
  parse: 'JSON.parse',
  stringify: 'JSON.stringify',
  wait: 'Atomics.wait',
  test: 'RegExp.test',
  exec: 'RegExp.exec',
};

/** What all of Node's synchronous zlib functions are inside: `gzipSync`, `inflateSync` and the others. */
const zlibWrapper = 'syncBufferWrapper';

function isApplication({ url }: StackFrame): boolean {
  return url !== '' && !url.startsWith('node:') && !url.startsWith('wasm:');
}

function placeOf({ functionName, url, lineNumber, columnNumber }: StackFrame): Place {
  return { functionName: functionName || '(anonymous)', file: filePathOf(url), line: lineNumber, column: columnNumber };
}

function profilePlace(frame: CpuProfile['frames'][number], line: number): Place {
  return { functionName: frame.functionName || '(anonymous)', file: filePathOf(frame.url), line, column: 0 };
}

/** By the samples in the frame itself; undefined when it has none. */
export function hottestLine(profile: CpuProfile, frame: number): number | undefined {
  const samples = new Map<number, number>();
  profile.nodeFrames.forEach((nodeFrame, node) => {
    if (nodeFrame !== frame) return;
    for (let at = profile.lineStarts[node]!; at < profile.lineStarts[node + 1]!; at++) {
      const line = profile.lines[at]!;
      samples.set(line, (samples.get(line) ?? 0) + profile.lineSamples[at]!);
    }
  });
  return [...samples].toSorted(([, a], [, b]) => b - a)[0]?.[0];
}

/** Throws when there are none. */
export function mostFrequent<T>(values: readonly T[], keyOf: (value: T) => string): T {
  const groups = [...Map.groupBy(values, keyOf).values()].toSorted((a, b) => b.length - a.length);
  const [first] = groups;
  const value = first?.at(-1);
  if (value === undefined) throw new Error('there is no value to choose from');
  return value;
}
