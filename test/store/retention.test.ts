import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { ProfileStore } from '../../agent/store/store.ts';
import {
  filesBelow,
  openStore,
  pseudoSnapshot,
  put,
  read,
  sampleDraft,
  sampleOutcome,
  scratchDirectory,
} from './sample.ts';

const megabyte = 1024 * 1024;
const startedAt = (minute: number): { startedAt: string } => ({
  startedAt: new Date(Date.UTC(2026, 0, 31, 12, minute)).toISOString(),
});
const artifact = Buffer.alloc(megabyte, 'x');

async function fill(store: ProfileStore, count: number): Promise<string[]> {
  const ids = [];
  for (let minute = 0; minute < count; minute++) ids.push((await put(store, artifact, startedAt(minute))).id);
  return ids;
}

const oldestFirst = (store: ProfileStore): string[] =>
  store
    .list({ limit: 500 })
    .profiles.map((profile) => profile.id)
    .reverse();

test('room is made before a capture, oldest first, past pinned ones and those being read', async () => {
  await using scratch = scratchDirectory();
  await using store = await openStore(scratch.path, { budgetBytes: 5.5 * megabyte });
  const [a, b, c, d, e] = await fill(store, 5);
  if (a === undefined || b === undefined) throw new Error('five were stored');
  store.patch(a, { pinned: true });
  const deleted: string[] = [];
  store.on('deleted', (id) => deleted.push(id));
  let f: string;
  {
    await using reader = await store.open(b);
    const writer = await store.create(sampleDraft(startedAt(5)), { expectedBytes: 1.5 * megabyte });
    expect(deleted).toEqual([c, d]);
    await writer.write(artifact);
    f = (await writer.finish(sampleOutcome({ endedAt: startedAt(5).startedAt }))).id;
    expect(reader.profile.id).toBe(b);
  }
  expect(oldestFirst(store)).toEqual([a, b, e, f]);
  expect(await read(store, b)).toEqual(artifact);
  expect(store.stats()).toMatchObject({ evictedByBudget: 2, evictedByCount: 0, evictedByAge: 0 });
  expect(store.usage().usedBytes).toBeLessThanOrEqual(5.5 * megabyte);
});

test('what cannot fit is refused with the numbers, and nothing is removed in vain', async () => {
  await using scratch = scratchDirectory();
  await using store = await openStore(scratch.path, { budgetBytes: 3.5 * megabyte });
  const ids = await fill(store, 3);
  const attempt = store.create(sampleDraft(startedAt(3)), { expectedBytes: 3 * megabyte });
  await expect(attempt).rejects.toMatchObject({
    code: 'disk-budget',
    details: { budgetBytes: 3.5 * megabyte, usedBytes: store.usage().usedBytes, promisedBytes: 0 },
  });
  expect(oldestFirst(store)).toEqual(ids);
});

test('the newest artifact is never evicted, not by budget, count or age', async () => {
  await using scratch = scratchDirectory();
  const now = Date.UTC(2027, 0, 1);
  await using store = await openStore(scratch.path, {
    budgetBytes: 1.5 * megabyte,
    retentionCount: 1,
    retentionAgeMs: 1000,
    now: () => now,
  });
  const { id } = await put(store, artifact, startedAt(0));
  await store.enforceRetention();
  await expect(store.create(sampleDraft(startedAt(1)), { expectedBytes: megabyte })).rejects.toMatchObject({
    code: 'disk-budget',
  });
  expect(oldestFirst(store)).toEqual([id]);
});

test('writing more than was expected makes room too, and fails at the budget without passing it', async () => {
  await using scratch = scratchDirectory();
  const budgetBytes = 4.5 * megabyte;
  await using store = await openStore(scratch.path, { budgetBytes });
  const ids = await fill(store, 3);
  const writer = await store.create(sampleDraft(startedAt(3)), { expectedBytes: 0 });
  let written = 0;
  let failure: unknown;
  while (failure === undefined) {
    await writer.write(Buffer.alloc(100_000)).then(
      () => (written += 100_000),
      (error: unknown) => (failure = error),
    );
    expect(store.usage().usedBytes).toBeLessThanOrEqual(budgetBytes);
  }
  expect(failure).toMatchObject({ code: 'disk-budget' });
  expect(written).toBeGreaterThan(3 * megabyte);
  expect(oldestFirst(store)).toEqual(ids.slice(-1));
  expect(filesBelow(path.join(scratch.path, 'tmp'))).toEqual([]);
  await put(store, artifact, startedAt(4));
});

test('two captures at once are not promised the same room', async () => {
  await using scratch = scratchDirectory();
  await using store = await openStore(scratch.path, { budgetBytes: 3 * megabyte });
  const expectedBytes = 1.2 * megabyte;
  const attempts = await Promise.allSettled(
    [1, 2, 3].map((minute) => store.create(sampleDraft(startedAt(minute)), { expectedBytes })),
  );
  expect(attempts.map((attempt) => attempt.status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
  for (const attempt of attempts) if (attempt.status === 'fulfilled') await attempt.value.abandon();
  const later = await store.create(sampleDraft(startedAt(4)), { expectedBytes: 2 * expectedBytes });
  await later.abandon();
});

test('a snapshot is promised a third of its plain size', async () => {
  await using scratch = scratchDirectory();
  await using store = await openStore(scratch.path, { budgetBytes: 3 * megabyte });
  const writer = await store.create(sampleDraft({ kind: 'heap-snapshot' }), { expectedBytes: 8 * megabyte });
  await writer.write(pseudoSnapshot(500_000));
  await writer.finish(sampleOutcome());
  await expect(store.create(sampleDraft(), { expectedBytes: 8 * megabyte })).rejects.toMatchObject({
    code: 'disk-budget',
  });
});

test('retention keeps the newest ones by count, and removes old ones as the clock moves on', async () => {
  await using scratch = scratchDirectory();
  let now = Date.UTC(2026, 0, 31, 12, 5);
  await using store = await openStore(scratch.path, {
    retentionCount: 3,
    retentionAgeMs: 10 * 60_000,
    now: () => now,
  });
  const ids = await fill(store, 5);
  expect(oldestFirst(store)).toEqual(ids.slice(2));
  expect(store.stats()).toMatchObject({ evictedByCount: 2 });
  now = Date.UTC(2026, 0, 31, 12, 13) + 1;
  await store.enforceRetention();
  expect(oldestFirst(store)).toEqual(ids.slice(4));
  expect(store.stats()).toMatchObject({ evictedByCount: 2, evictedByAge: 2 });
});

test('a capture that began before all others is the newest when it ends last', async () => {
  await using scratch = scratchDirectory();
  await using store = await openStore(scratch.path, { retentionCount: 1 });
  const long = await store.create(sampleDraft(startedAt(0)), { expectedBytes: 10 });
  await put(store, artifact, startedAt(1));
  const { id } = await long.finish(sampleOutcome({ endedAt: startedAt(60).startedAt }));
  expect(oldestFirst(store)).toEqual([id]);
});

test('retention runs by itself every minute', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  await using scratch = scratchDirectory();
  let now = Date.UTC(2026, 0, 31, 12, 1);
  await using store = await openStore(scratch.path, { retentionAgeMs: 60_000, now: () => now });
  const [first, second] = await fill(store, 2);
  const gone = new Promise<string>((resolve) => store.once('deleted', resolve));
  now += 60_000;
  vi.advanceTimersByTime(60_000);
  expect(await gone).toBe(first);
  expect(oldestFirst(store)).toEqual([second]);
});

test('opening applies retention to what an earlier agent left', async () => {
  await using scratch = scratchDirectory();
  let ids: string[];
  {
    await using store = await openStore(scratch.path);
    ids = await fill(store, 4);
  }
  await using store = await openStore(scratch.path, { retentionCount: 2 });
  expect(oldestFirst(store)).toEqual(ids.slice(2));
});

test('usage counts every byte under the directory, at every stage and after a restart', async () => {
  await using scratch = scratchDirectory();
  const onDisk = async (): Promise<number> => {
    const { statSync } = await import('node:fs');
    return filesBelow(scratch.path).reduce((sum, file) => sum + statSync(path.join(scratch.path, file)).size, 0);
  };
  {
    await using store = await openStore(scratch.path);
    const [first] = await fill(store, 2);
    const writer = await store.create(sampleDraft({ kind: 'heap-snapshot' }), { expectedBytes: 0 });
    await writer.write(pseudoSnapshot(700_000));
    await writer.flush();
    expect(store.usage().usedBytes).toBe(await onDisk());
    await writer.finish(sampleOutcome());
    expect(store.usage().usedBytes).toBe(await onDisk());
    store.patch(first ?? '', { labels: { why: 'a'.repeat(200) } });
    expect(store.usage().usedBytes).toBe(await onDisk());
    await store.delete(first ?? '');
    expect(store.usage().usedBytes).toBe(await onDisk());
  }
  await using again = await openStore(scratch.path);
  expect(again.usage().usedBytes).toBe(await onDisk());
});
