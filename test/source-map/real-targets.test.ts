import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { openHarness, type Harness } from '../capture/harness.ts';
import { ProfileWorker } from '../../agent/capture/profile-worker.ts';
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
});
