import { readFile, stat } from 'node:fs/promises';
import { parentPort } from 'node:worker_threads';
import { gzipSync } from 'node:zlib';
import { encodeCollapsed } from '../../protocol/cpu-profile/collapsed.ts';
import { cpuFacts } from '../../protocol/cpu-profile/facts.ts';
import type { CpuFacts, CpuProblem } from '../../protocol/cpu-profile/facts.ts';
import type { CpuProfile } from '../../protocol/cpu-profile/model.ts';
import { parseCpuProfileBytes } from '../../protocol/cpu-profile/parse.ts';
import { encodePprof } from '../../protocol/cpu-profile/pprof.ts';
import { heapSamplingFacts, type HeapSamplingContent } from '../../protocol/heap-sampling/facts.ts';
import { parseHeapProfileBytes } from '../../protocol/heap-sampling/parse.ts';
import { SidescopeError } from '../../protocol/error.ts';
import type { ProblemCode } from '../../protocol/rest/problem.ts';
import type { Profile } from '../../protocol/rest/profile.ts';

export type WorkerRequest =
  | { readonly type: 'facts'; readonly path: string }
  | { readonly type: 'heapSamplingFacts'; readonly path: string }
  | {
      readonly type: 'convert';
      readonly path: string;
      readonly format: ConvertedFormat;
      readonly clock: Profile['clock'];
      readonly intervalUs: number | undefined;
    };
export type ConvertedFormat = 'pprof' | 'collapsed';

export interface WorkerResults {
  facts: { facts: CpuFacts; problems: CpuProblem[] };
  heapSamplingFacts: HeapSamplingContent;
  convert: Uint8Array;
}

export type WorkerAnswer =
  | { readonly ok: true; readonly result: WorkerResults[keyof WorkerResults] }
  | { readonly ok: false; readonly code: ProblemCode; readonly message: string };

/** Held in memory while it is read, together with columns of about the same size. */
const PROFILE_BYTES_MAX = 256 * 1024 * 1024;

// One request at a time: ProfileWorker sends the next one after the answer.
parentPort?.on('message', (request: WorkerRequest) => {
  void answer(request).then(({ value, moved }) => parentPort?.postMessage(value, moved));
});

async function answer(request: WorkerRequest): Promise<{ value: WorkerAnswer; moved: ArrayBuffer[] }> {
  try {
    if (request.type === 'heapSamplingFacts') {
      const result = heapSamplingFacts(parseHeapProfileBytes(await readBytes(request.path)));
      return { value: { ok: true, result }, moved: [] };
    }
    const profile = await readProfile(request.path);
    if (request.type === 'facts') return { value: { ok: true, result: cpuFacts(profile) }, moved: [] };
    const bytes = convert(profile, request);
    return { value: { ok: true, result: bytes }, moved: [bytes.buffer] };
  } catch (error) {
    const known = error instanceof SidescopeError ? error : new SidescopeError('internal', describe(error));
    return { value: { ok: false, code: known.code, message: known.message }, moved: [] };
  }
}

function convert(profile: CpuProfile, request: Extract<WorkerRequest, { type: 'convert' }>): Uint8Array<ArrayBuffer> {
  switch (request.format) {
    case 'collapsed':
      return encodeCollapsed(profile);
    case 'pprof':
      // Copied: zlib's result can lie in Buffer's shared pool, which must not be moved to another thread.
      return new Uint8Array(gzipSync(encodePprof(profile, { clock: request.clock, intervalUs: request.intervalUs })));
  }
}

async function readProfile(path: string): Promise<CpuProfile> {
  return parseCpuProfileBytes(await readBytes(path));
}

async function readBytes(path: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(path);
    if (size > PROFILE_BYTES_MAX) {
      throw new SidescopeError('analysis-limit', `the profile has ${size} B, the limit is ${PROFILE_BYTES_MAX} B`);
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
