import fsp from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { decideDeoptimizing } from '../../agent/capture/deoptimize.ts';
import { nodeVersions } from '../support/node-versions.ts';
import { startRecordingProxy } from '../support/recording-proxy.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { openHarness } from './harness.ts';

const me = { startedBy: 'tester' };
const methods = (sent: readonly string[]) => sent.map((text) => (JSON.parse(text) as { method: string }).method);
const coverage = (sent: readonly string[]) => methods(sent).filter((method) => method.includes('Coverage'));

/** The time of all threads on a processor, in ticks of 10 ms: V8 optimises a loop within some of them. */
async function ranFor(pid: number, ticks: number): Promise<void> {
  const used = async () => {
    const stat = await fsp.readFile(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(fields[11]) + Number(fields[12]);
  };
  await waitFor(async () => (await used()) > ticks, { message: `${ticks} ticks on a processor` });
}

/** The functions named `burn…` that have samples, or whose callees have. */
function burnersIn(text: string): string[] {
  const { nodes } = JSON.parse(text) as { nodes: { callFrame: { functionName: string } }[] };
  return [...new Set(nodes.map(({ callFrame }) => callFrame.functionName))].filter((name) => name.startsWith('burn'));
}

describe.each(nodeVersions)('a CPU profile on Node $major', ({ major }) => {
  it('names a function that was optimised before it began, on the main thread and on workers', async () => {
    await using busy = await startTarget('busy', { node: major });
    await using workers = await startTarget('with-workers', { node: major });
    await Promise.all([ranFor(busy.pid, 30), ranFor(workers.pid, 60)]);
    await using harness = await openHarness([busy.inspectorAddress, workers.inspectorAddress], { concurrency: 2 });
    const [main, threads] = harness.targets.list();
    await waitFor(() => harness.targets.list()[1]?.threads.length === 4, { message: 'four threads' });
    const operations = [
      await harness.captures.startCpu({ ...me, targetId: main?.id, durationMs: 300 }),
      await harness.captures.startCpu({ ...me, targetId: threads?.id, durationMs: 500, thread: 'all' }),
    ];
    const ended = await Promise.all(operations.map((operation) => harness.ended(operation)));
    const profiles = ended.flatMap(({ profileIds }) => profileIds.map((id) => harness.store.get(id)));
    const named = await Promise.all(
      profiles.map(async ({ id, thread }) => [thread.kind, ...burnersIn(await harness.read(id))].join(' ')),
    );
    expect(named.sort()).toEqual(['main', 'main burn', 'worker burnAlpha', 'worker burnBeta', 'worker burnGamma']);
  });
});

it('ends what it began in the target, and is not done when that was not wanted', async () => {
  await using target = await startTarget('busy');
  await using proxy = await startRecordingProxy(target.inspectorPort);
  await using harness = await openHarness([proxy.address]);
  await harness.ended(await harness.captures.startCpu({ ...me, durationMs: 200 }));
  expect(coverage(proxy.sent)).toEqual(['Profiler.startPreciseCoverage', 'Profiler.stopPreciseCoverage']);
  const { profileIds, parameters } = await harness.ended(
    await harness.captures.startCpu({ ...me, durationMs: 200, deoptimize: false }),
  );
  expect(coverage(proxy.sent)).toHaveLength(2);
  expect(parameters).toMatchObject({ deoptimize: false });
  const { warnings } = harness.store.get(profileIds[0] ?? '');
  expect(warnings).toEqual([expect.stringMatching(/^functions that V8 had optimised before may be counted for their/)]);
});

it('leaves the coverage that a target collects alone', async () => {
  const directory = await fsp.mkdtemp(path.join(os.tmpdir(), 'sidescope-coverage-'));
  await using _directory = { [Symbol.asyncDispose]: () => fsp.rm(directory, { recursive: true, force: true }) };
  await using target = await startTarget('handles-sigterm', { env: { NODE_V8_COVERAGE: directory } });
  {
    await using proxy = await startRecordingProxy(target.inspectorPort);
    await using harness = await openHarness([proxy.address]);
    const { profileIds } = await harness.ended(
      await harness.captures.startCpu({ ...me, durationMs: 200, deoptimize: true }),
    );
    expect(coverage(proxy.sent)).toEqual([]);
    const { warnings } = harness.store.get(profileIds[0] ?? '');
    expect(warnings).toEqual([
      expect.stringMatching(/may be counted for their callers: the target collects coverage$/),
      expect.stringMatching(/^the target collects coverage: V8 ends the counting of its blocks/),
    ]);
  }
  target.kill('SIGTERM');
  expect((await target.exited).code).toBe(0);
  const [file = ''] = await fsp.readdir(directory);
  const written = await fsp.readFile(path.join(directory, file), 'utf8');
  expect(written).toMatch(/handles-sigterm\.mjs/);
});

describe('a heap that makes it a long pause', () => {
  const usage = { rssBytes: 1e9, maxRssBytes: 1e9, heapUsedBytes: 820e6, collectsCoverage: false };

  it('is walked for it only when asked', () => {
    const unasked = decideDeoptimizing(undefined, usage);
    expect(unasked.deoptimize).toBe(false);
    expect(unasked.warnings).toEqual([expect.stringContaining('for about 533 ms more; deoptimize=true does it')]);
    expect(decideDeoptimizing(true, usage)).toEqual({ deoptimize: true, warnings: [] });
  });

  it('is not guessed', () => {
    expect(decideDeoptimizing(undefined, undefined)).toMatchObject({ deoptimize: false });
    expect(decideDeoptimizing(undefined, { ...usage, heapUsedBytes: 256 * 2 ** 20 })).toMatchObject({
      deoptimize: true,
    });
  });
});
