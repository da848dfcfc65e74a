import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { SidescopeError } from '../../protocol/error.ts';
import { Sender } from '../../agent/egress/sender.ts';
import { OutboxTable } from '../../agent/store/outbox-table.ts';
import { openStore, put, recordingLog, scratchDirectory } from '../store/sample.ts';
import { startOnMount, startProgramAt } from '../store/child.ts';
import { waitFor } from '../support/wait-for.ts';
import { openEgress } from './harness.ts';
import { openS3Double, type S3Double } from './s3-double.ts';

const urlOf = ({ endpoint }: S3Double): string => `s3://profiles?endpoint=${endpoint}`;
const megabyte = 2 ** 20;

test('a receiver that asks for a pause with 503 is not asked before it is over', async () => {
  await using s3 = await openS3Double();
  let refusals = 1;
  const askedMs: number[] = [];
  s3.fault = () => {
    askedMs.push(performance.now());
    return refusals-- > 0 ? { status: 503, headers: { 'retry-after': '1' } } : undefined;
  };
  await using harness = await openEgress(urlOf(s3));
  await harness.capture();
  const refused = await harness.until('a refusal', ({ failed }) => (failed['throttled'] ?? 0) > 0);
  expect(refused).toMatchObject({ state: 'waiting', queue: { items: 1 }, lastError: { reason: 'throttled' } });
  expect(refused.lastError?.message).toContain('answered 503 SlowDown');
  expect(harness.egress.feature()).toMatchObject({ state: 'on', reason: expect.stringContaining('503') as string });
  await harness.until('the profile to be sent', ({ sent }) => sent === 1);
  expect(askedMs[1]! - askedMs[0]!).toBeGreaterThanOrEqual(1_000);
  expect(harness.view()).toMatchObject({ lastError: null, queue: { items: 0 } });
});

test('403 makes the destination wait and loses nothing; captures go on meanwhile', async () => {
  await using s3 = await openS3Double();
  s3.fault = () => ({ status: 403 });
  await using harness = await openEgress(urlOf(s3));
  const first = await harness.capture();
  await harness.until('two attempts', ({ failed }) => (failed['credentials'] ?? 0) >= 2);
  const second = await harness.capture();
  expect(harness.view().queue.items).toBe(2);
  s3.fault = () => undefined;
  await harness.until('both to be sent', ({ sent }) => sent === 2);
  expect([...s3.objects.keys()].map((path) => path.split('-').at(-1)?.split('.')[0]).sort()).toEqual(
    [first.id, second.id].sort(),
  );
});

test('what the receiver refuses for good is dropped, told, and holds nobody up', async () => {
  await using s3 = await openS3Double();
  let isFirst = true;
  s3.fault = () => {
    const fault = isFirst ? { status: 413 } : undefined;
    isFirst = false;
    return fault;
  };
  await using harness = await openEgress(urlOf(s3));
  const refused = await harness.capture();
  await harness.capture();
  await harness.until('the other one to be sent', ({ sent }) => sent === 1);
  expect(harness.view().dropped).toEqual({ refused: 1 });
  const delivery = harness.egress.view().deliveries.find(({ profileId }) => profileId === refused.id);
  expect(delivery).toMatchObject({ state: 'dropped', attempts: 1 });
});

test('400 that is about the region or an ended token is no fault of the profile', async () => {
  await using s3 = await openS3Double();
  const region = { 'x-amz-bucket-region': 'eu-central-1' };
  const faults = [
    { status: 400, code: 'AuthorizationHeaderMalformed', headers: region },
    { status: 400, code: 'ExpiredToken' },
  ];
  s3.fault = () => faults[0];
  await using harness = await openEgress(urlOf(s3));
  await harness.capture();
  for (const words of ['AuthorizationHeaderMalformed (its region is eu-central-1)', 'ExpiredToken']) {
    await harness.until(words, ({ lastError }) => lastError?.message.endsWith(`answered 400 ${words}`) === true);
    faults.shift();
  }
  expect(await harness.until('it to be sent', ({ sent }) => sent === 1)).toMatchObject({ dropped: {} });
});

test('a profile that is answered 500 each time steps back after the third, and holds nobody up', async () => {
  await using s3 = await openS3Double();
  let refused = 'not yet known';
  s3.fault = ({ path }) => (path.includes(refused) ? { status: 500 } : undefined);
  await using harness = await openEgress(urlOf(s3), { settleMs: 200 });
  const poison = await harness.capture();
  refused = poison.id;
  await harness.capture();
  await harness.until('the other one to be sent', ({ sent }) => sent === 1);
  expect(harness.view()).toMatchObject({ dropped: {}, queue: { items: 1 } });
  expect(harness.view().failed['server-error']).toBeGreaterThanOrEqual(3);
  refused = 'no longer';
  await harness.until('it to be sent', ({ sent }) => sent === 2);
});

test('a receiver that falls silent, or cuts the connection in the middle, gets the profile again', async () => {
  await using s3 = await openS3Double();
  const faults = ['hang', { cutAfterBytes: megabyte }] as const;
  let asked = 0;
  s3.fault = () => faults[asked++];
  await using harness = await openEgress(urlOf(s3));
  const profile = await harness.capture(3 * megabyte);
  await harness.until('the profile to be sent', ({ sent }) => sent === 1);
  expect(harness.view().failed).toEqual({ timeout: 1, cut: 1 });
  const [object] = [...s3.objects.values()];
  expect(object?.body.length).toBe(profile.sizeBytes);
});

test('a receiver that is slow beyond all measure is given up, and asked again', async () => {
  await using s3 = await openS3Double();
  let isSlow = true;
  s3.fault = () => (isSlow ? 'hang' : undefined);
  const times = { idleMs: 20_000, answerMs: 150, bytesPerSecond: 1e8 };
  await using harness = await openEgress(urlOf(s3), { times });
  await harness.capture();
  const { lastError } = await harness.until('a failure', ({ failed }) => (failed['timeout'] ?? 0) > 0);
  expect(lastError?.message).toMatch(/was not done after 15[01] ms/);
  isSlow = false;
  await harness.until('the profile to be sent', ({ sent }) => sent === 1);
});

test('a snapshot that cannot be redacted now steps back, and what comes after it goes first', async () => {
  await using s3 = await openS3Double();
  let isFull = true;
  const redactions = {
    open: () => {
      if (isFull) throw new SidescopeError('analysis-limit', 'redacting takes more memory than there is');
      return Readable.from([Buffer.from('redacted')], { objectMode: false });
    },
  };
  await using harness = await openEgress(urlOf(s3), { redactions });
  const snapshot = await harness.capture(1_000, { kind: 'heap-snapshot' });
  await harness.until('a failure', ({ failed }) => (failed['redaction'] ?? 0) > 0);
  await harness.capture();
  await harness.until('the CPU profile to be sent', ({ sent }) => sent === 1);
  expect(harness.egress.view().deliveries.find(({ profileId }) => profileId === snapshot.id)).toMatchObject({
    state: 'queued',
    attempts: 1,
    reason: 'redacting takes more memory than there is',
  });
  isFull = false;
  await harness.egress.close({ graceMs: 5_000 });
  expect([...s3.objects.values()].map(({ body }) => body.length)).toEqual([1_000, 8]);
});

test('a snapshot whose turn to be redacted has not come waits for it, and that is no failure', async () => {
  await using s3 = await openS3Double();
  let refusals = 2;
  const redactions = {
    open: () => {
      if (refusals-- > 0) throw new SidescopeError('too-many-analyses', '1 snapshots are being redacted');
      return Readable.from([Buffer.from('redacted')], { objectMode: false });
    },
  };
  await using harness = await openEgress(urlOf(s3), { redactions, pauses: { firstMs: 1, longestMs: 1 } });
  await harness.capture(1_000, { kind: 'heap-snapshot' });
  expect(await harness.until('it to be sent', ({ sent }) => sent === 1)).toMatchObject({ failed: {}, dropped: {} });
});

test('a snapshot cut in one part goes on with that part, and without end it leaves no parts behind', async () => {
  await using s3 = await openS3Double();
  let cuts = 1;
  s3.fault = ({ method, query }) =>
    method === 'PUT' && query.get('partNumber') === '2' && cuts-- > 0 ? { cutAfterBytes: megabyte } : undefined;
  const config = `egress:\n  - { name: archive, kind: s3, url: "${urlOf(s3)}", redact: false }\n`;
  await using harness = await openEgress(config);
  const bytes = randomBytes(9 * megabyte);
  const snapshot = await put(harness.store, bytes, { kind: 'heap-snapshot' });
  expect(snapshot.storedBytes).toBeGreaterThan(8 * megabyte);
  await harness.until('the snapshot to be sent', ({ sent }) => sent === 1);
  const partsSent = s3.requests.filter(({ method, query }) => method === 'PUT' && query.get('partNumber') === '1');
  expect([partsSent.length, [...s3.objects.values()][0]?.body.length]).toEqual([1, snapshot.storedBytes]);

  s3.fault = ({ method, query }) =>
    method === 'PUT' && query.get('partNumber') === '2' ? { cutAfterBytes: 1 } : undefined;
  await put(harness.store, bytes, { kind: 'heap-snapshot' });
  await harness.until('a failed upload', ({ failed }) => (failed['cut'] ?? 0) >= 1);
  s3.fault = () => undefined;
  await harness.until('the other snapshot', ({ sent }) => sent === 2);
  expect([...s3.openUploads]).toEqual([]);
});

test('an agent killed in the middle of an upload is followed by one that sends it, and removes the parts', async () => {
  await using s3 = await openS3Double();
  await using scratch = scratchDirectory();
  {
    await using store = await openStore(scratch.path);
    await put(store, randomBytes(9 * megabyte), { kind: 'heap-snapshot' });
    const [row] = store.list({}).profiles;
    const outbox = new OutboxTable(store);
    const { id, storedBytes } = row!;
    outbox.add({ destination: 's3', kind: 'profile', item: id, bytes: storedBytes, queuedMs: 0, facts: {} });
  }
  s3.fault = ({ query }) => (query.get('partNumber') === '2' ? 'hang' : undefined);
  {
    await using child = startProgramAt(join(import.meta.dirname, 'program/sends.ts'), [scratch.path, urlOf(s3)]);
    await waitFor(() => s3.requests.some(({ query }) => query.get('partNumber') === '2'), {
      message: 'the second part',
    });
    await child.kill();
  }
  expect(s3.openUploads.size).toBe(1);
  s3.fault = () => undefined;
  await using harness = await openEgress(urlOf(s3), { directory: scratch.path });
  await harness.until('the snapshot to be sent', ({ sent }) => sent === 1);
  expect([s3.openUploads.size, s3.objects.size]).toEqual([0, 1]);
});

test('beyond its bound the queue drops the oldest, and evicts nothing of what is left', async () => {
  await using s3 = await openS3Double();
  s3.fault = () => ({ status: 503, headers: { 'retry-after': '60' } });
  const config = `egress:\n  - { name: archive, kind: s3, url: "${urlOf(s3)}", queue: 2MiB }\n`;
  const storeOptions = { budgetBytes: 64 * megabyte, retentionCount: 2 };
  await using harness = await openEgress(config, { storeOptions });
  const ids: string[] = [];
  for (let count = 0; count < 4; count++) ids.push((await harness.capture(900_000)).id);
  // Two fit; retention would keep two anyway, so one more that nobody waits for has to go first.
  expect(harness.view()).toMatchObject({ queue: { items: 2 }, dropped: { 'queue-full': 2 } });
  expect(harness.store.list({}).profiles.map(({ id }) => id)).toEqual(ids.slice(2).reverse());
});

test('a capture that needs the room goes before what waits; what went is counted', async () => {
  await using s3 = await openS3Double();
  s3.fault = () => ({ status: 503, headers: { 'retry-after': '60' } });
  await using harness = await openEgress(urlOf(s3), { storeOptions: { budgetBytes: 3.5 * megabyte } });
  await harness.capture(megabyte);
  await harness.capture(megabyte);
  await harness.until('a refusal', ({ failed }) => (failed['throttled'] ?? 0) > 0);
  await harness.capture(2 * megabyte);
  expect(harness.view()).toMatchObject({ queue: { items: 2 }, dropped: { gone: 1 } });
});

test('with no room for the queue itself captures are stored, and the missing is counted and told once', async () => {
  await using scratch = scratchDirectory();
  await using store = await openStore(scratch.path);
  let isFull = true;
  const outbox = new OutboxTable({
    inIndex: (attempt, work) => {
      if (isFull) throw new SidescopeError('disk-full', `${attempt}: no space left`);
      return store.inIndex(attempt, work);
    },
  });
  const log = recordingLog();
  const sent: string[] = [];
  const sender = new Sender({
    name: 'archive',
    destination: {
      where: 'nowhere',
      takes: ['cpu'],
      send: async ({ facts }) => sent.push(facts.id),
      [Symbol.dispose]: () => undefined,
    },
    outbox,
    queueBytesMax: megabyte,
    open: ({ item }) => ({ facts: { id: item } }) as never,
    settleMs: 0,
    onSent: () => undefined,
    pauses: { firstMs: 20, longestMs: 60 },
    log,
  });
  onTestFinished(() => sender.close(AbortSignal.abort()));
  sender.accept({ kind: 'profile', item: 'a', bytes: 1, facts: {} });
  sender.accept({ kind: 'profile', item: 'b', bytes: 1, facts: {} });
  expect(sender.stats().dropped).toEqual({ 'not-queued': 2 });
  expect(log.lines.filter(({ message }) => message.includes('not queued'))).toHaveLength(1);
  isFull = false;
  sender.accept({ kind: 'profile', item: 'c', bytes: 1, facts: {} });
  await waitFor(() => sent.length > 0, { message: 'the third to be sent' });
  expect(sent).toEqual(['c']);
});

test('on a disk that is full what cannot be queued is counted and told once, and with room again it goes on', async () => {
  await using scratch = scratchDirectory();
  await using child = startOnMount('../../egress/program/queues-on-a-full-disk', {
    directory: scratch.path,
    mount: 'mount -t tmpfs -o size=2m tmpfs "$1"',
  });
  const facts = (await child.end()).map((line) => JSON.parse(line) as unknown);
  expect(facts).toEqual([
    { dropped: { 'not-queued': 3 }, told: 1, capture: 'disk-full', kept: 50_000 },
    { first: 'before', notQueued: 3, twice: 0 },
  ]);
});

test('a secret file that is not there, empty, or put right later', async () => {
  await using s3 = await openS3Double();
  await using scratch = scratchDirectory();
  const [access, secret] = ['access', 'secret'].map((name) => join(scratch.path, name));
  const config = `egress:
  - name: archive
    kind: s3
    url: "${urlOf(s3)}"
    access-key-file: ${access}
    secret-key-file: ${secret}
`;
  await using harness = await openEgress(config);
  await harness.capture();
  const { lastError } = await harness.until('a failure', ({ failed }) => (failed['credentials'] ?? 0) > 0);
  expect(lastError?.message).toBe(`${access} cannot be read (ENOENT)`);
  await writeFile(access!, 'test:tester\n');
  await writeFile(secret!, 'SECRETsecret\n');
  await harness.until('the profile to be sent', ({ sent }) => sent === 1);
  expect(JSON.stringify([harness.egress.view(), harness.egress.feature()])).not.toContain('SECRETsecret');
  expect(s3.requests[0]?.headers.authorization).toContain('Credential=test:tester/');
});
