import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { decodeMemory } from '../../protocol/inspector/readings.ts';
import { nodeVersions } from '../support/node-versions.ts';
import { startTarget } from '../support/target.ts';
import { startRecordingProxy } from '../support/recording-proxy.ts';
import { waitFor } from '../support/wait-for.ts';
import { openHarness } from './harness.ts';

const me = { startedBy: 'tester' };

interface SnapshotFile {
  readonly snapshot: { meta: { node_fields: string[] }; node_count: number; edge_count: number };
  readonly nodes: number[];
  readonly edges: number[];
  readonly strings: string[];
}

describe.each(nodeVersions)('a heap snapshot on Node $major', ({ major }) => {
  it('is whole, says what it cost, and stays below the prediction', async () => {
    await using target = await startTarget('big-heap', { node: major, args: ['20'] });
    await using harness = await openHarness([target.inspectorAddress]);
    const forecast = await harness.captures.forecastHeapSnapshot({});
    expect(forecast).toMatchObject({ verdict: 'allow', basis: 'worst-case', limit: { source: 'host-free' } });
    const operation = await harness.ended(await harness.captures.startHeapSnapshot(me));
    expect(operation).toMatchObject({ state: 'succeeded', error: null });
    const profile = harness.store.get(operation.profileIds[0] ?? '');
    const text = await harness.read(profile.id);
    expect(createHash('sha256').update(text, 'latin1').digest('hex')).toBe(profile.sha256);
    const file = JSON.parse(Buffer.from(text, 'latin1').toString('utf8')) as SnapshotFile;
    expect(file.nodes.length).toBe(file.snapshot.node_count * file.snapshot.meta.node_fields.length);
    expect(file.strings).toContain('Order');
    expect(profile.snapshot).toMatchObject({ nodes: file.snapshot.node_count, edges: file.snapshot.edge_count });
    expect(profile.storedBytes).toBeLessThan(profile.sizeBytes / 2);
    expect(profile.cost.pauseMs).toBeGreaterThan(20);
    expect(profile.cost.rssPeakBytes).toBeGreaterThan(profile.cost.rssBeforeBytes ?? Infinity);
    expect(profile.cost.rssPeakBytes).toBeLessThan(forecast.predictedPeakBytes.high);
  });
});

it('is taken of a worker', async () => {
  await using target = await startTarget('with-workers');
  await using harness = await openHarness([target.inspectorAddress]);
  await waitFor(() => harness.targets.list()[0]?.threads.length === 4, { message: 'four threads' });
  const operation = await harness.ended(await harness.captures.startHeapSnapshot({ ...me, thread: 'worker-2' }));
  expect(operation.state).toBe('succeeded');
  const file = JSON.parse(await harness.read(operation.profileIds[0] ?? '')) as SnapshotFile;
  expect(file.nodes.length % file.snapshot.node_count).toBe(0);
  await expect(harness.captures.startHeapSnapshot({ ...me, thread: 'all' })).rejects.toMatchObject({
    code: 'invalid-request',
  });
});

it('is abandoned at once when cancelled; the place stays taken until V8 is done, and the target lives', async () => {
  await using target = await startTarget('big-heap', { args: ['60'] });
  await using harness = await openHarness([target.inspectorAddress]);
  const { id } = await harness.captures.startHeapSnapshot(me);
  await waitFor(() => (harness.captures.get(id).progress.fraction ?? 0) > 0, {
    deadlineMs: 20_000,
    message: 'progress from V8',
  });
  const operation = await harness.captures.cancel(id, 'somebody');
  expect(operation).toMatchObject({ state: 'cancelled', profileIds: [], error: { code: 'capture-abandoned' } });
  expect(operation.warnings.join()).toMatch(/cannot cancel a heap snapshot: the target stays paused/);
  const next = await harness.captures.startCpu({ ...me, durationMs: 100 });
  expect(harness.captures.get(next.id)).toMatchObject({ state: 'queued', queuePosition: 1 });
  expect((await harness.captures.waitFor(next.id, { timeoutMs: 60_000 })).state).toBe('succeeded');
  expect(harness.store.list({ kind: 'heap-snapshot' }).profiles).toEqual([]);
});

it('fails with a reason when the target is killed in the middle, and leaves no file', async () => {
  await using target = await startTarget('big-heap', { args: ['60'] });
  await using harness = await openHarness([target.inspectorAddress]);
  const { id } = await harness.captures.startHeapSnapshot(me);
  await waitFor(() => (harness.captures.get(id).progress.fraction ?? 0) > 0, {
    deadlineMs: 20_000,
    message: 'progress from V8',
  });
  target.kill('SIGKILL');
  const operation = await harness.captures.waitFor(id, { timeoutMs: 20_000 });
  expect(operation).toMatchObject({ state: 'failed', error: { code: 'target-gone' }, profileIds: [] });
  expect(harness.store.usage()).toMatchObject({ profiles: 0, artifactBytes: 0 });
});

it('fails when the connection is cut while chunks arrive, and the target lives on', async () => {
  await using target = await startTarget('big-heap', { args: ['40'] });
  await using proxy = await startRecordingProxy(target.inspectorPort);
  await using harness = await openHarness([proxy.address]);
  const { id } = await harness.captures.startHeapSnapshot(me);
  await waitFor(() => harness.captures.get(id).progress.phase === 'receiving', {
    deadlineMs: 30_000,
    message: 'chunks',
  });
  proxy.cut();
  const operation = await harness.captures.waitFor(id, { timeoutMs: 30_000 });
  expect(operation).toMatchObject({ state: 'failed', error: { code: 'target-gone' } });
  await waitFor(() => harness.targets.list()[0]?.state.state === 'attached', {
    deadlineMs: 30_000,
    message: 'attached again',
  });
  expect(harness.store.list({}).profiles).toEqual([]);
});

it('is refused before the target is touched when the disk budget cannot hold it', async () => {
  await using target = await startTarget('big-heap', { args: ['40'] });
  await using proxy = await startRecordingProxy(target.inspectorPort);
  await using harness = await openHarness([proxy.address], { budgetBytes: 1_500_000 });
  const operation = await harness.ended(await harness.captures.startHeapSnapshot(me));
  expect(operation).toMatchObject({ state: 'failed', error: { code: 'disk-budget' } });
  expect(proxy.sent.join()).not.toContain('takeHeapSnapshot');
});

it('is refused with numbers, alternatives and commands when it would outlast the liveness budget, and taken with force', async () => {
  await using target = await startTarget('big-heap', { args: ['20'] });
  await using proxy = await startRecordingProxy(target.inspectorPort);
  await using harness = await openHarness([proxy.address], { livenessBudgetMs: 500 });
  const refusal = await harness.captures.startHeapSnapshot(me).catch((error: unknown) => error);
  expect(refusal).toMatchObject({
    code: 'snapshot-refused',
    message: expect.stringMatching(/^it pauses the target for .* to .*, and the liveness budget is 0.5 s$/) as string,
    details: { forecast: { verdict: 'refuse', livenessBudgetMs: 500, neededLimitBytes: expect.any(Number) as number } },
  });
  const { forecast } = (refusal as { details: { forecast: { alternatives: { command: string }[] } } }).details;
  expect(forecast.alternatives.map(({ command }) => command.split(' ', 2).join(' '))).toEqual([
    'curl -X',
    'kubectl patch',
    'kubectl label',
    'curl -X',
  ]);
  expect(proxy.sent.join()).not.toContain('takeHeapSnapshot');
  const operation = await harness.ended(await harness.captures.startHeapSnapshot({ ...me, force: true }));
  expect(operation.state).toBe('succeeded');
  const profile = harness.store.get(operation.profileIds[0] ?? '');
  expect(profile.snapshot?.forced).toBe(true);
  expect(profile.warnings.join()).toMatch(/taken with force: it pauses the target/);
});

it('learns from a snapshot of the same program what the next one will cost', async () => {
  await using target = await startTarget('big-heap', { args: ['30'] });
  await using harness = await openHarness([target.inspectorAddress]);
  const before = await harness.captures.forecastHeapSnapshot({});
  const operation = await harness.ended(await harness.captures.startHeapSnapshot(me));
  const cost = harness.store.get(operation.profileIds[0] ?? '').cost;
  const after = await harness.captures.forecastHeapSnapshot({});
  const actualBytes = (cost.rssPeakBytes ?? 0) - (cost.rssBeforeBytes ?? 0);
  expect(after.basis).toBe('earlier-snapshot');
  expect(after.predictedExtraBytes.high).toBeLessThan(before.predictedExtraBytes.high);
  expect(after.predictedExtraBytes.high).toBeGreaterThan(actualBytes);
  expect(after.predictedExtraBytes.low).toBeLessThan(actualBytes);
});

it('reads what counts for the forecast from the spaces, and takes a limit as large as the host for none', () => {
  const reading = {
    rssBytes: 100,
    heapUsedBytes: 60,
    externalBytes: 1,
    heapLimitBytes: 4000,
    spaces: [
      ['read_only_space', 5],
      ['new_space', 3],
      ['old_space', 40],
      ['code_space', 7],
      ['large_object_space', 11],
      ['new_large_object_space', 2],
    ],
    constrainedBytes: 18446744073709552000,
    hostTotalBytes: 16e9,
    hostFreeBytes: 8e9,
  };
  expect(decodeMemory(reading)).toMatchObject({
    newSpaceBytes: 3,
    oldSpaceBytes: 40,
    largeObjectBytes: 13,
    constrainedBytes: null,
  });
  expect(decodeMemory({ ...reading, constrainedBytes: 512e6 }).constrainedBytes).toBe(512e6);
  expect(() => decodeMemory({ ...reading, rssBytes: 'lots' })).toThrow(/wrongly at rssBytes/);
  expect(() => decodeMemory('garbage')).toThrow(/answered the memory reading wrongly/);
});
