import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { openHarness, type Harness } from '../capture/harness.ts';
import { explainProcess } from '../../agent/cli/why.ts';
import type { WhyReport } from '../../agent/cli/why/report.ts';
import { ProfileWorker } from '../../agent/capture/profile-worker.ts';
import { FrameOriginals } from '../../agent/source-maps/frame-originals.ts';
import { stacksSchema } from '../../protocol/rest/stacks.ts';
import { compile, lineOf, type Compiler } from './compile.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import type { RunningTarget } from '../support/target.ts';

const compilers: readonly Compiler[] = ['tsc', 'tsc-inline', 'minified-cjs', 'minified-esm'];

/** A CPU profile in which the program was busy, until it said that it was. */
async function profile(harness: Harness, target: RunningTarget): Promise<Profile> {
  const { id } = await harness.captures.startCpu({ startedBy: 'tester', durationMs: 60_000 });
  await waitFor(() => harness.captures.get(id).progress.phase === 'sampling', {
    message: () => `sampling; the operation is ${JSON.stringify(harness.captures.get(id))}`,
  });
  await target.send({ ms: 300 });
  await target.waitForOutput(/^turned /m);
  await harness.captures.stopCpu({});
  const operation = await harness.captures.waitFor(id, { timeoutMs: 20_000 });
  return harness.store.get(operation.profileIds[0] ?? '');
}

async function collapsed(harness: Harness, { id }: Profile): Promise<string> {
  await using worker = new ProfileWorker();
  await using reader = await harness.store.open(id);
  const positions = harness.store.sourcePositions(id);
  return Buffer.from(await worker.convert(reader.path, 'collapsed', { positions })).toString();
}

describe.each([18, 24])('on Node %i', (node) => {
  test.each(compilers)('a program from %s is profiled as it was written, and so is its stack', async (compiler) => {
    await using program = await compile(compiler);
    await using target = await startTarget(program.main, { node });
    await using worker = new ProfileWorker();
    const frameOriginals = new FrameOriginals({ worker, mappings: [] });
    await using harness = await openHarness([target.inspectorAddress], { frameOriginals });
    const source = `${program.sources}/prices.ts`;
    const rawName = compiler.startsWith('tsc') ? 'addSurcharges' : 'n';

    const taken = await profile(harness, target);
    const line = await lineOf('function addSurcharges');
    expect(taken.cpu?.topFunction).toBe(`addSurcharges prices.ts:${line}`);
    expect(taken.cpu?.topFunctionRaw).toMatch(new RegExp(`^${rawName} ${basename(program.hotScript)}:\\d+$`));
    expect(taken.sourceMaps).toMatchObject({ missing: [], missingCount: 0, problem: null });
    expect(taken.warnings).toEqual([]);
    const path = `totalUntil ${source}:${await lineOf('totalUntil(')};addSurcharges ${source}:${line} `;
    expect(await collapsed(harness, taken)).toContain(path);
    // The artifact itself is as V8 wrote it.
    expect(await harness.read(taken.id)).toContain(basename(program.hotScript));

    await target.send({ ms: 60_000 });
    await target.waitForOutput(/turned[^]*blocking/);
    const loopLine = await lineOf('while (performance');
    const frames = await waitFor(
      async () => {
        const { threads, warnings } = stacksSchema.parse(await harness.captures.readStacks({}));
        expect(warnings).toBeUndefined();
        // `performance.now` may be on top of it.
        const ours = threads[0]?.frames.filter(({ url }) => url.endsWith(program.hotScript)) ?? [];
        // On its way into the loop it is on another line.
        return (ours[0]?.original?.lineNumber ?? 0) >= loopLine && ours;
      },
      { message: 'a stack in the loop' },
    );
    expect(frames[0]?.functionName).toBe(rawName);
    const [top, caller] = frames.map(({ original }) => original);
    expect(top?.functionName).toBe('addSurcharges');
    expect(top?.url.replace('file://', '')).toBe(source);
    expect(top?.lineNumber).toBeLessThan(await lineOf('return total;'));
    const callLine = await lineOf('addSurcharges(order, endMs);');
    expect(caller).toMatchObject({ functionName: 'totalUntil', lineNumber: callLine });
    // Asked again, nothing has to be read.
    await rm(program.directory, { recursive: true });
    const again = await harness.captures.readStacks({});
    expect(again.threads[0]?.frames.map(({ original }) => original)).toContainEqual(caller);
  });
});

test('without its maps a program appears as V8 has it, and the profile says once what is missing', async () => {
  await using program = await compile('tsc');
  for (const name of ['prices', 'shop']) await rm(join(program.directory, `dist/${name}.cjs.map`));
  await using target = await startTarget(program.main);
  await using harness = await openHarness([target.inspectorAddress]);
  const taken = await profile(harness, target);
  expect(taken.cpu?.topFunction).toMatch(/^addSurcharges prices\.cjs:\d+$/);
  expect(taken.cpu).not.toHaveProperty('topFunctionRaw');
  expect(taken.warnings).toHaveLength(1);
  expect(taken.warnings[0]).toMatch(/^no source map for 2 scripts: .*\/prices\.cjs \(no .*\/prices\.cjs\.map\)/);
  expect(harness.store.sourcePositions(taken.id)).toBeUndefined();
});

test('maps are read from where --source-map-path has the directory, when the target has others', async () => {
  await using program = await compile('tsc');
  await using mounted = await compile('tsc');
  for (const name of ['prices', 'shop']) await rm(join(program.directory, `dist/${name}.cjs.map`));
  await using target = await startTarget(program.main);
  const sourceMapPaths = [{ from: program.directory, to: mounted.directory }];
  await using harness = await openHarness([target.inspectorAddress], { sourceMapPaths });
  const taken = await profile(harness, target);
  expect(taken.cpu?.topFunction).toBe(`addSurcharges prices.ts:${await lineOf('function addSurcharges')}`);
  expect(await collapsed(harness, taken)).toContain(`${program.sources}/prices.ts`);
});

test('a heap sampling profile names its top site as in the source', async () => {
  await using program = await compile('minified-cjs');
  await using target = await startTarget(program.main, { args: ['remember'] });
  await using harness = await openHarness([target.inspectorAddress]);
  const started = await harness.captures.startHeapSampling({
    startedBy: 'tester',
    durationMs: 1_000,
    intervalBytes: 16_384,
  });
  const operation = await harness.ended(started);
  const { sampling } = harness.store.get(operation.profileIds[0] ?? '');
  expect(sampling?.topSite).toBe(`rememberReceipts shop.ts:${await lineOf('function rememberReceipts', 'shop')}`);
  expect(sampling?.topSiteRaw).toMatch(/^\w shop\.cjs:\d$/);
});

test('sidescope why names the function, file and line of the source of a stuck bundle', async () => {
  await using program = await compile('minified-esm');
  await using target = await startTarget(program.main, { execArgv: ['--debug-port=0'] });
  await target.send({ ms: 60_000 });
  await target.waitForOutput(/blocking/);
  let printed = '';
  await explainProcess({
    argv: [String(target.pid), '--json'],
    environment: {},
    platform: 'linux',
    signal: new AbortController().signal,
    print: (text) => void (printed += text),
    say: () => undefined,
  });
  const { verdict, hotspot } = JSON.parse(printed) as WhyReport;
  expect(verdict).toBe('blocked');
  const file = `${program.sources}/prices.ts`;
  expect(hotspot?.place).toMatchObject({ functionName: 'addSurcharges', file });
  expect(hotspot?.place.line).toBeGreaterThanOrEqual(await lineOf('while (performance'));
  expect(hotspot?.place.line).toBeLessThan(await lineOf('return total;'));
  expect(hotspot?.calledBy[0]).toMatchObject({ functionName: 'totalUntil', file });
});
