import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Profile as Pprof } from 'pprof-format';
import { expect, test } from 'vitest';
import { Egress } from '../../agent/egress/egress.ts';
import { ProfileWorker } from '../../agent/capture/profile-worker.ts';
import { openRecorder } from '../capture/recorder-harness.ts';
import { profileWork } from '../requests/join-harness.ts';
import { scratchDirectory } from '../store/sample.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { openEgress, surroundings } from './harness.ts';
import { openPyroscope } from './pyroscope-double.ts';

function textOf({ stringTable }: Pprof, index: number | bigint): string {
  return stringTable.strings[Number(index)] ?? '';
}

function functionsOf(pprof: Pprof): Set<string> {
  return new Set(pprof.function.map(({ name }) => textOf(pprof, name)));
}

function typesOf(pprof: Pprof): string[] {
  return pprof.sampleType.map(({ type, unit }) => `${textOf(pprof, type)}/${textOf(pprof, unit)}`);
}

test('every window of the flight recorder arrives, with its time, its rate and its functions', async () => {
  await using pyroscope = await openPyroscope();
  await using target = await startTarget('busy');
  await using opened = await openRecorder(target.inspectorAddress, { tempo: { windowMs: 300 } });
  await using worker = new ProfileWorker();
  const { store, targets } = opened.harness;
  const given = surroundings();
  const { recorder } = opened;
  const urls = [`pyroscope+${pyroscope.url}`];
  const egress = await Egress.open({ ...given, urls, configPath: undefined, store, worker, recorder, targets });
  const startedAtMs = Date.now();
  const windows: number[] = [];
  recorder.on('window', ({ id }) => windows.push(id));
  await waitFor(() => windows.length >= 3 && pyroscope.ingested.length >= 3, {
    message: () => `three windows: ${JSON.stringify([pyroscope.broken, egress.view()])}`,
  });
  await egress.close({ graceMs: 5_000 });
  const [first] = pyroscope.ingested;
  expect(pyroscope.broken).toEqual([]);
  expect(first).toMatchObject({
    app: 'shop',
    labels: { namespace: 'prod', pod: 'shop-7d4b9c6f5d-x2x9z', version: '1.4.2', thread: 'main', source: 'recorder' },
    sampleRate: 100,
    sampleTypes: { cpu: { units: 'nanoseconds', 'display-name': 'cpu' }, samples: { units: 'samples' } },
  });
  expect(typesOf(first!.pprof)).toEqual(['samples/count', 'cpu/nanoseconds']);
  expect([...functionsOf(first!.pprof)].join(' ')).toMatch(/burn|listOnTimeout/);
  // The profile's own time is the one of the request, and is of now.
  const ownMs = Number(BigInt(first!.pprof.timeNanos) / 1_000_000n);
  expect(ownMs).toBeGreaterThan(startedAtMs - 60_000);
  expect(ownMs / 1_000).toBeGreaterThanOrEqual(first!.from - 1);
  expect(ownMs / 1_000).toBeLessThanOrEqual(first!.until + 1);
  // Nothing twice, nothing left out.
  const times = pyroscope.ingested.map(({ pprof }) => String(pprof.timeNanos));
  expect(new Set(times).size).toBe(times.length);
  expect(egress.view().destinations[0]).toMatchObject({ queue: { items: 0 }, dropped: {} });
  expect(egress.view().deliveries).toEqual([]);
});

test('a CPU profile keeps its requests: samples carry trace, span and route', async () => {
  await using pyroscope = await openPyroscope();
  const work = { requests: 12, concurrency: 2, burstMs: 15, bursts: 3, waitMs: 5 };
  await using done = await profileWork(work, { node: 24, rateHz: 20 });
  const { store, worker } = done.harness;
  const urls = [`pyroscope+${pyroscope.url}`];
  const given = { ...surroundings(), worker, joins: done.joins };
  const egress = await Egress.open({ ...given, urls, configPath: undefined, store });
  // Whatever changes in a profile makes it looked at again.
  store.patch(done.profile.id, { labels: { team: 'shop' } });
  await waitFor(() => pyroscope.ingested.length === 1, { message: () => JSON.stringify(egress.view()) });
  await egress.close({ graceMs: 0 });
  const [{ pprof, labels, from, sampleRate }] = [pyroscope.ingested[0]!];
  expect([labels['source'], from]).toEqual(['capture', Math.floor(Date.parse(done.profile.startedAt) / 1_000)]);
  expect(sampleRate).toBe(Math.round(1e6 / (done.profile.cpu?.intervalUs ?? 0)));
  const labelled = pprof.sample.filter(({ label }) => label.length > 0);
  expect(labelled.length).toBeGreaterThan(0);
  const names = labelled[0]!.label.map(({ key }) => textOf(pprof, key));
  expect(names).toEqual(['trace_id', 'span_id', 'span_name']);
  const traces = new Set(labelled.map(({ label }) => textOf(pprof, label[0]!.str)));
  for (const trace of traces) expect(done.truth.some(([, , own]) => own === trace)).toBe(true);
});

test('tenant and authorization go along, read from a file each time, and are shown nowhere', async () => {
  await using pyroscope = await openPyroscope();
  await using scratch = scratchDirectory();
  const file = join(scratch.path, 'authorization');
  await writeFile(file, 'Bearer SECRETsecret\n');
  const config = `egress:
  - name: profiles
    kind: pyroscope
    url: ${pyroscope.url}/
    app: '{workload}.{pod}'
    labels: { cluster: 'eu{1}' }
    tenant: team-a
    authorization-file: ${file}
`;
  await using harness = await openEgress(config);
  await harness.capture();
  await harness.until('the profile to be sent', ({ sent }) => sent === 1);
  expect(pyroscope.ingested[0]).toMatchObject({
    app: 'shop.shop-0',
    labels: { cluster: 'eu_1_' },
    headers: { authorization: 'Bearer SECRETsecret', 'x-scope-orgid': 'team-a' },
  });
  expect(JSON.stringify([harness.egress.view(), harness.egress.feature()])).not.toContain('SECRETsecret');
});

test('heap sampling says what its bytes are; heap snapshots are not for Pyroscope', async () => {
  await using pyroscope = await openPyroscope();
  await using harness = await openEgress(`pyroscope+${pyroscope.url}`);
  await harness.capture(1_000, { kind: 'heap-snapshot' });
  await harness.capture(1_000, { kind: 'heap-sampling' });
  await harness.until('the profile to be sent', ({ sent }) => sent === 1);
  expect(pyroscope.ingested[0]?.sampleTypes).toEqual({
    space: { units: 'bytes', 'display-name': 'inuse_space', aggregation: 'average' },
  });
  expect(harness.view().queue.items).toBe(0);
});
