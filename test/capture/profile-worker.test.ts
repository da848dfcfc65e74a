import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { Profile } from 'pprof-format';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProfileWorker } from '../../agent/capture/profile-worker.ts';
import { encodeCollapsed } from '../../protocol/cpu-profile/collapsed.ts';
import { cpuFacts } from '../../protocol/cpu-profile/facts.ts';
import { summarizeCpu } from '../../protocol/cpu-profile/report.ts';
import { parseCpuProfile } from '../../protocol/cpu-profile/parse.ts';
import { fileOf, randomFile } from '../cpu-profile/profiles.ts';
import { waitFor } from '../support/wait-for.ts';

const small = randomFile(5, { nodes: 60, samples: 300 });
let folder: string;
let smallPath: string;
let bigPath: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sidescope-profile-worker-'));
  smallPath = join(folder, 'small.cpuprofile');
  bigPath = join(folder, 'big.cpuprofile');
  await writeFile(smallPath, JSON.stringify(small));
  await writeFile(bigPath, JSON.stringify(randomFile(6, { nodes: 30_000, samples: 1_300_000 })));
});

afterAll(() => rm(folder, { recursive: true }));

describe('ProfileWorker', () => {
  it('gives the facts that the parser gives', async () => {
    await using worker = new ProfileWorker();
    expect(await worker.facts(smallPath)).toMatchObject(cpuFacts(parseCpuProfile(small)));
  });

  it('converts to collapsed stacks and to gzipped pprof with its time', async () => {
    await using worker = new ProfileWorker();
    const collapsed = await worker.convert(smallPath, 'collapsed');
    expect(collapsed).toEqual(encodeCollapsed(parseCpuProfile(small)));
    const clock = { monotonicUs: 1_000, wallMs: 1_800_000_000_000, timeOriginMs: 0 };
    const pprof = await worker.convert(smallPath, 'pprof', { clock, intervalUs: 500 });
    const decoded = Profile.decode(gunzipSync(pprof));
    expect(BigInt(decoded.timeNanos)).toBe(1_800_000_000_000_000_000n);
    expect(decoded.period).toBe(500_000);
  });

  it('sums up a profile as the report of the command does', async () => {
    await using worker = new ProfileWorker();
    const summary = await worker.summary(smallPath, { kind: 'cpu', limit: 5 });
    expect(summary).toEqual({ kind: 'cpu', ...summarizeCpu(parseCpuProfile(small), 5) });
    await expect(worker.summary(smallPath, { kind: 'heap-sampling', limit: 5 })).rejects.toMatchObject({
      code: 'unreadable-profile',
    });
  });

  it('answers many requests, each with its own', async () => {
    await using worker = new ProfileWorker();
    const paths = await Promise.all(
      [1, 2, 3, 4, 5].map(async (samples) => {
        const path = join(folder, `${samples}.cpuprofile`);
        await writeFile(path, JSON.stringify(fileOf(`a ${samples}`)));
        return path;
      }),
    );
    const answers = await Promise.all(paths.map((path) => worker.facts(path)));
    expect(answers.map(({ facts }) => facts.samples)).toEqual([1, 2, 3, 4, 5]);
  });

  it('reads a profile of 20 MB within a small heap', async () => {
    await using worker = new ProfileWorker({ memoryLimitMb: 64 });
    const { facts } = await worker.facts(bigPath);
    expect(facts).toMatchObject({ samples: 1_300_000, nodes: 30_000 });
  });

  it.each([
    ['a missing file', undefined, { code: 'storage-failed', message: expect.stringContaining('ENOENT') as string }],
    ['text', 'hunter2', { code: 'unreadable-profile', message: 'not a CPU profile: expected { at byte 0' }],
    ['another JSON', '{"head":{}}', { code: 'unreadable-profile' }],
    ['an empty file', '', { code: 'unreadable-profile' }],
  ])('rejects %s with its code and goes on', async (_what, content, expected) => {
    await using worker = new ProfileWorker();
    const path = join(folder, 'broken.cpuprofile');
    await rm(path, { force: true });
    if (content !== undefined) await writeFile(path, content);
    await expect(worker.facts(path)).rejects.toMatchObject(expected);
    expect((await worker.facts(smallPath)).facts.samples).toBe(300);
  });

  it('rejects what runs too long, and takes the next request in a new process', async () => {
    await using worker = new ProfileWorker({ timeoutMs: 20 });
    await expect(worker.facts(bigPath)).rejects.toMatchObject({ code: 'analysis-limit', message: /over 20 ms/ });
    await using patient = new ProfileWorker();
    const aborted = new AbortController();
    const first = patient.facts(bigPath, { signal: aborted.signal });
    const second = patient.facts(smallPath);
    aborted.abort(new Error('not wanted any more'));
    await expect(first).rejects.toThrow('not wanted any more');
    expect((await second).facts.samples).toBe(300);
  });

  it('drops a waiting request that is aborted, and never starts one that is aborted before', async () => {
    await using worker = new ProfileWorker({ queueMax: 1 });
    const running = worker.facts(bigPath);
    const aborted = new AbortController();
    const waiting = worker.facts(smallPath, { signal: aborted.signal });
    aborted.abort(new Error('closed'));
    await expect(waiting).rejects.toThrow('closed');
    await expect(worker.facts(smallPath, { signal: aborted.signal })).rejects.toThrow('closed');
    const next = worker.facts(smallPath);
    expect((await running).facts.samples).toBe(1_300_000);
    expect((await next).facts.samples).toBe(300);
  });

  it('refuses what does not fit its queue', async () => {
    await using worker = new ProfileWorker({ queueMax: 2 });
    const taken = [worker.facts(bigPath), worker.facts(smallPath), worker.facts(smallPath)];
    await expect(worker.facts(smallPath)).rejects.toMatchObject({ code: 'too-many-analyses' });
    expect((await Promise.all(taken)).map(({ facts }) => facts.samples)).toEqual([1_300_000, 300, 300]);
  });

  it('ends its process after a while without work, and starts another', async () => {
    await using worker = new ProfileWorker({ idleMs: 1 });
    await worker.facts(smallPath);
    await waitFor(() => !worker.isRunning, { message: 'the end of the idle thread' });
    expect((await worker.facts(smallPath)).facts.samples).toBe(300);
  });

  it('rejects everything when it is disposed, and afterwards', async () => {
    const worker = new ProfileWorker();
    const asked = [worker.facts(bigPath), worker.facts(smallPath)];
    const settled = Promise.allSettled(asked);
    await worker[Symbol.asyncDispose]();
    for (const result of await settled) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'shutting-down' } });
    }
    await expect(worker.facts(smallPath)).rejects.toMatchObject({ code: 'shutting-down' });
    expect(worker.isRunning).toBe(false);
    await worker[Symbol.asyncDispose]();
  });

  // In a process of their own: they end it, or would end this one when the worker fails to protect it.
  it('turns a process out of memory into an error and lives on', async () => {
    const path = join(folder, 'many-functions.cpuprofile');
    const nodes = Array.from({ length: 100_000 }, (_, index) => ({
      ...fileOf().nodes[0],
      id: index + 1,
      callFrame: { ...fileOf().nodes[0]!.callFrame, functionName: `a function with a long name ${index}` },
      children: index === 0 ? Array.from({ length: 99_999 }, (_, child) => child + 2) : [],
    }));
    await writeFile(path, JSON.stringify({ ...fileOf(), nodes, endTime: 6_000_000 }));
    const output = await runProgram(`
      await using worker = new ProfileWorker({ memoryLimitMb: 32 });
      await worker.facts('${path}').catch((error) => console.log(error.code));
      console.log((await worker.facts('${smallPath}')).facts.samples);`);
    expect(output).toBe('analysis-limit\n300\n');
  });

  it('does not keep an idle process alive', async () => {
    const output = await runProgram(`
      const worker = new ProfileWorker({ idleMs: 600_000 });
      console.log((await worker.facts('${smallPath}')).facts.samples);`);
    expect(output).toBe('300\n');
  });
});

async function runProgram(code: string): Promise<string> {
  const source = join(import.meta.dirname, '..', '..', 'agent', 'capture', 'profile-worker.ts');
  const program = `import { ProfileWorker } from '${source}';\n${code}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {},
    timeout: 25_000,
  });
  const [output, errors, exit] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  expect(exit, errors).toEqual([0, null]);
  return output;
}
