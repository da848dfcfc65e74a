import { readFile, stat } from 'node:fs/promises';
import { parentPort } from 'node:worker_threads';
import { gzipSync } from 'node:zlib';
import { encodeCollapsed } from '../../protocol/cpu-profile/collapsed.ts';
import { cpuFacts } from '../../protocol/cpu-profile/facts.ts';
import type { CpuFacts, CpuProblem } from '../../protocol/cpu-profile/facts.ts';
import type { CpuProfile } from '../../protocol/cpu-profile/model.ts';
import { parseCpuProfile } from '../../protocol/cpu-profile/parse.ts';
import { encodePprof } from '../../protocol/cpu-profile/pprof.ts';
import { SidescopeError } from '../../protocol/error.ts';
import type { ProblemCode } from '../../protocol/rest/problem.ts';
import type { Profile } from '../../protocol/rest/profile.ts';

export type WorkerRequest =
  | { readonly type: 'facts'; readonly path: string }
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
  convert: Uint8Array;
}

export type WorkerAnswer =
  | { readonly ok: true; readonly result: WorkerResults[keyof WorkerResults] }
  | { readonly ok: false; readonly code: ProblemCode; readonly message: string };

/** A file is one string while it is parsed, and V8's longest has 512 Mi characters. */
const PROFILE_BYTES_MAX = 256 * 1024 * 1024;

// One request at a time: ProfileWorker sends the next one after the answer.
parentPort?.on('message', (request: WorkerRequest) => {
  void answer(request).then(({ value, moved }) => parentPort?.postMessage(value, moved));
});

async function answer(request: WorkerRequest): Promise<{ value: WorkerAnswer; moved: ArrayBuffer[] }> {
  try {
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
  return parseCpuProfile(parseJson(await readText(path)));
}

async function readText(path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > PROFILE_BYTES_MAX) {
      throw new SidescopeError('analysis-limit', `the profile has ${size} B, the limit is ${PROFILE_BYTES_MAX} B`);
    }
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof SidescopeError) throw error;
    throw new SidescopeError('storage-failed', `cannot read the profile: ${describe(error)}`, { cause: error });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // V8's own message quotes the file, which may hold what should not be in a log.
    const where = /at position \d+/.exec(describe(error))?.[0] ?? 'at its beginning or end';
    throw new SidescopeError('unreadable-profile', `${text.length} characters that are not JSON ${where}`);
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
