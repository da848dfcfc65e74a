import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { nodeVersions } from '../support/node-versions.ts';
import { startRecordingProxy } from '../support/recording-proxy.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { openHarness, type Harness } from './harness.ts';

const me = { startedBy: 'tester' };

async function sampling(harness: Harness, id: string): Promise<void> {
  await waitFor(() => harness.captures.get(id).progress.phase === 'sampling', {
    message: () => `sampling; the operation is ${JSON.stringify(harness.captures.get(id))}`,
  });
}

/** Until it has worked for some 40 ms: told to end at once, it may not have had a CPU since the sampling began. */
async function burning(pid: number): Promise<void> {
  const ticks = (): number => Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[11]);
  const before = ticks();
  await waitFor(() => ticks() - before >= 4, { message: '40 ms of CPU' });
}

/** Names of the functions that were on a sampled stack. */
function functionsIn(text: string): Set<string> {
  const profile = JSON.parse(text) as {
    nodes: { id: number; callFrame: { functionName: string }; children?: number[] }[];
    samples: number[];
  };
  expect(profile.samples.length).toBeGreaterThan(0);
  return new Set(profile.nodes.map(({ callFrame }) => callFrame.functionName));
}

describe.each(nodeVersions)('a CPU profile on Node $major', ({ major }) => {
  it('names the hot function, with its facts and its cost', async () => {
    await using target = await startTarget('blocks-the-loop', { node: major });
    await using harness = await openHarness([target.inspectorAddress]);
    const { id } = await harness.captures.startCpu({ ...me, durationMs: 60_000 });
    await sampling(harness, id);
    await target.send({ ms: 400 });
    await target.waitForOutput(/^turned$/m);
    await harness.captures.stopCpu({});
    const operation = await harness.captures.waitFor(id, { timeoutMs: 20_000 });
    expect(operation).toMatchObject({ state: 'succeeded', error: null, warnings: [] });
    const profile = harness.store.get(operation.profileIds[0] ?? '');
    expect(profile).toMatchObject({ kind: 'cpu', complete: true, thread: { id: 'main' }, trigger: { by: 'tester' } });
    expect(profile.environment).toEqual({ pod: 'test-pod' });
    expect(profile.cost.pauseMs).toBeGreaterThan(0);
    expect(profile.cost.rssBeforeBytes).toBeGreaterThan(1e6);
    const clock = profile.clock;
    const wallAtStart = (clock?.wallMs ?? 0) - ((clock?.monotonicUs ?? 0) - (profile.cpu?.startTimeUs ?? 0)) / 1000;
    expect(Math.abs(wallAtStart - Date.parse(profile.startedAt))).toBeLessThan(2_000);
    const text = await harness.read(profile.id);
    expect(functionsIn(text)).toContain('spinUntil');
    expect(profile.cpu?.samples).toBe((JSON.parse(text) as { samples: number[] }).samples.length);
  });

  it('is taken while the event loop is blocked', async () => {
    await using target = await startTarget('blocks-the-loop', { node: major });
    await target.send({ ms: 60_000 });
    await target.waitForOutput(/blocking/);
    await using harness = await openHarness([target.inspectorAddress]);
    const operation = await harness.ended(await harness.captures.startCpu({ ...me, durationMs: 400 }));
    expect(operation.state).toBe('succeeded');
    const profile = harness.store.get(operation.profileIds[0] ?? '');
    expect(profile.cpu?.idleShare).toBeLessThan(0.1);
    // Optimised inside its loop, before.
    expect(functionsIn(await harness.read(profile.id))).toContain('spinUntil');
    expect(target.stdout).not.toContain('turned');
  });

  it.each(['ends-by-itself', 'exits-while-profiled'])('is rescued when the target exits: %s', async (program) => {
    await using target = await startTarget(program, { node: major });
    await using harness = await openHarness([target.inspectorAddress]);
    const { id } = await harness.captures.startCpu({ ...me, durationMs: 60_000 });
    await sampling(harness, id);
    await burning(target.pid);
    await target.send('now');
    expect((await target.exited).code).toBe(program === 'ends-by-itself' ? 0 : 7);
    const operation = await harness.captures.waitFor(id, { timeoutMs: 20_000 });
    expect(operation).toMatchObject({ state: 'partial', error: { code: 'capture-interrupted' } });
    const profile = harness.store.get(operation.profileIds[0] ?? '');
    expect(profile.complete).toBe(false);
    expect(profile.incompleteReason).toMatch(/^the target exited after .* of 60.0 s$/);
    expect([...functionsIn(await harness.read(profile.id))].join()).toMatch(/burn|listOnTimeout/);
  });

  it('is rescued on every thread when the process exits', async () => {
    await using target = await startTarget('with-workers', { node: major });
    await using harness = await openHarness([target.inspectorAddress]);
    await waitFor(() => harness.targets.list()[0]?.threads.length === 4, { message: 'four threads' });
    const { id } = await harness.captures.startCpu({ ...me, durationMs: 60_000, thread: 'all' });
    await sampling(harness, id);
    await target.send({ exit: 5 });
    expect((await target.exited).code).toBe(5);
    const operation = await harness.captures.waitFor(id, { timeoutMs: 20_000 });
    expect(operation).toMatchObject({ state: 'partial' });
    const profiles = operation.profileIds.map((profileId) => harness.store.get(profileId));
    expect(profiles.map(({ thread }) => thread.id).sort()).toEqual(['main', 'worker-1', 'worker-2', 'worker-3']);
    const workers = await Promise.all(
      profiles.filter(({ thread }) => thread.kind === 'worker').map((profile) => harness.read(profile.id)),
    );
    // Each is of its own thread: no function of another worker, and work in all of them.
    const burning = workers.map((text) => [...functionsIn(text)].filter((name) => /^burn[A-Z]/.test(name)));
    expect(burning.flat().length).toBe(new Set(burning.flat()).size);
    expect(burning.flat().length).toBeGreaterThan(0);
    expect(burning.every((own) => own.length <= 1)).toBe(true);
  });

  it('fails with a reason when the target is killed, and keeps no file', async () => {
    await using target = await startTarget('busy', { node: major });
    await using harness = await openHarness([target.inspectorAddress]);
    const { id } = await harness.captures.startCpu({ ...me, durationMs: 60_000 });
    await sampling(harness, id);
    target.kill('SIGKILL');
    const operation = await harness.captures.waitFor(id, { timeoutMs: 20_000 });
    expect(operation).toMatchObject({ state: 'failed', profileIds: [], error: { code: 'target-gone' } });
    expect(harness.store.list({}).profiles).toEqual([]);
  });
});

it('is kept, readable and complete, when it is stopped early', async () => {
  await using target = await startTarget('busy');
  await using harness = await openHarness([target.inspectorAddress]);
  const { id } = await harness.captures.startCpu({ ...me, durationMs: 60_000 });
  await sampling(harness, id);
  await harness.captures.stopCpu({});
  const operation = await harness.captures.waitFor(id, { timeoutMs: 20_000 });
  expect(operation.state).toBe('succeeded');
  expect(harness.store.get(operation.profileIds[0] ?? '')).toMatchObject({ complete: true, incompleteReason: null });
  await expect(harness.captures.stopCpu({})).rejects.toMatchObject({ code: 'nothing-to-stop' });
});

it('is kept as partial when it is cancelled, and the target is left without a profiler', async () => {
  await using target = await startTarget('busy');
  await using proxy = await startRecordingProxy(target.inspectorPort);
  await using harness = await openHarness([proxy.address]);
  const { id } = await harness.captures.startCpu({ ...me, durationMs: 60_000 });
  await sampling(harness, id);
  const operation = await harness.captures.cancel(id, 'somebody');
  expect(operation).toMatchObject({ state: 'cancelled', error: { code: 'capture-abandoned' } });
  expect(harness.store.get(operation.profileIds[0] ?? '').incompleteReason).toMatch(/^cancelled after/);
  expect(proxy.sent.at(-1)).toContain('"Profiler.disable"');
  await expect(harness.captures.cancel(id, 'somebody')).rejects.toMatchObject({ code: 'operation-ended' });
});

it('fails with a reason when the connection is cut, and the next one works', async () => {
  await using target = await startTarget('busy');
  await using proxy = await startRecordingProxy(target.inspectorPort);
  await using harness = await openHarness([proxy.address]);
  const { id } = await harness.captures.startCpu({ ...me, durationMs: 60_000 });
  await sampling(harness, id);
  proxy.cut();
  const operation = await harness.captures.waitFor(id, { timeoutMs: 20_000 });
  expect(operation).toMatchObject({ state: 'failed', error: { code: 'target-gone' } });
  await waitFor(() => harness.targets.list()[0]?.state.state === 'attached', { message: 'attached again' });
  const second = await harness.ended(await harness.captures.startCpu({ ...me, durationMs: 200 }));
  expect(second.state).toBe('succeeded');
});

it('is kept as partial when the agent is stopped, and the target goes on', async () => {
  await using target = await startTarget('handles-sigterm');
  let id = '';
  {
    await using harness = await openHarness([target.inspectorAddress]);
    ({ id } = await harness.captures.startCpu({ ...me, durationMs: 60_000 }));
    await sampling(harness, id);
    await harness.captures.close({ graceMs: 10_000 });
    const operation = harness.captures.get(id);
    expect(operation).toMatchObject({ state: 'partial', error: { code: 'capture-interrupted' } });
    expect(harness.store.get(operation.profileIds[0] ?? '').incompleteReason).toMatch(/^the agent was stopped after/);
    await expect(harness.captures.startCpu(me)).rejects.toMatchObject({ code: 'shutting-down' });
  }
  target.kill('SIGTERM');
  expect((await target.exited).code).toBe(0);
});

it('loses only the thread that ended: its worker', async () => {
  await using target = await startTarget('with-workers');
  await using harness = await openHarness([target.inspectorAddress]);
  await waitFor(() => harness.targets.list()[0]?.threads.length === 4, { message: 'four threads' });
  const { id } = await harness.captures.startCpu({ ...me, durationMs: 60_000, thread: 'worker-2' });
  await sampling(harness, id);
  await target.send({ end: true });
  const operation = await harness.captures.waitFor(id, { timeoutMs: 20_000 });
  expect(operation.state).toMatch(/failed|partial/);
  expect(operation.error?.message).toMatch(/thread worker-2 .* ended|target exited|connection/);
  expect((await target.exited).code).toBe(0);
});

it('admits one heavy capture per target, queues some, and refuses the rest with a time to come back', async () => {
  await using target = await startTarget('busy');
  await using harness = await openHarness([target.inspectorAddress], { queueMax: 1 });
  const first = await harness.captures.startCpu({ ...me, durationMs: 20_000 });
  await sampling(harness, first.id);
  const second = await harness.captures.startCpu({ ...me, durationMs: 200 });
  expect(harness.captures.get(second.id)).toMatchObject({ state: 'queued', queuePosition: 1 });
  await expect(harness.captures.startHeapSnapshot(me)).rejects.toMatchObject({
    code: 'too-many-captures',
    details: { running: 1, waiting: 1, retryAfterSeconds: expect.any(Number) as number },
  });
  await harness.captures.stopCpu({});
  expect((await harness.captures.waitFor(second.id, { timeoutMs: 20_000 })).state).toBe('succeeded');
  expect((await harness.captures.waitFor(first.id, { timeoutMs: 20_000 })).state).toBe('succeeded');
});

it('of a thread that is being profiled conflicts when several captures may run at once', async () => {
  await using target = await startTarget('with-workers');
  await using harness = await openHarness([target.inspectorAddress], { concurrency: 3 });
  await waitFor(() => harness.targets.list()[0]?.threads.length === 4, { message: 'four threads' });
  const first = await harness.captures.startCpu({ ...me, durationMs: 20_000 });
  await sampling(harness, first.id);
  const twin = await harness.ended(await harness.captures.startCpu({ ...me, durationMs: 200, thread: 'all' }));
  expect(twin).toMatchObject({
    state: 'failed',
    error: { code: 'capture-conflict', details: { operationId: first.id } },
  });
  const other = await harness.ended(await harness.captures.startCpu({ ...me, durationMs: 200, thread: 'worker-1' }));
  expect(other.state).toBe('succeeded');
  await harness.captures.stopCpu({});
  expect((await harness.captures.waitFor(first.id, { timeoutMs: 20_000 })).state).toBe('succeeded');
});

it('can be cancelled while it waits, and gives its place to the next', async () => {
  await using target = await startTarget('busy');
  await using harness = await openHarness([target.inspectorAddress]);
  const first = await harness.captures.startCpu({ ...me, durationMs: 20_000 });
  await sampling(harness, first.id);
  const second = await harness.captures.startCpu({ ...me, durationMs: 200 });
  const third = await harness.captures.startCpu({ ...me, durationMs: 200 });
  expect(await harness.captures.cancel(second.id, 'me')).toMatchObject({ state: 'cancelled', profileIds: [] });
  await waitFor(() => harness.captures.get(third.id).queuePosition === 1, { message: 'the third to move up' });
  await harness.captures.stopCpu({});
  expect((await harness.captures.waitFor(third.id, { timeoutMs: 20_000 })).state).toBe('succeeded');
});

it('refuses what it cannot do before the target is touched', async () => {
  await using target = await startTarget('forever');
  await using harness = await openHarness([target.inspectorAddress, '127.0.0.1:1'].slice(0, 1));
  await expect(harness.captures.startCpu({ ...me, thread: 'worker-9' })).rejects.toMatchObject({
    code: 'unknown-thread',
  });
  await expect(harness.captures.startCpu({ ...me, targetId: 'other' })).rejects.toMatchObject({
    code: 'unknown-target',
  });
  await expect(harness.captures.startCpu({ ...me, durationMs: 3_600_000, intervalUs: 100 })).rejects.toMatchObject({
    code: 'too-many-samples',
    details: { samples: 36_000_000, limit: 15_000_000 },
  });
  target.kill();
  await waitFor(() => harness.targets.list()[0]?.state.state !== 'attached', { message: 'the end to be seen' });
  await expect(harness.captures.startCpu(me)).rejects.toMatchObject({ code: 'target-not-attached' });
  await expect(harness.captures.forecastHeapSnapshot({})).rejects.toMatchObject({ code: 'target-not-attached' });
});

it('says that a profile has no samples, and keeps it as incomplete', async () => {
  await using target = await startTarget('forever');
  await using harness = await openHarness([target.inspectorAddress]);
  const operation = await harness.ended(
    await harness.captures.startCpu({ ...me, durationMs: 100, intervalUs: 1_000_000 }),
  );
  const profile = harness.store.get(operation.profileIds[0] ?? '');
  if (profile.cpu?.samples === 0) {
    expect(operation).toMatchObject({ state: 'partial', error: { code: 'empty-profile' } });
    expect(profile).toMatchObject({ complete: false, incompleteReason: "V8's sampler took no sample in that time" });
  } else {
    expect(operation.state).toMatch(/succeeded|partial/);
  }
});
