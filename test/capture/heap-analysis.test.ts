import { expect, it } from 'vitest';
import { gzipSync } from 'node:zlib';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { predictBytes } from '../../agent/capture/heap-analyses.ts';
import { analyseInProcess } from '../../agent/capture/heap-analysis-process.ts';
import {
  heapClassListSchema,
  heapSnapshotDiffSchema,
  heapSnapshotSummarySchema,
} from '../../protocol/rest/heap-analysis.ts';
import { infoSchema } from '../../protocol/rest/info.ts';
import { operationSchema } from '../../protocol/rest/operation.ts';
import { problemSchema } from '../../protocol/rest/problem.ts';
import type { RunningAgent } from '../support/agent.ts';
import { openAgent } from '../support/agent.ts';
import { childrenRunning, signalChildren } from '../support/children.ts';
import { startTarget } from '../support/target.ts';
import { takeSnapshots } from '../heap-snapshot/take.ts';
import { waitFor } from '../support/wait-for.ts';

const MiB = 2 ** 20;
const childName = 'heap-analysis-child';

it('analyses snapshots on request, keeps what it found, and compares two of them', async () => {
  await using target = await startTarget('holds-sessions');
  await using agent = await openAgent({ targets: [target.inspectorAddress], args: ['--heap-analysis'] });
  const before = await takeSnapshot(agent);
  await target.send('more');
  await target.waitForOutput(/held 4000/);
  const after = await takeSnapshot(agent);
  expect(await codeOf(call(agent, `/profiles/${after}/summary`))).toBe('not-analysed');

  // Asked for the wrong way round: the earlier one is the base all the same.
  const started = await call(agent, `/profiles/${before}/analyse?against=${after}&wait=true`, 'POST');
  const operation = operationSchema.parse(await started.json());
  expect([operation.kind, operation.state, operation.error]).toEqual(['heap-analysis', 'succeeded', null]);

  const summary = heapSnapshotSummarySchema.parse(await json(agent, `/profiles/${after}/summary?limit=100`));
  expect(summary.classes.length).toBe(100);
  const text = await (await call(agent, `/profiles/${after}/summary?format=text`)).text();
  expect(text).toMatch(/^Heap snapshot: /);
  expect(text.split('\n').length).toBeLessThan(200);
  const { classes } = heapClassListSchema.parse(await json(agent, `/profiles/${after}/classes?name=SESSION`));
  expect(classes.find(({ name }) => name === 'Session')?.count).toBe(4_000);

  const diff = heapSnapshotDiffSchema.parse(await json(agent, `/profiles/${after}/diff/${before}?limit=500`));
  expect([diff.before, diff.after]).toEqual([before, after]);
  expect(diff.classes.find(({ name }) => name === 'Session')).toMatchObject({
    counts: [2_000, 4_000],
    newCount: 2_000,
  });
  expect(diff.grown.find(({ className }) => className === 'Session')).toMatchObject({ count: 2_000 });
  expect(await codeOf(call(agent, `/profiles/${before}/classes`))).toBe('not-analysed');
});

it('is off unless asked for, and says what to do instead', async () => {
  await using target = await startTarget('holds-sessions');
  await using agent = await openAgent({ targets: [target.inspectorAddress] });
  const id = await takeSnapshot(agent);
  expect(await codeOf(call(agent, `/profiles/${id}/analyse`, 'POST'))).toBe('heap-analysis-off');
  const refused = problemSchema.parse(await json(agent, `/profiles/${id}/classes`));
  expect(refused.detail).toContain('sidescope heap summary');
  const { features } = infoSchema.parse(await json(agent, '/info'));
  expect(features.find(({ name }) => name === 'heap-analysis')).toMatchObject({ state: 'off' });
});

it('predicts more than the analysis takes, and ends it at its limit', async () => {
  const [bytes = Buffer.alloc(0)] = await takeSnapshots('leaks');
  await using file = await snapshotFile(bytes);
  const { meta: _meta, ...counts } = (JSON.parse(bytes.toString('utf8')) as { snapshot: Record<string, unknown> })
    .snapshot;
  const [nodes, edges] = [Number(counts['node_count']), Number(counts['edge_count'])];
  const snapshot = { forced: false, predictedPeakBytes: { low: 0, high: 0 }, predictedPauseMs: { low: 0, high: 0 } };
  const neededBytes = predictBytes([
    { sizeBytes: bytes.length, snapshot: { ...snapshot, actualPeakBytes: null, actualPauseMs: null, nodes, edges } },
  ]);
  const { signal } = new AbortController();
  const phases: string[] = [];
  const onProgress = ({ phase }: { phase: string }) => phases.push(phase);
  const found = await analyseInProcess(
    { snapshot: file.snapshot, memoryLimitBytes: neededBytes },
    { onProgress, signal },
  );
  expect(found.summary.nodes).toBe(nodes);
  expect(phases).toEqual(expect.arrayContaining(['reading', 'dominators', 'paths']));
  await expect(
    analyseInProcess({ snapshot: file.snapshot, memoryLimitBytes: 30 * MiB }, { onProgress, signal }),
  ).rejects.toMatchObject({ code: 'analysis-limit' });
});

it('survives an analysis that the kernel ends, one that is aborted, one that halts, and one of a file cut short', async () => {
  const [bytes = Buffer.alloc(0)] = await takeSnapshots('leaks');
  await using file = await snapshotFile(bytes);
  await using cut = await snapshotFile(bytes.subarray(0, bytes.length / 2));
  const onProgress = () => undefined;
  const { signal } = new AbortController();
  await expect(
    analyseInProcess({ snapshot: cut.snapshot, memoryLimitBytes: 500 * MiB }, { onProgress, signal }),
  ).rejects.toMatchObject({ code: 'unreadable-profile' });
  const abort = new AbortController();
  const aborted = analyseInProcess(
    { snapshot: file.snapshot, memoryLimitBytes: 500 * MiB },
    { onProgress: () => abort.abort(new Error('enough')), signal: abort.signal },
  );
  await expect(aborted).rejects.toThrow('enough');
  const killed = analyseInProcess(
    { snapshot: file.snapshot, memoryLimitBytes: 500 * MiB },
    { onProgress: () => signalChildren(childName, 'SIGKILL'), signal },
  );
  await expect(killed).rejects.toMatchObject({
    code: 'analysis-limit',
    message: expect.stringContaining('SIGKILL') as string,
  });
  const halted = analyseInProcess(
    { snapshot: file.snapshot, memoryLimitBytes: 500 * MiB },
    { onProgress: () => signalChildren(childName, 'SIGSTOP'), signal, silenceMs: 2_000 },
  );
  await expect(halted).rejects.toMatchObject({
    code: 'analysis-limit',
    message: expect.stringContaining('said nothing for 2000 ms') as string,
  });
  expect(childrenRunning(childName)).toEqual([]);
});

it('is told when V8 reaches the limit of its heap', async () => {
  // The names of the files are in that heap; 96 MB is the least that it is given.
  const file = { path: 'x'.repeat(1_000), sizeBytes: 1 };
  const ended = analyseInProcess(
    { snapshot: file, against: Array<typeof file>(150_000).fill(file), memoryLimitBytes: 1 },
    { onProgress: () => undefined, signal: new AbortController().signal },
  );
  await expect(ended).rejects.toMatchObject({
    code: 'analysis-limit',
    message: expect.stringMatching(/\(SIG(ABRT|TRAP)\), most often for its memory/) as string,
  });
});

it('goes on when the container has no memory for the analysis; the operation says so, and the next one succeeds', async () => {
  await using target = await startTarget('holds-sessions');
  await using agent = await openAgent({ targets: [target.inspectorAddress], args: ['--heap-analysis'] });
  const id = await takeSnapshot(agent);
  const analyse = async (query: string) =>
    operationSchema.parse(await (await call(agent, `/profiles/${id}/analyse${query}`, 'POST')).json());
  const first = await analyse('');
  await waitFor(() => childrenRunning(childName).length > 0, { message: 'the child' });
  // As the kernel does it.
  signalChildren(childName, 'SIGKILL');
  const ended = await waitFor(
    async () => {
      const operation = operationSchema.parse(await json(agent, `/operations/${first.id}`));
      return operation.state === 'failed' && operation;
    },
    { message: 'the analysis to end' },
  );
  expect(ended.error?.code).toBe('analysis-limit');
  expect(ended.error?.message).toMatch(/^the process that analysed it ended \(SIGKILL\), most often for its memory/);
  const metrics = await (await fetch(`${agent.opsUrl}/metrics`)).text();
  expect(metrics).toContain('sidescope_heap_analyses_total{result="analysis-limit"} 1');
  expect((await analyse('?wait=true')).state).toBe('succeeded');
});

async function snapshotFile(bytes: Buffer) {
  const directory = await mkdtemp(join(tmpdir(), 'sidescope-analysis-'));
  const path = join(directory, 'one.heapsnapshot.gz');
  await writeFile(path, gzipSync(bytes, { level: 1 }));
  return {
    snapshot: { path, sizeBytes: bytes.length },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

async function takeSnapshot(agent: RunningAgent): Promise<string> {
  const take = async () => {
    const response = await call(agent, '/heap/snapshot?force=true&wait=true', 'POST');
    if (!response.ok) throw new Error(await response.text());
    return operationSchema.parse(await response.json());
  };
  // Not before the agent has attached.
  const { state, profileIds } = await waitFor(take, { message: 'a snapshot to be taken' });
  expect(state).toBe('succeeded');
  return profileIds[0] ?? '';
}

function call({ url, token }: RunningAgent, path: string, method = 'GET'): Promise<Response> {
  return fetch(`${url}/api/v1/profiling${path}`, { method, headers: { authorization: `Bearer ${token}` } });
}

async function json(agent: RunningAgent, path: string): Promise<unknown> {
  return await (await call(agent, path)).json();
}

async function codeOf(answer: Promise<Response>): Promise<string> {
  return problemSchema.parse(await (await answer).json()).code;
}
