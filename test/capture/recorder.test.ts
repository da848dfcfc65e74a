import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { RecorderWindows, type WindowDraft } from '../../agent/capture/recorder-windows.ts';
import { findHotFunctions } from '../../protocol/cpu-profile/hot-functions.ts';
import { parseCpuProfile } from '../../protocol/cpu-profile/parse.ts';
import { expressions, warmProfilerFunctions } from '../../protocol/inspector/expressions.ts';
import { inspectorMethods } from '../../protocol/inspector/methods.ts';
import type { Vitals } from '../../protocol/rest/vitals.ts';
import { scratchDirectory } from '../store/sample.ts';
import { startRecordingProxy } from '../support/recording-proxy.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { openIndexInMemory, openRecorder, type RecorderHarness } from './recorder-harness.ts';

/** `burn` may be in its caller: V8 puts it there, before the recording or in it. */
const burnt = /burn|listOnTimeout/;

async function readProfile({ harness }: RecorderHarness, id: string) {
  return parseCpuProfile(JSON.parse(await harness.read(id)));
}

async function topFunctions(opened: RecorderHarness, id: string): Promise<string> {
  return findHotFunctions(await readProfile(opened, id), 5)
    .map(({ functionName }) => functionName)
    .join(' ');
}

/** V8's sampler has a thread of its own for as long as it runs. */
function isSampled(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).some((id) =>
    readFileSync(`/proc/${pid}/task/${id}/comm`, 'utf8').startsWith('v8:Prof'),
  );
}

const keep = { beforeMs: 60_000, trigger: { kind: 'alert', by: 'test' } } as const;

// Seen alike by hand on 20, 22 and 26.
describe.each([18, 24])('on Node %i', (node) => {
  it('keeps the last window of a program that runs out of work, and of one that exits', async () => {
    for (const name of ['ends-by-itself', 'exits-while-profiled']) {
      await using target = await startTarget(name, { node });
      await using opened = await openRecorder(target.inspectorAddress);
      await opened.recording();
      const { calls } = await burning(target);
      await target.send('end');
      await target.exited;
      await waitFor(() => opened.view().windows.length === 1, { message: `${name}: the last window` });
      const kept = await opened.recorder.keep({ targetId: opened.targetId, ...keep });
      expect(await topFunctions(opened, kept?.id ?? '')).toMatch(burnt);
      expect(calls).toBeGreaterThan(0);
    }
  });

  it('leaves no sampler in the target: neither when it is left, nor when the connection is cut', async () => {
    await using target = await startTarget('busy', { node });
    {
      await using opened = await openRecorder(target.inspectorAddress, { tempo: { windowMs: 200 } });
      await opened.recording();
      await waitFor(() => opened.view().windows.length >= 2, { message: 'two windows' });
      expect(isSampled(target.pid)).toBe(true);
    }
    await waitFor(() => !isSampled(target.pid), { message: 'no sampler after leaving' });
    const proxy = await startRecordingProxy(target.inspectorPort);
    await using opened = await openRecorder(proxy.address);
    await opened.recording();
    expect(isSampled(target.pid)).toBe(true);
    await proxy[Symbol.asyncDispose]();
    await waitFor(() => !isSampled(target.pid), { message: 'no sampler after the cut' });
  });
});

/** Time in which `burn` runs some hundred times. */
async function burning({ pid }: { pid: number }): Promise<{ calls: number }> {
  const ticks = (): number => Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[11]);
  const before = ticks();
  await waitFor(() => ticks() - before >= 30, { message: '0.3 s of CPU' });
  return { calls: ticks() - before };
}

it('sends only what is on the closed list, and undoes what it did', async () => {
  await using target = await startTarget('busy');
  await using proxy = await startRecordingProxy(target.inspectorPort);
  {
    await using opened = await openRecorder(proxy.address, { tempo: { windowMs: 200 } });
    await opened.recording();
    await waitFor(() => opened.view().windows.length >= 3, { message: 'three windows' });
  }
  const sent = proxy.sent.map((text) => JSON.parse(text) as { method: string; params: Record<string, unknown> });
  expect(sent.filter(({ method }) => !(inspectorMethods as readonly string[]).includes(method))).toEqual([]);
  const texts = new Set([...Object.values(expressions), ...Object.values(warmProfilerFunctions)] as string[]);
  const asked = sent.flatMap(({ params }) => params['expression'] ?? params['functionDeclaration'] ?? []);
  expect(asked.filter((text) => !texts.has(text as string))).toEqual([]);
  const count = (text: string): number => asked.filter((each) => each === text).length;
  expect(count(warmProfilerFunctions.hold)).toBeGreaterThanOrEqual(3);
  expect(count(warmProfilerFunctions.release)).toBe(count(warmProfilerFunctions.hold));
  const methods = sent.map(({ method }) => method);
  const calls = (name: string): number => methods.filter((method) => method === name).length;
  expect(calls('Profiler.disable')).toBe(calls('Profiler.enable'));
  expect(calls('Profiler.stop')).toBe(calls('Profiler.start'));
});

it('takes a profile without an interval from the windows, and steps aside for one with its own', async () => {
  await using target = await startTarget('busy');
  await using opened = await openRecorder(target.inspectorAddress);
  await opened.recording();
  const { captures, harness } = opened;
  const ended = (id: string) => captures.waitFor(id, { timeoutMs: 20_000 });
  const first = await ended((await captures.startCpu({ startedBy: 'tester', durationMs: 700 })).id);
  expect(first).toMatchObject({ state: 'succeeded', parameters: { intervalUs: 10_000 } });
  const taken = harness.store.get(first.profileIds[0] ?? '');
  expect(taken).toMatchObject({
    complete: true,
    trigger: { kind: 'api', by: 'tester' },
    cpu: { topFunction: expect.stringMatching(burnt) as string },
  });
  expect(taken.durationMs).toBeGreaterThanOrEqual(700);
  expect(opened.view()).toMatchObject({ state: 'recording', gaps: [] });

  const second = await ended((await captures.startCpu({ startedBy: 'tester', durationMs: 500, intervalUs: 1_000 })).id);
  expect(second).toMatchObject({ state: 'succeeded', parameters: { intervalUs: 1_000 } });
  const own = harness.store.get(second.profileIds[0] ?? '');
  // Far from 10 ms, however busy the machine is.
  expect(own.cpu?.intervalUs).toBeLessThan(8_000);
  await opened.recording();
  expect(opened.view().gaps).toMatchObject([
    { to: expect.any(String) as string, reason: expect.stringContaining('interval of its own') as string },
  ]);
});

it('leaves a profile alone that runs when it is switched on, and goes on for one that it feeds when it is switched off', async () => {
  await using target = await startTarget('busy');
  await using opened = await openRecorder(target.inspectorAddress, { isOn: false });
  const { captures, harness, recorder, targetId } = opened;
  const taken = async (meanwhile: () => void) => {
    const { id } = await captures.startCpu({ startedBy: 'tester', durationMs: 500 });
    await waitFor(() => captures.get(id).progress.phase === 'sampling', { message: 'sampling' });
    meanwhile();
    const { state, error, profileIds } = await captures.waitFor(id, { timeoutMs: 20_000 });
    expect([state, error]).toEqual(['succeeded', null]);
    return harness.store.get(profileIds[0] ?? '');
  };
  let lease: Disposable | undefined;
  const before = await taken(() => (lease = recorder.lease(targetId)));
  expect(before).toMatchObject({ complete: true });
  await opened.recording();
  const after = await taken(() => lease?.[Symbol.dispose]());
  expect(after).toMatchObject({ complete: true });
  for (const { durationMs } of [before, after]) expect(durationMs).toBeGreaterThan(450);
  await waitFor(() => opened.view().state === 'off', { message: 'the recorder to be off' });
});

it('joins the windows before an alert into one pinned profile with labels', async () => {
  await using target = await startTarget('busy');
  await using opened = await openRecorder(target.inspectorAddress, { tempo: { windowMs: 250, keptMs: 1_000 } });
  await opened.recording();
  const first = await waitFor(() => opened.view().windows.at(-1), { message: 'a window' });
  await waitFor(() => opened.view().windows.at(-1)?.startedAt !== first.startedAt, {
    message: 'the first window to go',
  });
  expect(opened.view().windows.length).toBeLessThanOrEqual(5);
  const kept = await opened.recorder.keep({
    targetId: opened.targetId,
    ...keep,
    labels: { why: 'test' },
    isPinned: true,
  });
  expect(kept).toMatchObject({
    kind: 'cpu',
    operationId: null,
    complete: true,
    pinned: true,
    labels: { why: 'test' },
    trigger: { kind: 'alert', by: 'test' },
    target: { pid: target.pid },
    thread: { id: 'main' },
  });
  // Three windows or more, and no gap worth a word between them.
  expect(kept?.durationMs).toBeGreaterThan(600);
  expect(kept?.warnings.join()).not.toContain('not recorded');
  expect(await topFunctions(opened, kept?.id ?? '')).toMatch(burnt);
});

it('joins windows in their order, also where the clock was set back by a year between them', async () => {
  await using target = await startTarget('busy');
  await using opened = await openRecorder(target.inspectorAddress, { tempo: { windowMs: 250 } });
  await opened.recording();
  await waitFor(() => opened.view().windows.length >= 2, { message: 'two windows' });
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 365 * 86_400_000 });
  try {
    const before = opened.view().windows.length;
    await waitFor(() => opened.view().windows.length >= before + 2, { message: 'two more windows' });
    const kept = await opened.recorder.keep({ targetId: opened.targetId, ...keep });
    expect(kept?.durationMs).toBeGreaterThan(800);
    expect(kept?.durationMs).toBeLessThan(60_000);
    expect(kept?.warnings.join()).not.toContain('not recorded');
  } finally {
    vi.useRealTimers();
  }
});

it('says of a joined profile what its windows lack', async () => {
  await using scratch = scratchDirectory();
  await using target = await startTarget('busy', { env: { NODE_V8_COVERAGE: scratch.path } });
  await using opened = await openRecorder(target.inspectorAddress, { tempo: { windowMs: 250 } });
  await opened.recording();
  await waitFor(() => opened.view().windows.length >= 2, { message: 'two windows' });
  const kept = await opened.recorder.keep({ targetId: opened.targetId, ...keep });
  expect(kept?.warnings).toEqual([
    expect.stringMatching(/^of the flight recorder: /),
    expect.stringMatching(/may be counted for their callers: the target collects coverage$/),
    expect.stringMatching(/^the target collects coverage: V8 ends the counting/),
  ]);
});

it('has the windows of the agent before', async () => {
  await using target = await startTarget('busy');
  await using kept = await openRecorder(target.inspectorAddress);
  {
    await kept.recording();
    await burning(target);
    await kept.recorder[Symbol.asyncDispose]();
  }
  expect(kept.view()).toMatchObject({ state: 'off', windows: [{ storedBytes: expect.any(Number) as number }] });
  await using later = await openRecorder(target.inspectorAddress, {
    isOn: false,
    index: kept.harness.store,
    store: kept.harness.store,
  });
  expect(later.view()).toMatchObject({ state: 'off', reason: '--flight-recorder is not set', windows: [{}] });
  const asked = { targetId: later.targetId, ...keep };
  expect(await later.recorder.keep(asked)).toMatchObject({ target: { pid: target.pid } });
  // Nothing is made of the windows of another run, or of another time.
  expect(await later.recorder.keep({ ...asked, instanceId: 'another' })).toBeUndefined();
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + keep.beforeMs + 61_000 });
  try {
    expect(await later.recorder.keep(asked)).toBeUndefined();
  } finally {
    vi.useRealTimers();
  }
});

it('keeps what was recorded of a target that is killed in the middle of a profile', async () => {
  await using target = await startTarget('busy');
  await using opened = await openRecorder(target.inspectorAddress, { tempo: { windowMs: 200 } });
  await opened.recording();
  const { id } = await opened.captures.startCpu({ startedBy: 'tester', durationMs: 60_000 });
  await waitFor(() => opened.captures.get(id).progress.bytes > 0, { message: 'a window of the capture' });
  target.kill('SIGKILL');
  const operation = await opened.captures.waitFor(id, { timeoutMs: 20_000 });
  expect(operation).toMatchObject({ state: 'partial', error: { code: 'capture-interrupted' } });
  expect(await topFunctions(opened, operation.profileIds[0] ?? '')).toMatch(burnt);
});

it('records a profile too long for one message in windows, and stops it early', async () => {
  await using target = await startTarget('busy');
  await using opened = await openRecorder(target.inspectorAddress, { isOn: false });
  const { captures, harness } = opened;
  const { id } = await captures.startCpu({ startedBy: 'tester', durationMs: 1_200_000, intervalUs: 1_000 });
  await waitFor(() => captures.get(id).progress.phase === 'sampling', { message: 'sampling' });
  await burning(target);
  await captures.stopCpu({});
  const operation = await captures.waitFor(id, { timeoutMs: 20_000 });
  expect(operation).toMatchObject({ state: 'succeeded' });
  expect(harness.store.get(operation.profileIds[0] ?? '')).toMatchObject({ complete: true, warnings: [] });
  await waitFor(() => !isSampled(target.pid), { message: 'no sampler' });
});

it('says of a profile taken in windows what it lacks, where nothing was to be deoptimised', async () => {
  await using target = await startTarget('busy');
  await using opened = await openRecorder(target.inspectorAddress, { isOn: false });
  const { captures, harness } = opened;
  const long = { startedBy: 'tester', durationMs: 1_200_000, intervalUs: 1_000, deoptimize: false };
  const { id } = await captures.startCpu(long);
  await waitFor(() => captures.get(id).progress.phase === 'sampling', { message: 'sampling' });
  await captures.stopCpu({});
  const operation = await captures.waitFor(id, { timeoutMs: 20_000 });
  expect(harness.store.get(operation.profileIds[0] ?? '').warnings).toEqual([
    expect.stringMatching(/may be counted for their callers: that was not to be deoptimised$/),
  ]);
});

it('does not call functions of the application that have the names it needs, and says so', async () => {
  await using target = await startTarget('has-globals-named-profile');
  await using opened = await openRecorder(target.inspectorAddress);
  await waitFor(() => opened.view().state === 'failed', { message: 'the failure' });
  expect(opened.view().reason).toContain('global named profile');
  expect(opened.recorder.feature()).toMatchObject({
    state: 'on',
    reason: expect.stringContaining('global named profile') as string,
  });
  expect(target.stdout).not.toContain('called');
  expect(isSampled(target.pid)).toBe(false);
});

it('pauses while the target is overloaded for long, keeps its window, says so, and goes on', async () => {
  await using target = await startTarget('busy');
  let nowMs = 0;
  const overload = { utilization: 0.99, relaxedUtilization: 0.9, afterMs: 60_000, nowMs: () => nowMs };
  await using opened = await openRecorder(target.inspectorAddress, { overload });
  await opened.recording();
  const note = (utilization: number | null): void =>
    opened.recorder.noteVitals({ targetId: opened.targetId, loop: { utilization } } as Vitals);
  const minute = (utilization: number | null): void => {
    for (let reading = 0; reading <= 12; reading++, nowMs += 5_000) note(utilization);
  };
  minute(0.95);
  minute(null);
  expect(opened.view().state).toBe('recording');
  minute(0.999);
  await waitFor(() => opened.view().windows.length === 1, { message: 'the window so far' });
  expect(opened.view()).toMatchObject({
    state: 'paused',
    reason: expect.stringContaining('over 0.99 for 60 s') as string,
    gaps: [{ to: null }],
  });
  await waitFor(() => !isSampled(target.pid), { message: 'no sampler' });
  minute(0.95);
  expect(opened.view().state).toBe('paused');
  minute(0.5);
  await opened.recording();
});

it('records no worker, and says so', async () => {
  await using target = await startTarget('with-workers');
  await using opened = await openRecorder(target.inspectorAddress, { tempo: { windowMs: 200 } });
  await opened.recording();
  await waitFor(() => opened.view().windows.length >= 2, { message: 'two windows' });
  expect(opened.recorder.status()).toMatchObject({ threads: 'main' });
  const kept = await opened.recorder.keep({ targetId: opened.targetId, ...keep });
  expect(kept?.thread.id).toBe('main');
});

it('bounds the bytes of all windows, and counts what went for that', () => {
  using index = openIndexInMemory();
  const windows = new RecorderWindows({ index, maxPerTarget: 10, maxBytes: 2_500 });
  const draft = { gzip: new Uint8Array(1_000), facts: {} } as WindowDraft;
  for (const targetId of ['a', 'b', 'a']) windows.add({ ...draft, targetId, instanceId: '1' });
  expect(windows.list().map(({ targetId }) => targetId)).toEqual(['b', 'a']);
  expect(windows.droppedForBytes).toBe(1);
  for (let count = 0; count < 20; count++)
    windows.add({ ...draft, gzip: new Uint8Array(1), targetId: 'b', instanceId: '1' });
  expect(windows.list('b')).toHaveLength(10);
});
