import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ProfileWorker } from '../../agent/capture/profile-worker.ts';
import { decodeSampleTree } from '../../protocol/cpu-profile/tree-file.ts';
import { startTarget } from '../support/target.ts';
import { openHarness } from './harness.ts';

const fixture = (version: string): string =>
  join(import.meta.dirname, `../fixtures/node/${version}/cpu-shapes.cpuprofile`);
const file = (path: string) => ({ path, positions: undefined });

test('a profile beside itself shows nothing, beside that of another Node what differs', async () => {
  await using worker = new ProfileWorker();
  const [old, now] = [file(fixture('20.20.2')), file(fixture('24.21.0'))];
  const same = await worker.diff({ kind: 'cpu', before: old, after: old, limit: 5 });
  expect(same.functions.map(({ change, isSignificant }) => [change, isSignificant])).toEqual(
    same.functions.map(() => [0, false]),
  );
  const other = await worker.diff({ kind: 'cpu', before: old, after: now, limit: 5 });
  expect(other.functions).toHaveLength(5);
  expect(other.tree[0]).toMatchObject({ functionName: '(root)', parent: -1 });
  expect(other.tree[0]?.totalBefore).toBeCloseTo(1, 6);
  expect(other.tree[0]?.totalAfter).toBeCloseTo(1, 6);
});

test('profiles are merged as trees, and merged ones are compared', async () => {
  await using worker = new ProfileWorker();
  const one = await worker.sampleTree(file(fixture('24.21.0')));
  const two = (await worker.mergeTrees([one.tree, one.tree])).merged ?? one;
  expect(two.samples).toBe(2 * one.samples);
  expect(two.nodes).toBe(one.nodes);
  expect(decodeSampleTree(two.tree).samples).toBe(two.samples);
  const { diff, unreadable } = await worker.diffMerged({ before: [one.tree], after: [two.tree, one.tree], limit: 3 });
  expect(diff?.functions.map(({ isSignificant }) => isSignificant)).toEqual([false, false, false]);
  expect(diff?.tree).toEqual([]);
  expect(unreadable).toEqual({ before: [], after: [] });
});

test('what is no profile, or no merged one, is said to be none', async () => {
  await using worker = new ProfileWorker();
  const directory = await mkdtemp(join(tmpdir(), 'sidescope-compare-'));
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rm(directory, { recursive: true, force: true }));
  const broken = join(directory, 'broken');
  await writeFile(broken, '{"nodes":');
  const good = file(fixture('24.21.0'));
  const refused = { code: 'unreadable-profile' };
  await expect(worker.sampleTree(file(broken))).rejects.toMatchObject(refused);
  await expect(worker.diff({ kind: 'cpu', before: good, after: file(broken), limit: 1 })).rejects.toMatchObject(
    refused,
  );
  const { tree, samples } = await worker.sampleTree(good);
  const { merged, unreadable } = await worker.mergeTrees([Buffer.from('[]'), tree]);
  expect([merged?.samples, unreadable]).toEqual([
    samples,
    [{ index: 0, message: 'not a merged profile: it does not say that it is one' }],
  ]);
  expect(await worker.diffMerged({ before: [Buffer.from('{}')], after: [tree], limit: 1 })).toMatchObject({
    diff: null,
    unreadable: { before: [{ index: 0 }], after: [] },
  });
});

test('heap sampling is compared by shares of its bytes', async () => {
  await using target = await startTarget('allocates');
  await using harness = await openHarness([target.inspectorAddress]);
  await using worker = new ProfileWorker();
  const take = async (): Promise<string> => {
    const operation = await harness.captures.startHeapSampling({
      startedBy: 'tester',
      durationMs: 1_000,
      mode: 'churn',
      intervalBytes: 16_384,
    });
    return (await harness.ended(operation)).profileIds[0] ?? '';
  };
  const [first, second] = [await take(), await take()];
  await using before = await harness.store.open(first);
  await using after = await harness.store.open(second);
  const diff = await worker.diff({
    kind: 'heap-sampling',
    before: file(before.path),
    after: file(after.path),
    limit: 10,
  });
  expect([diff.busyBefore, diff.busyAfter]).toEqual([1, 1]);
  expect(diff.activeAfter).toBeGreaterThan(100_000);
  expect(diff.functions.length).toBeGreaterThan(0);
});
