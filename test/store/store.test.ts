import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { startProgram } from './child.ts';
import { profileSchema } from '../../protocol/rest/profile.ts';
import {
  bytesOf,
  filesBelow,
  openStore,
  pseudoSnapshot,
  put,
  read,
  sampleDraft,
  sampleOutcome,
  scratchDirectory,
} from './sample.ts';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

test('a CPU profile makes the whole round and is stored as it is', async () => {
  await using scratch = scratchDirectory();
  await using store = await openStore(scratch.path);
  const bytes = Buffer.from('{"nodes":[]}'.repeat(40_000));
  const writer = await store.create(sampleDraft(), { expectedBytes: bytes.length });
  await writer.write(bytes.subarray(0, 1000));
  await writer.flush();
  expect(fs.readFileSync(writer.temporaryPath)).toEqual(bytes.subarray(0, 1000));
  await writer.write(bytes.subarray(1000));
  expect(writer.sizeBytes).toBe(bytes.length);
  expect(() => store.get(writer.profileId)).toThrow(expect.objectContaining({ code: 'unknown-profile' }));
  const profile = await writer.finish(sampleOutcome());

  expect(profileSchema.parse(profile)).toEqual(profile);
  expect(profile).toMatchObject({
    id: writer.profileId,
    fileName: 'shop-api-20260131T120000Z-cpu.cpuprofile',
    sizeBytes: bytes.length,
    storedBytes: bytes.length,
    sha256: sha256(bytes),
    formats: ['cpuprofile', 'pprof', 'collapsed'],
    pinned: false,
  });
  expect(store.get(profile.id)).toEqual(profile);
  expect(fs.readFileSync(path.join(scratch.path, 'profiles', `${profile.id}.cpuprofile`))).toEqual(bytes);
  expect(await read(store, profile.id)).toEqual(bytes);
  expect(await read(store, profile.id, { start: 70_000, end: 200_001 })).toEqual(bytes.subarray(70_000, 200_001));
});

test('a heap snapshot is one gzip member at rest and plain, in any range, when read', async () => {
  await using scratch = scratchDirectory();
  await using store = await openStore(scratch.path);
  const bytes = pseudoSnapshot(1_500_000);
  const profile = await put(store, bytes, { kind: 'heap-snapshot' });
  expect(profile).toMatchObject({ sizeBytes: bytes.length, sha256: sha256(bytes), formats: ['heapsnapshot'] });
  expect(profile.storedBytes).toBeLessThan(bytes.length / 2);

  await using reader = await store.open(profile.id);
  const stored = await bytesOf(reader.stored());
  expect(stored.length).toBe(profile.storedBytes);
  expect(gunzipSync(stored)).toEqual(bytes);
  expect(stored.subarray(1).indexOf(Buffer.from([0x1f, 0x8b, 0x08, 0x00, 0, 0, 0, 0]))).toBe(-1);
  const ranges = [
    [0, 1],
    [0, bytes.length],
    [65_535, 65_537],
    [bytes.length - 1, bytes.length],
    [777_777, 777_777],
    [131_072, 1_000_001],
  ] as const;
  for (const [start, end] of ranges) {
    expect((await bytesOf(reader.plain({ start, end }))).equals(bytes.subarray(start, end)), `${start}-${end}`).toBe(
      true,
    );
  }
});

test('two streams of one reader and two readers run side by side', async () => {
  await using scratch = scratchDirectory();
  await using store = await openStore(scratch.path);
  const bytes = pseudoSnapshot(400_000);
  const { id } = await put(store, bytes, { kind: 'heap-snapshot' });
  await using first = await store.open(id);
  await using second = await store.open(id);
  const all = await Promise.all([first.plain(), first.plain(), second.plain()].map(bytesOf));
  expect(all.every((one) => one.equals(bytes))).toBe(true);
});

test('the buffer of a write may be reused as soon as the write has resolved', async () => {
  await using scratch = scratchDirectory();
  await using store = await openStore(scratch.path);
  for (const kind of ['cpu', 'heap-snapshot'] as const) {
    const writer = await store.create(sampleDraft({ kind }), { expectedBytes: 3_000_000 });
    const buffer = Buffer.alloc(300_000);
    const hash = createHash('sha256');
    for (let round = 0; round < 10; round++) {
      pseudoSnapshot(buffer.length, round + 1).copy(buffer);
      hash.update(buffer);
      await writer.write(buffer);
      buffer.fill(0);
    }
    const profile = await writer.finish(sampleOutcome());
    expect(profile.sha256).toBe(hash.digest('hex'));
    expect(sha256(await read(store, profile.id))).toBe(profile.sha256);
  }
});

test('an empty artifact is one too', async () => {
  await using scratch = scratchDirectory();
  await using store = await openStore(scratch.path);
  for (const kind of ['cpu', 'heap-snapshot', 'heap-sampling'] as const) {
    const { id, sizeBytes } = await put(store, new Uint8Array(), { kind });
    expect(sizeBytes).toBe(0);
    expect(await read(store, id)).toHaveLength(0);
  }
});

test('everything is private, and outlives a restart', async () => {
  await using scratch = scratchDirectory();
  const directory = path.join(scratch.path, 'a', 'data');
  const bytes = Buffer.from('{}');
  let id: string;
  {
    await using store = await openStore(directory);
    id = (await put(store, bytes)).id;
    store.patch(id, { pinned: true, labels: { ticket: 'OPS-1' } });
    expect(fs.statSync(directory).mode & 0o777).toBe(0o700);
    for (const file of filesBelow(directory)) {
      expect(fs.statSync(path.join(directory, file)).mode & 0o777, file).toBe(0o600);
    }
  }
  await using again = await openStore(directory);
  expect(again.get(id)).toMatchObject({ pinned: true, labels: { ticket: 'OPS-1' } });
  expect(await read(again, id)).toEqual(bytes);
});

test('abandoning removes the file, may be repeated, and does nothing after finish', async () => {
  await using scratch = scratchDirectory();
  await using store = await openStore(scratch.path);
  for (const kind of ['cpu', 'heap-snapshot'] as const) {
    const writer = await store.create(sampleDraft({ kind }), { expectedBytes: 10 });
    const written = writer.write(pseudoSnapshot(500_000)).catch((error: unknown) => error);
    await Promise.all([writer.abandon(), writer.abandon()]);
    await writer.abandon();
    await written;
    await expect(writer.write(Buffer.from('x'))).rejects.toMatchObject({ code: 'capture-abandoned' });
    await expect(writer.finish(sampleOutcome())).rejects.toMatchObject({ code: 'capture-abandoned' });
  }
  expect(filesBelow(path.join(scratch.path, 'tmp'))).toEqual([]);
  const writer = await store.create(sampleDraft(), { expectedBytes: 10 });
  const { id } = await writer.finish(sampleOutcome());
  await writer.abandon();
  expect(await read(store, id)).toHaveLength(0);
});

test('ids that are no ids are unknown before they can become paths', async () => {
  await using scratch = scratchDirectory();
  await using store = await openStore(path.join(scratch.path, 'data'));
  fs.writeFileSync(path.join(scratch.path, 'secret.cpuprofile'), '{}');
  const { id } = await put(store, Buffer.from('{}'));
  const bad = [
    '../secret',
    '../../secret',
    '%00',
    '\0',
    `${id}\0`,
    `${id}/`,
    id.toUpperCase(),
    '',
    '.',
    `../profiles/${id}`,
  ];
  for (const one of bad) {
    const unknown = expect.objectContaining({ code: 'unknown-profile' }) as unknown;
    expect(() => store.get(one), JSON.stringify(one)).toThrow(unknown);
    expect(() => store.patch(one, { pinned: true })).toThrow(unknown);
    await expect(store.open(one)).rejects.toMatchObject({ code: 'unknown-profile' });
    await expect(store.delete(one)).rejects.toMatchObject({ code: 'unknown-profile' });
  }
  expect(filesBelow(path.join(scratch.path, 'data', 'profiles'))).toHaveLength(2);
});

test('an artifact is neither deleted while it is read nor while it is pinned', async () => {
  await using scratch = scratchDirectory();
  await using store = await openStore(scratch.path);
  const deleted: string[] = [];
  store.on('deleted', (id) => deleted.push(id));
  const { id } = await put(store, pseudoSnapshot(300_000), { kind: 'heap-snapshot' });
  {
    await using reader = await store.open(id);
    const half = reader.plain({ start: 0, end: 150_000 });
    await expect(store.delete(id)).rejects.toMatchObject({ code: 'profile-in-use' });
    expect(await bytesOf(half)).toHaveLength(150_000);
    await expect(store.delete(id)).rejects.toMatchObject({ code: 'profile-in-use' });
  }
  store.patch(id, { pinned: true });
  await expect(store.delete(id)).rejects.toMatchObject({ code: 'profile-pinned' });
  store.patch(id, { pinned: false });
  await Promise.all([store.delete(id), expect(store.delete(id)).rejects.toMatchObject({ code: 'unknown-profile' })]);
  expect(deleted).toEqual([id]);
  expect(filesBelow(path.join(scratch.path, 'profiles'))).toEqual([]);
  expect(() => store.get(id)).toThrow(expect.objectContaining({ code: 'unknown-profile' }));
});

test('a download that is broken off lets the artifact go, and its stream ends', async () => {
  await using scratch = scratchDirectory();
  await using store = await openStore(scratch.path);
  for (const kind of ['cpu', 'heap-snapshot'] as const) {
    const { id } = await put(store, pseudoSnapshot(2_000_000), { kind });
    const reader = await store.open(id);
    const stream = reader.plain();
    for await (const _chunk of stream) break;
    const idle = reader.plain();
    const closed = new Promise((resolve) => idle.once('close', resolve));
    await Promise.all([reader[Symbol.asyncDispose](), reader[Symbol.asyncDispose]()]);
    await closed;
    await expect(bytesOf(reader.plain())).rejects.toMatchObject({ code: 'storage-failed' });
    await store.delete(id);
  }
});

test('a range outside the artifact is refused', async () => {
  await using scratch = scratchDirectory();
  await using store = await openStore(scratch.path);
  const { id } = await put(store, Buffer.alloc(10));
  await using reader = await store.open(id);
  for (const [start, end] of [
    [-1, 5],
    [0, 11],
    [6, 5],
    [NaN, 5],
  ] as const) {
    expect(() => reader.plain({ start, end })).toThrow(expect.objectContaining({ code: 'range-not-satisfiable' }));
  }
  expect(await bytesOf(reader.plain({ start: 10, end: 10 }))).toHaveLength(0);
});

test('one that is being written counts as in use', async () => {
  await using scratch = scratchDirectory();
  await using store = await openStore(scratch.path);
  const writer = await store.create(sampleDraft(), { expectedBytes: 10 });
  await expect(store.delete(writer.profileId)).rejects.toMatchObject({ code: 'profile-in-use' });
  await writer.abandon();
});

test('deleting many keeps pinned ones and those in use, and says how many', async () => {
  await using scratch = scratchDirectory();
  await using store = await openStore(scratch.path);
  const at = (minute: number) => ({ startedAt: `2026-01-31T12:0${minute}:00.000Z` });
  const one = await put(store, Buffer.from('{}'), at(1));
  const pinned = await put(store, Buffer.from('{}'), at(2));
  const inUse = await put(store, Buffer.from('{}'), at(3));
  const late = await put(store, Buffer.from('{}'), at(4));
  store.patch(pinned.id, { pinned: true });
  await using _reader = await store.open(inUse.id);
  await expect(store.deleteMany({})).rejects.toMatchObject({ code: 'invalid-request' });
  expect(await store.deleteMany({ before: '2026-01-31T13:04:00+01:00', kind: 'cpu' })).toEqual({
    deleted: [one.id],
    kept: { pinned: 1, inUse: 1 },
  });
  expect(store.list({}).profiles.map((profile) => profile.id)).toEqual([late.id, inUse.id, pinned.id]);
});

test('closing abandons what is being written, and later calls say so', async () => {
  await using scratch = scratchDirectory();
  const store = await openStore(scratch.path);
  const writer = await store.create(sampleDraft(), { expectedBytes: 10 });
  await writer.write(Buffer.from('half'));
  await Promise.all([store[Symbol.asyncDispose](), store[Symbol.asyncDispose]()]);
  await expect(writer.write(Buffer.from('x'))).rejects.toMatchObject({ code: 'capture-abandoned' });
  expect(filesBelow(path.join(scratch.path, 'tmp'))).toEqual([]);
  expect(() => store.list({})).toThrow(expect.objectContaining({ code: 'shutting-down' }));
  await expect(store.create(sampleDraft(), { expectedBytes: 1 })).rejects.toMatchObject({ code: 'shutting-down' });
});

test('events tell of each profile, each deletion, and what the disk holds after it', async () => {
  await using scratch = scratchDirectory();
  await using store = await openStore(scratch.path);
  const seen: string[] = [];
  store.on('profile', (profile) => seen.push(`profile ${profile.pinned}`));
  store.on('deleted', () => seen.push('deleted'));
  store.on('storage', (usage) => seen.push(`storage ${usage.profiles} ${usage.artifactBytes}`));
  const { id } = await put(store, Buffer.alloc(100));
  store.patch(id, { pinned: true });
  store.patch(id, { pinned: false });
  await store.delete(id);
  expect(seen).toEqual(['profile false', 'storage 1 100', 'profile true', 'profile false', 'deleted', 'storage 0 0']);
});

test(
  'storing and reading 200 MB keeps the memory of the whole process below 150 MiB',
  { timeout: 60_000 },
  async () => {
    for (const kind of ['heap-snapshot', 'cpu']) {
      await using scratch = scratchDirectory();
      await using child = startProgram('streams-a-big-artifact', [scratch.path, kind, '200000000']);
      const facts = JSON.parse((await child.end())[0] ?? '') as Record<'write' | 'whole' | 'tail', { peakMib: number }>;
      for (const phase of ['write', 'whole', 'tail'] as const) {
        expect(facts[phase].peakMib, `${kind} ${phase}`).toBeGreaterThan(20);
        expect(facts[phase].peakMib, `${kind} ${phase}`).toBeLessThan(150);
      }
    }
  },
);
