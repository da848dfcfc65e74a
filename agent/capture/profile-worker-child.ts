import { readFile, stat } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { encodeCollapsed } from '../../protocol/cpu-profile/collapsed.ts';
import { cpuFacts } from '../../protocol/cpu-profile/facts.ts';
import type { CpuFacts, CpuProblem } from '../../protocol/cpu-profile/facts.ts';
import type { TreeDiff } from '../../protocol/cpu-profile/tree-diff.ts';
import { findHotLines } from '../../protocol/cpu-profile/hot-lines.ts';
import type { CpuProfile } from '../../protocol/cpu-profile/model.ts';
import { findHotFunctions, type HotFunction } from '../../protocol/cpu-profile/hot-functions.ts';
import { originalCpuProfile, originalFrames, placesOf } from '../../protocol/cpu-profile/originals.ts';
import { parseCpuProfileBytes } from '../../protocol/cpu-profile/parse.ts';
import { encodePprof } from '../../protocol/cpu-profile/pprof.ts';
import { summarizeCpu } from '../../protocol/cpu-profile/report.ts';
import { rewriteCpuProfile } from '../../protocol/cpu-profile/rewrite-original.ts';
import { workInWindow, type WindowWork } from '../../protocol/cpu-profile/window.ts';
import { heapSamplingFacts, type HeapSamplingContent } from '../../protocol/heap-sampling/facts.ts';
import { encodeHeapPprof } from '../../protocol/heap-sampling/pprof.ts';
import { summarizeHeapSampling } from '../../protocol/heap-sampling/report.ts';
import { parseHeapProfileBytes } from '../../protocol/heap-sampling/parse.ts';
import { SidescopeError } from '../../protocol/error.ts';
import type { ProblemCode } from '../../protocol/rest/problem.ts';
import type { Profile, SourceMapsSummary } from '../../protocol/rest/profile.ts';
import type { ProfileSummary } from '../../protocol/rest/summary.ts';
import {
  findPositions,
  type FoundPositions,
  type PositionsQuery,
  type SourceMapContext,
} from '../source-maps/find-positions.ts';
import { locateSites, type LocatedSites } from '../memory/locate-sites.ts';
import { decodePositions, encodePositions } from '../source-maps/position-bytes.ts';
import { findSourceLines } from '../source-maps/find-source-lines.ts';
import { encodeSourceLines, type EncodedSource } from '../source-maps/source-line-bytes.ts';
import { summarize } from '../source-maps/summary.ts';
import { diffFiles, diffMerged, mergeTrees, sampleTreeOf } from './compare-profiles.ts';
import type {
  DiffMergedRequest,
  DiffRequest,
  MergedDiff,
  MergedTrees,
  MergeTreesRequest,
  SampleTreeRequest,
  TreeBytes,
} from './compare-profiles.ts';
import { containerMemoryBytes } from './container-memory.ts';
import { joinInput, joinProfile, type JoinAnswer, type JoinQuery, type JoinQuestion } from './join-profile.ts';
import { gunzipWindow, writeJoined, type JoinedWindows, type WindowSource } from './write-joined.ts';

export type WorkerRequest =
  | DiffRequest
  | DiffMergedRequest
  | SampleTreeRequest
  | MergeTreesRequest
  | {
      readonly type: 'facts';
      readonly path: string;
      readonly sourceMaps: SourceMapContext | undefined;
      readonly withSourceLines: boolean;
    }
  | { readonly type: 'heapSamplingFacts'; readonly path: string; readonly sourceMaps: SourceMapContext | undefined }
  | {
      readonly type: 'window';
      readonly path: string;
      readonly fromUs: number;
      readonly toUs: number;
      readonly positions: Uint8Array | undefined;
    }
  | {
      readonly type: 'joined';
      readonly path: string;
      readonly join: JoinQuery;
      readonly question: JoinQuestion;
      readonly positions: Uint8Array | undefined;
    }
  | {
      readonly type: 'allocationSites';
      readonly profile: Uint8Array;
      readonly sourceMaps: SourceMapContext | undefined;
      readonly sitesMax: number;
    }
  | {
      readonly type: 'summary';
      readonly kind: ProfileSummary['kind'];
      readonly path: string;
      readonly limit: number;
      readonly positions: Uint8Array | undefined;
    }
  | { readonly type: 'hotFunctions'; readonly path: string; readonly positions: Uint8Array | undefined }
  | { readonly type: 'join'; readonly path: string; readonly windows: readonly WindowSource[] }
  | {
      readonly type: 'windowPprof';
      readonly gzip: Uint8Array;
      readonly clock: Profile['clock'];
      readonly intervalUs: number;
      readonly sourceMaps: SourceMapContext | undefined;
      readonly join: JoinQuery | undefined;
    }
  | { readonly type: 'positions'; readonly query: PositionsQuery; readonly sourceMaps: SourceMapContext }
  | {
      readonly type: 'convert';
      readonly path: string;
      readonly format: ConvertedFormat;
      readonly clock: Profile['clock'];
      readonly intervalUs: number | undefined;
      readonly positions: Uint8Array | undefined;
      readonly join: JoinQuery | undefined;
      readonly withLikely: boolean | undefined;
    };
/** `cpuprofile`: with original places. */
export type ConvertedFormat = 'pprof' | 'collapsed' | 'cpuprofile' | 'heap-pprof';

/** What the source maps of the target said about a profile; both undefined when they were not asked. */
export interface Originals {
  readonly sourceMaps: SourceMapsSummary | undefined;
  /** For the store, and for `convert`. */
  readonly positions: Uint8Array | undefined;
  /** For the store: the text around the hot lines; of CPU profiles. */
  readonly sourceLines?: EncodedSource | undefined;
}

export interface WorkerResults {
  diff: TreeDiff;
  diffMerged: MergedDiff;
  sampleTree: TreeBytes;
  mergeTrees: MergedTrees;
  facts: { facts: CpuFacts; problems: CpuProblem[]; originals: Originals };
  heapSamplingFacts: { content: HeapSamplingContent; originals: Originals };
  allocationSites: LocatedSites;
  positions: FoundPositions;
  hotFunctions: HotFunction[];
  summary: ProfileSummary;
  window: WindowWork;
  join: JoinedWindows;
  convert: Uint8Array;
  windowPprof: Uint8Array;
  joined: JoinAnswer;
}

export type WorkerAnswer =
  | { readonly ok: true; readonly result: WorkerResults[keyof WorkerResults] }
  | { readonly ok: false; readonly code: ProblemCode; readonly message: string };

/**
 * Held in memory while it is read, together with columns of about the same size and what a conversion makes of them. In a
 * container of 256 MiB the facts of 66 MB are read at 217 MiB RSS, and its collapsed stacks end the agent.
 */
const profileBytesMax = Math.min(256 * 1024 * 1024, containerMemoryBytes() / 8);

// One request at a time: ProfileWorker sends the next one after the answer. When the agent is gone the channel closes, and with it this process.
process.on('message', (request: WorkerRequest) => {
  void answer(request).then((value) => process.send?.(value));
});

async function answer(request: WorkerRequest): Promise<WorkerAnswer> {
  try {
    if (request.type === 'positions') {
      return { ok: true, result: findPositions(request.query, request.sourceMaps) };
    }
    if (request.type === 'windowPprof') return { ok: true, result: windowPprof(request) };
    if (request.type === 'join') return { ok: true, result: await writeJoined(request.path, request.windows) };
    if (request.type === 'allocationSites') {
      return { ok: true, result: locateSites(request.profile, request) };
    }
    if (request.type === 'heapSamplingFacts') {
      const profile = parseHeapProfileBytes(await readBytes(request.path));
      const found = lookUp({ places: profile.frames, lines: [] }, request.sourceMaps);
      const result = { content: heapSamplingFacts(profile, found?.positions), originals: originalsOf(found) };
      return { ok: true, result };
    }
    if (request.type === 'diff') return { ok: true, result: await diffFiles(request, readBytes) };
    if (request.type === 'diffMerged') return { ok: true, result: diffMerged(request) };
    if (request.type === 'sampleTree') return { ok: true, result: await sampleTreeOf(request, readBytes) };
    if (request.type === 'mergeTrees') return { ok: true, result: mergeTrees(request) };
    const file = await readBytes(request.path);
    if (request.type === 'convert') {
      return { ok: true, result: convert(file, request) };
    }
    if (request.type === 'summary') return { ok: true, result: summarizeProfile(file, request) };
    if (request.type === 'hotFunctions') return { ok: true, result: hotFunctions(file, request.positions) };
    const profile = parseCpuProfileBytes(file);
    if (request.type === 'joined') {
      const { join, question, positions } = request;
      const named = positions === undefined ? profile : originalCpuProfile(profile, decodePositions(positions));
      return { ok: true, result: joinProfile(named, join, question) };
    }
    if (request.type === 'window') {
      const { fromUs, toUs, positions } = request;
      const originals = positions === undefined ? undefined : decodePositions(positions);
      return { ok: true, result: workInWindow(profile, { fromUs, toUs, positions: originals }) };
    }
    const found = lookUp(placesOf(profile), request.sourceMaps);
    const { sourceMaps, withSourceLines } = request;
    const sourceLines = withSourceLines ? sourceLinesOf(profile, found, sourceMaps) : undefined;
    const originals = { ...originalsOf(found), sourceLines };
    const result = { ...cpuFacts(profile, found?.positions), originals };
    return { ok: true, result };
  } catch (error) {
    const known = error instanceof SidescopeError ? error : new SidescopeError('internal', describe(error));
    return { ok: false, code: known.code, message: known.message };
  }
}

function lookUp(query: PositionsQuery, context: SourceMapContext | undefined): FoundPositions | undefined {
  if (context === undefined) return undefined;
  try {
    return findPositions(query, context);
  } catch (error) {
    // The profile is worth keeping without them, and says so.
    return { positions: { places: [], lines: [] }, mapped: 0, missing: [], problem: describe(error) };
  }
}

function originalsOf(found: FoundPositions | undefined): Originals {
  if (found === undefined) return { sourceMaps: undefined, positions: undefined };
  return { sourceMaps: summarize(found), positions: encodePositions(found.positions) };
}

const sourceFunctionsMax = 20;
/** A script and its map are there at once: 45 MB of both took 50 MB more than the positions had. */
const sourceBytesMax = containerMemoryBytes() / 16;

function sourceLinesOf(
  profile: CpuProfile,
  found: FoundPositions | undefined,
  context: SourceMapContext | undefined,
): EncodedSource | undefined {
  if (context === undefined) return undefined;
  try {
    const hot = findHotLines(profile, found?.positions, sourceFunctionsMax);
    return encodeSourceLines(findSourceLines(hot, { ...context, bytesMax: sourceBytesMax }));
  } catch {
    // The profile is worth keeping without them: whoever asks is told that there are none.
    return undefined;
  }
}

/** Enough for lists that sum up several profiles: what is behind has less than a hundredth of the first. */
const hotFunctionsMax = 200;

function hotFunctions(file: Uint8Array, positions: Uint8Array | undefined): HotFunction[] {
  const raw = parseCpuProfileBytes(file);
  const profile = positions === undefined ? raw : originalCpuProfile(raw, decodePositions(positions));
  return findHotFunctions(profile, hotFunctionsMax);
}

function summarizeProfile(
  file: Uint8Array,
  { kind, limit, positions }: Extract<WorkerRequest, { type: 'summary' }>,
): ProfileSummary {
  if (kind === 'heap-sampling') return { kind, ...summarizeHeapSampling(parseHeapProfileBytes(file), limit) };
  const raw = parseCpuProfileBytes(file);
  const profile = positions === undefined ? raw : originalCpuProfile(raw, decodePositions(positions));
  const { functions, stacks, ...sums } = summarizeCpu(profile, limit);
  return {
    kind,
    ...sums,
    functions: [...functions],
    stacks: stacks.map(({ share, frames }) => ({ share, frames: [...frames] })),
  };
}

type Conversion = Extract<WorkerRequest, { type: 'convert' }>;

function convert(file: Uint8Array, { format, positions, ...asked }: Conversion): Uint8Array {
  const originals = positions === undefined ? undefined : decodePositions(positions);
  if (format === 'heap-pprof') {
    const heap = parseHeapProfileBytes(file);
    const frames = originals === undefined ? heap.frames : originalFrames(heap.frames, originals);
    return gzipSync(encodeHeapPprof({ ...heap, frames }));
  }
  if (format === 'cpuprofile') return originals === undefined ? file : rewriteCpuProfile(file, originals);
  const raw = parseCpuProfileBytes(file);
  const profile = originals === undefined ? raw : originalCpuProfile(raw, originals);
  switch (format) {
    case 'collapsed':
      return encodeCollapsed(profile);
    case 'pprof':
      return gzipSync(encodePprof(profile, { ...asked, join: asked.join && joinInput(asked.join) }));
  }
}

/** Of one window of the recorder, which is in no file. */
function windowPprof(request: Extract<WorkerRequest, { type: 'windowPprof' }>): Uint8Array {
  const { gzip, clock, intervalUs, sourceMaps, join } = request;
  const raw = parseCpuProfileBytes(gunzipWindow(gzip));
  const found = lookUp(placesOf(raw), sourceMaps);
  const profile = found === undefined ? raw : originalCpuProfile(raw, found.positions);
  return gzipSync(encodePprof(profile, { clock, intervalUs, join: join && joinInput(join) }));
}

async function readBytes(path: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(path);
    if (size > profileBytesMax) {
      throw new SidescopeError('analysis-limit', `the profile has ${size} B, the limit is ${profileBytesMax} B`);
    }
    return await readFile(path);
  } catch (error) {
    if (error instanceof SidescopeError) throw error;
    throw new SidescopeError('storage-failed', `cannot read the profile: ${describe(error)}`, { cause: error });
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
