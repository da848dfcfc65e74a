import { expect, test } from 'vitest';
import { HeapAnalyses } from '../../agent/capture/heap-analyses.ts';
import type { OperationRecord } from '../../agent/capture/operation-record.ts';
import { Redactions } from '../../agent/capture/redactions.ts';
import type { ProfileStore } from '../../agent/store/store.ts';
import { createMetrics } from '../../agent/telemetry/metrics.ts';
import { observeHeapWork } from '../../agent/telemetry/heap-work-metrics.ts';
import { SidescopeError } from '../../protocol/error.ts';
import { snapshotJson } from '../heap-snapshot/snapshots.ts';
import { openStore, put, runningOperation, scratchDirectory } from '../store/sample.ts';

const GiB = 2 ** 30;

/** An application whose sessions grow. */
function heap(sessions: number): Buffer {
  const held = Array.from({ length: sessions }, (_, index) => index);
  return Buffer.from(
    snapshotJson([
      { type: 'synthetic', name: '', edges: [[1, 'app']] },
      { name: 'App', id: 3, edges: [...held.map((index) => [index + 3, index] as const), [2, 'note']] },
      { type: 'string', name: 'nothing', id: 5 },
      ...held.map((index) => ({ name: 'Session', id: 7 + index * 2, size: 1_000 })),
    ]),
  );
}

async function openAnalyses(store: ProfileStore) {
  let running: Promise<unknown> = Promise.resolve();
  const analyses = new HeapAnalyses({
    isOn: true,
    store,
    index: store,
    freeBytes: () => GiB,
    captures: {
      startStored: ({ run }) => {
        const record = { progress: () => undefined } as unknown as OperationRecord;
        running = run(record, new AbortController().signal);
        return runningOperation;
      },
    },
  });
  const analyse = async (profileId: string, against: readonly string[]): Promise<void> => {
    analyses.start({ profileId, against, startedBy: 'test' });
    await running;
  };
  return { analyses, analyse };
}

async function putSnapshots(store: ProfileStore, sizes: readonly number[]): Promise<string[]> {
  const ids: string[] = [];
  for (const [minute, sessions] of sizes.entries()) {
    const startedAt = new Date(Date.UTC(2026, 0, 31, 12, minute)).toISOString();
    ids.push((await put(store, heap(sessions), { kind: 'heap-snapshot', startedAt })).id);
  }
  return ids;
}

const recordsOf = (store: ProfileStore): number =>
  store.inIndex('counting', (database) =>
    Number(database.prepare("SELECT count(*) AS n FROM records WHERE kind LIKE 'heap-%'").get()?.['n']),
  );

test('of three snapshots what is new in the second and stays is a suspect; what was found goes with its profile', async () => {
  await using scratch = scratchDirectory();
  await using store = await openStore(scratch.path);
  const [first = '', second = '', third = ''] = await putSnapshots(store, [200, 400, 600]);
  const { analyses, analyse } = await openAnalyses(store);
  await analyse(second, [third, first]);
  const { before, middle, after, diff } = analyses.compared([third, first, second]);
  expect([before, middle, after]).toEqual([first, second, third]);
  expect(diff.grown.map(({ className, path, count, isSuspect }) => [className, path, count, isSuspect])).toEqual([
    ['Session', 'App[]', 200, true],
  ]);
  expect(analyses.analysed(third).classes.find(({ name }) => name === 'Session')?.count).toBe(600);
  expect(() => analyses.compared([first, third])).toThrow(`/profiles/${third}/analyse?against=${first}`);
  expect(() => analyses.compared([first, second, second])).toThrow('the agent has not analysed it');

  expect(recordsOf(store)).toBe(3);
  await store.delete(second);
  // The summary of the third is its own; the comparison and what leaks are told of it are the second's too.
  expect(recordsOf(store)).toBe(1);
  await store.delete(third);
  expect(recordsOf(store)).toBe(0);
});

test('what was found in a profile that went while nobody listened is forgotten at the start', async () => {
  await using scratch = scratchDirectory();
  {
    await using store = await openStore(scratch.path);
    const [only = '', kept = ''] = await putSnapshots(store, [10, 20]);
    const { analyse } = await openAnalyses(store);
    await analyse(only, []);
    await analyse(kept, []);
    store.removeAllListeners('deleted');
    await store.delete(only);
    expect(recordsOf(store)).toBe(2);
  }
  await using store = await openStore(scratch.path);
  await openAnalyses(store);
  expect(recordsOf(store)).toBe(1);
});

test('analyses and redactions are counted, by how they ended', async () => {
  await using scratch = scratchDirectory();
  await using store = await openStore(scratch.path);
  await using redactions = new Redactions();
  const { analyses, analyse } = await openAnalyses(store);
  const [good = ''] = await putSnapshots(store, [10]);
  const bad = (await put(store, Buffer.from('{"nodes":[]}'), { kind: 'heap-snapshot' })).id;
  await analyse(good, []);
  await expect(analyse(bad, [])).rejects.toMatchObject({ code: 'unreadable-profile' });
  expect(() => analyses.start({ profileId: 'nobody', startedBy: 'test' })).toThrow(SidescopeError);
  await using reader = await store.open(bad);
  await expect(redactions.open(reader, { gzip: false }).toArray()).rejects.toMatchObject({
    code: 'unreadable-profile',
  });
  const metrics = createMetrics({ version: '1', nodeVersion: '24' });
  observeHeapWork(metrics, { analyses: analyses.tally, redactions: redactions.tally });
  const page = await metrics.registry.metrics();
  for (const line of [
    'sidescope_heap_analyses_total{result="ok"} 1',
    'sidescope_heap_analyses_total{result="unreadable-profile"} 1',
    'sidescope_heap_analyses_total{result="unknown-profile"} 1',
    'sidescope_redactions_total{result="unreadable-profile"} 1',
  ])
    expect(page).toContain(line);
  expect(page).toMatch(/sidescope_heap_analysis_seconds_total 0\.\d+|sidescope_heap_analysis_seconds_total [1-9]/);
});
