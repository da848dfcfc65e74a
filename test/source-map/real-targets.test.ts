import { rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { openHarness, type Harness } from '../capture/harness.ts';
import { ProfileWorker } from '../../agent/capture/profile-worker.ts';
import { FrameOriginals } from '../../agent/source-maps/frame-originals.ts';
import { stacksSchema } from '../../protocol/rest/stacks.ts';
import { compile, placeOf, type Compiler } from './compile.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import type { RunningTarget } from '../support/target.ts';

const compilers: readonly Compiler[] = ['tsc', 'tsc-inline', 'minified-cjs', 'minified-esm'];

/** A CPU profile in which the program was busy. */
async function profile(harness: Harness, target: RunningTarget): Promise<Profile> {
  const { id } = await harness.captures.startCpu({ startedBy: 'tester', durationMs: 700 });
  await waitFor(() => harness.captures.get(id).progress.phase === 'sampling', {
    message: () => `sampling; the operation is ${JSON.stringify(harness.captures.get(id))}`,
  });
  await target.send({ ms: 400 });
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
  test.each(compilers)(
    'a CPU profile of a program from %s names its functions as they were written',
    async (compiler) => {
      await using program = await compile(compiler);
      await using target = await startTarget(program.main, { node });
      await using harness = await openHarness([target.inspectorAddress]);
      const taken = await profile(harness, target);
      const { line } = await placeOf('function addSurcharges');
      expect(taken.cpu?.topFunction).toBe(`addSurcharges prices.ts:${line}`);
      const rawName = compiler.startsWith('tsc') ? 'addSurcharges' : 'n';
      expect(taken.cpu?.topFunctionRaw).toMatch(new RegExp(`^${rawName} ${basename(program.hotScript)}:\\d+$`));
      expect(taken.sourceMaps).toMatchObject({ missing: [], missingCount: 0, problem: null });
      expect(taken.warnings).toEqual([]);
      const stacks = await collapsed(harness, taken);
      const caller = (await placeOf('totalUntil(')).line;
      const source = `${program.sources}/prices.ts`;
      expect(stacks).toContain(`totalUntil ${source}:${caller};addSurcharges ${source}:${line} `);
      // The artifact itself is as V8 wrote it.
      expect(await harness.read(taken.id)).toContain(basename(program.hotScript));
    },
  );

  test.each(compilers)('the stack of a blocked program from %s is that of its source', async (compiler) => {
    await using program = await compile(compiler);
    await using target = await startTarget(program.main, { node });
    await using worker = new ProfileWorker();
    const frameOriginals = new FrameOriginals({ worker, mappings: [] });
    await using harness = await openHarness([target.inspectorAddress], { frameOriginals });
    await target.send({ ms: 60_000 });
    await target.waitForOutput(/blocking/);
    const { threads, warnings } = stacksSchema.parse(await harness.captures.readStacks({}));
    expect(warnings).toBeUndefined();
    // `performance.now` may be on top of it.
    const frames = threads[0]?.frames.filter(({ url }) => url.endsWith(program.hotScript)) ?? [];
    expect(frames[0]?.functionName).toBe(compiler.startsWith('tsc') ? 'addSurcharges' : 'n');
    const [top, caller] = frames.map(({ original }) => original);
    const loop = [(await placeOf('while (performance')).line, (await placeOf('return total;')).line];
    expect(top?.functionName).toBe('addSurcharges');
    expect(top?.url.replace('file://', '')).toBe(`${program.sources}/prices.ts`);
    expect(top?.lineNumber).toBeGreaterThanOrEqual(loop[0] ?? 0);
    expect(top?.lineNumber).toBeLessThan(loop[1] ?? 0);
    const callLine = (await placeOf('addSurcharges(order, endMs);')).line;
    expect(caller).toMatchObject({ functionName: 'totalUntil', lineNumber: callLine });
    // Asked again, nothing has to be read.
    await rm(program.directory, { recursive: true });
    const again = await harness.captures.readStacks({});
    expect(again.threads[0]?.frames.map(({ original }) => original)).toContainEqual(caller);
  });
});
