import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRawInspector } from '../inspector/raw-inspector.ts';
import { nodeVersions } from '../support/node-versions.ts';
import { startRecordingProxy } from '../support/recording-proxy.ts';
import { startTarget, type RunningTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { openHarness, type Harness } from './harness.ts';

const me = { startedBy: 'tester' };

async function sampling(harness: Harness, id: string): Promise<void> {
  await waitFor(() => harness.captures.get(id).progress.phase === 'sampling', {
    message: () => `sampling; the operation is ${JSON.stringify(harness.captures.get(id))}`,
  });
}

interface Node {
  readonly callFrame: { readonly functionName: string };
  readonly selfSize: number;
  readonly children: readonly Node[];
}

/** Bytes by function name. */
function bytesIn(text: string): Map<string, number> {
  const bytes = new Map<string, number>();
  const add = ({ callFrame: { functionName }, selfSize, children }: Node): void => {
    bytes.set(functionName, (bytes.get(functionName) ?? 0) + selfSize);
    children.forEach(add);
  };
  add((JSON.parse(text) as { head: Node }).head);
  return bytes;
}

describe.each(nodeVersions)('heap sampling on Node $major', ({ major }) => {
  describe('of one target, one after the other', () => {
    const stack = new AsyncDisposableStack();
    let target: RunningTarget;
    let harness: Harness;
    beforeAll(async () => {
      target = stack.use(await startTarget('allocates', { node: major }));
      harness = stack.use(await openHarness([target.inspectorAddress]));
    });
    afterAll(() => stack.disposeAsync());

    it('names the function whose allocations are still there, with its facts and its cost', async () => {
      const started = await harness.captures.startHeapSampling({ ...me, durationMs: 800, intervalBytes: 65_536 });
      expect(started.parameters).toEqual({ durationMs: 800, mode: 'live', intervalBytes: 65_536 });
      const operation = await harness.ended(started);
      expect(operation).toMatchObject({ state: 'succeeded', error: null, warnings: [] });
      const profile = harness.store.get(operation.profileIds[0] ?? '');
      expect(profile).toMatchObject({ kind: 'heap-sampling', complete: true, thread: { id: 'main' }, cpu: null });
      expect(profile.fileName).toMatch(/\.heapprofile$/);
      expect(profile.sampling).toMatchObject({ mode: 'live', intervalBytes: 65_536 });
      expect(profile.sampling?.topSite).toMatch(/^remember allocates\.mjs:\d+$/);
      expect(profile.sampling?.samples).toBeGreaterThan(10);
      expect(profile.sampling?.sampledBytes).toBeGreaterThan(1e6);
      expect(profile.cost.pauseMs).toBeGreaterThan(0);
      expect(profile.cost.rssBeforeBytes).toBeGreaterThan(1e6);
      expect(profile.clock?.wallMs).toBeGreaterThan(0);
      expect(bytesIn(await harness.read(profile.id)).get('remember')).toBeGreaterThan(1e6);
    });

    it('shows in churn mode also what was collected, where V8 can', async () => {
      const before = harness.captures.list();
      const start = harness.captures.startHeapSampling({ ...me, durationMs: 600, mode: 'churn' });
      if (major < 20) {
        await expect(start).rejects.toMatchObject({ code: 'unsupported-target' });
        expect(harness.captures.list()).toEqual(before);
        return;
      }
      const operation = await harness.ended(await start);
      expect(operation.state).toBe('succeeded');
      const profile = harness.store.get(operation.profileIds[0] ?? '');
      expect(profile.sampling).toMatchObject({ mode: 'churn', topSite: expect.stringMatching(/^discard /) as string });
    });

    it('is of a worker alone, beside one of the main thread, and a second one on a thread is refused', async () => {
      await waitFor(() => harness.targets.list()[0]?.threads.length === 2, { message: 'two threads' });
      const both = await Promise.all(
        ['main', 'worker-1'].map((thread) =>
          harness.captures.startHeapSampling({ ...me, thread, durationMs: 1_500, intervalBytes: 65_536 }),
        ),
      );
      await Promise.all(both.map(({ id }) => sampling(harness, id)));
      await expect(harness.captures.startHeapSampling({ ...me, thread: 'worker-1' })).rejects.toMatchObject({
        code: 'capture-conflict',
        details: { operationId: both[1]?.id },
      });
      const ended = await Promise.all(both.map((operation) => harness.ended(operation)));
      const profiles = ended.map(({ profileIds }) => harness.store.get(profileIds[0] ?? ''));
      expect(profiles.map(({ thread }) => thread.id)).toEqual(['main', 'worker-1']);
      for (const { sampling: facts } of profiles) expect(facts?.topSite).toMatch(/^remember /);
      // Nothing of it stays: V8 refuses to read a sampler that does not run.
      using inspector = await openRawInspector(target.inspectorAddress);
      const answer = await inspector.ask(1, 'HeapProfiler.getSamplingProfile');
      expect(new TextDecoder().decode(answer)).toContain('was not started');
    });

    it('goes on through a heap snapshot of the same thread', async () => {
      const { id } = await harness.captures.startHeapSampling({ ...me, intervalBytes: 65_536 });
      await sampling(harness, id);
      const snapshot = await harness.ended(await harness.captures.startHeapSnapshot({ ...me, force: true }));
      expect(snapshot.state).toBe('succeeded');
      const operation = await harness.captures.cancel(id, 'somebody');
      const profile = harness.store.get(operation.profileIds[0] ?? '');
      expect(profile.sampling?.topSite).toMatch(/^remember /);
    });
  });

  it.each([{ end: true }, { exit: 7 }])('is rescued when the target exits: %o', async (message) => {
    await using target = await startTarget('allocates', { node: major });
    await using harness = await openHarness([target.inspectorAddress]);
    const { id } = await harness.captures.startHeapSampling({ ...me, intervalBytes: 16_384 });
    await sampling(harness, id);
    await target.send(message);
    expect(await target.exited).toMatchObject({ code: message.exit ?? 0, signal: null });
    const operation = await harness.captures.waitFor(id, { timeoutMs: 20_000 });
    expect(operation).toMatchObject({ state: 'partial', error: { code: 'capture-interrupted' } });
    const profile = harness.store.get(operation.profileIds[0] ?? '');
    expect(profile.incompleteReason).toMatch(/^the target exited after .* of 60.0 s$/);
    expect(bytesIn(await harness.read(profile.id)).has('(root)')).toBe(true);
  });

  it('is declined while another profiler samples the heap, and leaves that one intact', async () => {
    await using target = await startTarget('allocates', { node: major, args: ['own-sampler'] });
    await using harness = await openHarness([target.inspectorAddress]);
    await expect(harness.captures.startHeapSampling(me)).rejects.toMatchObject({ code: 'profiler-active' });
    expect(harness.captures.list()).toEqual([]);
    await target.send({ read: true });
    await target.waitForOutput(/^samples: [1-9]\d*$/m);
    const operation = await harness.captures.startHeapSampling({ ...me, durationMs: 200 });
    expect((await harness.ended(operation)).state).toBe('succeeded');
  });

  it('is declined when a package that uses the heap profiler is loaded', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sidescope-module-'));
    try {
      const file = join(folder, 'node_modules', '@datadog', 'pprof', 'index.cjs');
      mkdirSync(join(file, '..'), { recursive: true });
      writeFileSync(file, '');
      await using target = await startTarget('loads-a-module', { node: major, args: [file] });
      await using harness = await openHarness([target.inspectorAddress]);
      await expect(harness.captures.startHeapSampling(me)).rejects.toMatchObject({
        code: 'profiler-active',
        message: expect.stringContaining('@datadog/pprof') as string,
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

it('fails with a reason when the target is killed, and keeps no file', async () => {
  await using target = await startTarget('allocates');
  await using harness = await openHarness([target.inspectorAddress]);
  const { id } = await harness.captures.startHeapSampling(me);
  await sampling(harness, id);
  target.kill('SIGKILL');
  const operation = await harness.captures.waitFor(id, { timeoutMs: 20_000 });
  expect(operation).toMatchObject({ state: 'failed', profileIds: [], error: { code: 'target-gone' } });
  expect(harness.store.list({}).profiles).toEqual([]);
});

it('fails with a reason when its worker ends', async () => {
  await using target = await startTarget('short-workers');
  await using harness = await openHarness([target.inspectorAddress]);
  const worker = await waitFor(() => harness.targets.list()[0]?.threads.find(({ kind }) => kind === 'worker')?.id, {
    message: 'a worker',
  });
  await waitFor(() => !harness.targets.list()[0]?.threads.some(({ id }) => id === worker), {
    message: `the end of ${worker}`,
  });
  await expect(harness.captures.startHeapSampling({ ...me, thread: worker })).rejects.toMatchObject({
    code: 'unknown-thread',
  });
});

it('is kept as partial when it is cancelled, and the target is left without a sampler', async () => {
  await using target = await startTarget('allocates');
  await using proxy = await startRecordingProxy(target.inspectorPort);
  await using harness = await openHarness([proxy.address]);
  const { id } = await harness.captures.startHeapSampling(me);
  await sampling(harness, id);
  const operation = await harness.captures.cancel(id, 'somebody');
  expect(operation).toMatchObject({ state: 'cancelled', error: { code: 'capture-abandoned' } });
  expect(harness.store.get(operation.profileIds[0] ?? '').incompleteReason).toMatch(/^cancelled after/);
  const calls = (method: string): number => proxy.sent.filter((text) => text.includes(`"${method}"`)).length;
  expect([calls('HeapProfiler.startSampling'), calls('HeapProfiler.stopSampling')]).toEqual([1, 1]);
  await expect(harness.captures.cancel(id, 'somebody')).rejects.toMatchObject({ code: 'operation-ended' });
});

it('is kept when the agent stops', async () => {
  await using target = await startTarget('allocates');
  await using harness = await openHarness([target.inspectorAddress]);
  const { id } = await harness.captures.startHeapSampling(me);
  await sampling(harness, id);
  await harness.captures.close({ graceMs: 10_000 });
  const operation = harness.captures.get(id);
  expect(operation).toMatchObject({ state: 'partial' });
  expect(harness.store.get(operation.profileIds[0] ?? '').incompleteReason).toMatch(/^the agent was stopped after/);
});

it('fails with a reason when somebody else ends the sampler', async () => {
  await using target = await startTarget('allocates');
  await using harness = await openHarness([target.inspectorAddress]);
  // Connected before: what it asks then is answered within the second.
  using inspector = await openRawInspector(target.inspectorAddress);
  const { id } = await harness.captures.startHeapSampling({ ...me, durationMs: 1_000 });
  await sampling(harness, id);
  await inspector.ask(1, 'HeapProfiler.stopSampling');
  const operation = await harness.captures.waitFor(id, { timeoutMs: 20_000 });
  expect(operation).toMatchObject({ state: 'failed', error: { code: 'capture-interrupted' }, profileIds: [] });
});

it('takes no place among the heavy captures', async () => {
  await using target = await startTarget('allocates');
  await using harness = await openHarness([target.inspectorAddress], { queueMax: 0 });
  const { id } = await harness.captures.startHeapSampling(me);
  await sampling(harness, id);
  const cpu = await harness.ended(await harness.captures.startCpu({ ...me, durationMs: 100 }));
  expect(cpu.state).toBe('succeeded');
  await harness.captures.cancel(id, 'somebody');
});

it('lets one of two that start at once through', async () => {
  await using target = await startTarget('allocates');
  await using harness = await openHarness([target.inspectorAddress]);
  const results = await Promise.allSettled([1, 2, 3].map(() => harness.captures.startHeapSampling(me)));
  expect(results.filter(({ status }) => status === 'fulfilled').length).toBe(1);
  for (const result of results) {
    if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'capture-conflict' });
  }
});

it.each([
  [{ thread: 'all' }, 'invalid-request'],
  [{ thread: 'worker-99' }, 'unknown-thread'],
  [{ mode: 'churn', durationMs: 3_600_000 }, 'too-many-samples'],
  [{ mode: 'churn', intervalBytes: 4_096 }, 'too-many-samples'],
] as const)('refuses %o with %s', async (request, code) => {
  await using target = await startTarget('forever');
  await using harness = await openHarness([target.inspectorAddress]);
  await expect(harness.captures.startHeapSampling({ ...me, ...request })).rejects.toMatchObject({ code });
  expect(harness.captures.list()).toEqual([]);
});
