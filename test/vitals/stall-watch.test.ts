import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { endLoop } from '../inspector/raw-inspector.ts';
import { startTarget } from '../support/target.ts';
import { openMonitored } from './harness.ts';

/** The 1-based line that holds the text. */
function lineOf(program: string, text: string): number {
  const lines = readFileSync(join(import.meta.dirname, '..', 'targets', program), 'utf8').split('\n');
  return lines.findIndex((line) => line.includes(text)) + 1;
}

describe.each([18, 20, 22, 24, 26])('a blocked loop on Node %i', (node) => {
  it('is noticed with function and line while it lasts, and told whole when it is over', async () => {
    await using target = await startTarget('gets-stuck', { node });
    await using monitored = await openMonitored([target.inspectorAddress]);
    await monitored.reading(({ loop, gc }) => loop.utilization !== null && gc !== null, 'two readings with the probe');
    await target.send({ loop: 60_000 });
    const seen = await monitored.stall(({ dominant }) => dominant !== null, 'a stall with a stack');
    expect(target.stdout).not.toContain('turned');
    expect(seen).toMatchObject({ kind: 'blocked', state: 'ongoing', endedAt: null });
    await monitored.reading(({ error, at }) => error === null && at > seen.noticedAt, 'a reading during the stall');
    await endLoop(target.inspectorAddress);
    const stall = await monitored.stall(({ state }) => state === 'ended', 'the end of the stall');
    expect(stall).toMatchObject({
      id: seen.id,
      dominant: {
        functionName: 'spinUntil',
        url: expect.stringMatching(/gets-stuck\.cjs$/) as string,
        lineNumber: lineOf('gets-stuck.cjs', 'while (Date.now()'),
      },
      span: null,
      cpuOperationId: null,
      cpuProfileAgrees: null,
    });
    expect(stall.summary).toContain('spinUntil (gets-stuck.cjs:');
    expect(stall.tree.find(({ functionName }) => functionName === 'spinUntil')?.samples).toBeGreaterThan(0);
    expect(JSON.stringify(stall.tree)).not.toContain('sidescope:');
    expect(monitored.monitor.listStalls({}).stalls).toEqual([stall]);
  });
});

it('a regular expression that never ends is noticed; when the target dies in it, the record is cut', async () => {
  await using target = await startTarget('gets-stuck', { node: 18 });
  await using monitored = await openMonitored([target.inspectorAddress]);
  await target.send({ pattern: true });
  const seen = await monitored.stall(({ dominant }) => dominant !== null, 'a stall with a stack');
  expect(seen.dominant).toMatchObject({
    functionName: 'matchForEver',
    lineNumber: lineOf('gets-stuck.cjs', 'return /^(a+)+'),
  });
  target.kill();
  const cut = await monitored.stall(({ state }) => state !== 'ongoing', 'the end of the record');
  expect(cut).toMatchObject({ id: seen.id, state: 'cut' });
  // The latter on a machine that had no time for it.
  expect(cut.verdict).toMatch(/^(javascript|starved)$/);
});

it('names the OpenTelemetry span whose work blocks', async () => {
  await using target = await startTarget('works-in-a-span');
  await using monitored = await openMonitored([target.inspectorAddress]);
  await target.send({ sampled: true });
  const { span } = await monitored.stall((stall) => stall.span !== null, 'a stall with a span');
  expect(span).toMatchObject({
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    name: 'GET /stuck',
    sampled: true,
  });
});

it('calls native work native, also when nothing answers until it is over', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sidescope-stall-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rm(folder, { recursive: true }));
  const fifo = join(folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  await using target = await startTarget('gets-stuck', { node: 20 });
  await using monitored = await openMonitored([target.inspectorAddress]);
  await target.send({ fifo });
  // Native by the share of silence in the stall, which grows while nothing answers.
  const seen = await monitored.stall(({ verdict }) => verdict === 'native', 'a stall in native work');
  expect(seen).toMatchObject({ state: 'ongoing' });
  await monitored.reading(({ error, cpu }) => error?.code === 'inspector-timeout' && cpu.userCores !== null, 'silence');
  await writeFile(fifo, '');
  const stall = await monitored.stall(({ state }) => state === 'ended', 'the end of the stall');
  expect(stall).toMatchObject({ id: seen.id, verdict: 'native' });
  expect(stall.summary).toContain('of native work');
  await monitored.reading(({ error, at }) => error === null && at > (stall.endedAt ?? ''), 'a reading afterwards');
});

it('a stopped process is called stopped, and goes on unharmed', async () => {
  await using target = await startTarget('gets-stuck');
  await using monitored = await openMonitored([target.inspectorAddress]);
  await monitored.reading(({ error }) => error === null, 'a reading');
  target.kill('SIGSTOP');
  await monitored.stall(({ verdict }) => verdict === 'stopped', 'the stop');
  target.kill('SIGCONT');
  const stall = await monitored.stall(({ state }) => state === 'ended', 'the end of the stall');
  expect(stall.summary).toMatch(/^the process was stopped by a signal for \d/);
  await target.send({ check: true });
  await target.waitForOutput(/^unchanged$/m);
});

it('a pause of our own is no stall', async () => {
  await using target = await startTarget('big-heap', { args: ['40'] });
  await using monitored = await openMonitored([target.inspectorAddress], {
    stallThresholdMs: 200,
    stallIntervalMs: 100,
  });
  const { harness, monitor, stalls } = monitored;
  await monitored.reading(({ gc }) => gc !== null, 'a reading with the probe');
  const operation = await harness.captures.startHeapSnapshot({ startedBy: 'tester', force: true });
  const { state, profileIds } = await harness.ended(operation);
  expect(state).toBe('succeeded');
  // The pause was long enough to be one.
  expect(harness.store.get(profileIds[0] ?? '').cost.pauseMs).toBeGreaterThan(250);
  const atMs = Date.now();
  await monitored.reading(({ at, error }) => Date.parse(at) > atMs && error === null, 'a reading afterwards');
  expect(stalls.filter(({ state: end }) => end === 'ended')).toEqual([]);
  expect(monitor.listStalls({}).stalls).toEqual([]);
});

it('half a minute without idle time is a record of its own, with stacks', async () => {
  await using target = await startTarget('saturated');
  await using monitored = await openMonitored([target.inspectorAddress], {
    saturation: { afterMs: 1_500, sampleMs: 1_500, relaxedMs: 1_000 },
  });
  // Of the few stacks on a busy machine most may be between two turns.
  const seen = await monitored.stall(
    ({ kind, tree }) => kind === 'saturated' && tree.some(({ functionName }) => functionName === 'churn'),
    'saturation in churn',
  );
  expect(seen).toMatchObject({ state: 'ongoing' });
  await target.send('rest');
  const stall = await monitored.stall(({ id, state }) => id === seen.id && state === 'ended', 'the end of it');
  expect(stall.dominant).not.toBeNull();
  expect(stall.durationMs).toBeGreaterThan(1_500);
  expect(monitored.monitor.listStalls({ kind: 'saturated' }).stalls).toEqual([stall]);
});

it('a storm of 200 workers is survived, and read again afterwards', { timeout: 60_000 }, async () => {
  await using target = await startTarget('worker-storm');
  await using monitored = await openMonitored([target.inspectorAddress]);
  await target.send('storm');
  await target.waitForOutput(/^calm$/m, 30_000);
  const atMs = Date.now();
  const after = await monitored.reading(({ at, error }) => Date.parse(at) > atMs && error === null, 'a calm reading');
  expect(after.threads).toEqual([]);
});

describe.each([18, 20, 24])('a target on Node %i that ends in a stall', (node) => {
  it.each(['exit', 'natural'])('ends as it would alone: %s', async (how) => {
    await using target = await startTarget('blocks-and-ends', { node });
    await using monitored = await openMonitored([target.inspectorAddress], {
      vitalsIntervalMs: 50,
      stallThresholdMs: 300,
      stallIntervalMs: 100,
    });
    await monitored.reading(({ gc }) => gc !== null, 'a reading with the probe');
    await target.send({ ms: 1_500, how });
    expect(await target.exited).toMatchObject({ code: 7, signal: null });
    const stall = await monitored.stall(({ state }) => state !== 'ongoing', 'the record');
    expect(stall.dominant).toMatchObject({ functionName: 'lastWords' });
  });
});
