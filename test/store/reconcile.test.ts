import fs from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { newId } from '../../agent/store/id.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import type { Scratch } from './sample.ts';
import { filesBelow, openStore, pseudoSnapshot, put, read, recordingLog, scratchDirectory } from './sample.ts';

const snapshotBytes = pseudoSnapshot(300_000);
const cpuBytes = Buffer.from('{"nodes":[]}');

interface Left extends AsyncDisposable {
  readonly scratch: Scratch;
  readonly cpu: Profile;
  readonly snapshot: Profile;
  file(name: string): string;
}

/** A directory that a store has left with one artifact of either form. */
async function leftBehind(): Promise<Left> {
  await using undo = new AsyncDisposableStack();
  const scratch = undo.use(scratchDirectory());
  await using store = await openStore(scratch.path);
  const cpu = await put(store, cpuBytes);
  const snapshot = await put(store, snapshotBytes, { kind: 'heap-snapshot' });
  store.patch(cpu.id, { pinned: true });
  undo.move();
  return {
    scratch,
    cpu: store.get(cpu.id),
    snapshot,
    file: (name) => path.join(scratch.path, name),
    [Symbol.asyncDispose]: () => scratch[Symbol.asyncDispose](),
  };
}

function changeRows(left: Left, sql: string): void {
  const database = new DatabaseSync(left.file('index.sqlite'));
  database.exec(sql);
  database.close();
}

const ids = (...profiles: Profile[]): unknown =>
  profiles.map((profile) => expect.objectContaining({ id: profile.id }) as unknown);

test('artifacts without a row are indexed again, pins and labels included', async () => {
  await using left = await leftBehind();
  changeRows(left, 'DELETE FROM profiles');
  await using store = await openStore(left.scratch.path);
  expect(store.list({}).profiles).toEqual([left.snapshot, left.cpu]);
  expect(store.stats().reindexed).toBe(2);
  expect(await read(store, left.snapshot.id)).toEqual(snapshotBytes);
});

test('a corrupt index is set aside, logged, and made again from the files', async () => {
  const damages: ((file: string) => void)[] = [
    (file) => fs.writeFileSync(file, 'this is no database, and long enough to be looked at'.repeat(100)),
    (file) => {
      const handle = fs.openSync(file, 'r+');
      fs.writeSync(handle, Buffer.alloc(3000, 0xa5), 0, 3000, 4096 + 500);
      fs.closeSync(handle);
    },
    (file) => fs.truncateSync(file, 5000),
  ];
  for (const damage of damages) {
    await using left = await leftBehind();
    damage(left.file('index.sqlite'));
    const log = recordingLog();
    {
      await using store = await openStore(left.scratch.path, { log });
      expect(store.list({}).profiles).toEqual([left.snapshot, left.cpu]);
      expect(log.lines[0]).toMatchObject({ level: 'error', message: expect.stringContaining('corrupt') as string });
      expect(filesBelow(left.file('aside'))[0]).toContain('index.sqlite.corrupt-');
    }
    // Kept for one run to look at, so that it cannot fill the disk.
    await using _again = await openStore(left.scratch.path);
    expect(filesBelow(left.file('aside'))).toEqual([]);
  }
});

test('an index that was deleted is made again', async () => {
  await using left = await leftBehind();
  fs.rmSync(left.file('index.sqlite'));
  await using store = await openStore(left.scratch.path);
  expect(store.list({}).profiles).toEqual([left.snapshot, left.cpu]);
});

test('a row without its file is removed and logged', async () => {
  await using left = await leftBehind();
  fs.rmSync(left.file(`profiles/${left.cpu.id}.cpuprofile`));
  const log = recordingLog();
  await using store = await openStore(left.scratch.path, { log });
  expect(store.list({}).profiles).toEqual(ids(left.snapshot));
  expect(log.lines).toMatchObject([{ level: 'error', facts: { profileId: left.cpu.id, problem: 'the file is gone' } }]);
  expect(filesBelow(left.file('profiles'))).toHaveLength(2);
});

test('an agent that ended between the two renames has its artifact recovered', async () => {
  await using left = await leftBehind();
  changeRows(left, 'DELETE FROM profiles');
  for (const name of [`${left.cpu.id}.cpuprofile`, `${left.snapshot.id}.heapsnapshot.gz`]) {
    fs.renameSync(left.file(`profiles/${name}`), left.file(`tmp/${name}`));
  }
  await using store = await openStore(left.scratch.path);
  expect(await read(store, left.cpu.id)).toEqual(cpuBytes);
  expect(await read(store, left.snapshot.id)).toEqual(snapshotBytes);
  expect(store.stats()).toMatchObject({ reindexed: 2, orphansRemoved: 0 });
});

test('metadata alone, artifacts alone, and changed artifacts are set aside and never listed', async () => {
  const cases: [string, (left: Left, artifact: string, metadata: string) => void][] = [
    ['metadata without an artifact', (_left, artifact) => fs.rmSync(artifact)],
    ['no readable metadata beside it', (_left, _artifact, metadata) => fs.rmSync(metadata)],
    ['no readable metadata beside it', (_left, _artifact, metadata) => fs.writeFileSync(metadata, '{"id":')],
    ['bytes instead of', (_left, artifact) => fs.truncateSync(artifact, 7)],
    ['SHA-256', (_left, artifact) => fs.writeFileSync(artifact, '{"nodes":{}}')],
  ];
  for (const [problem, damage] of cases) {
    await using left = await leftBehind();
    changeRows(left, `DELETE FROM profiles WHERE id = '${left.cpu.id}'`);
    damage(left, left.file(`profiles/${left.cpu.id}.cpuprofile`), left.file(`profiles/${left.cpu.id}.json`));
    const log = recordingLog();
    await using store = await openStore(left.scratch.path, { log });
    expect(store.list({}).profiles, problem).toEqual(ids(left.snapshot));
    expect(filesBelow(left.file('profiles')), problem).toHaveLength(2);
    expect(log.lines.map((line) => String(line.facts['problem'])).join()).toContain(problem);
  }
});

test('a lost metadata file is written again from the index', async () => {
  await using left = await leftBehind();
  fs.rmSync(left.file(`profiles/${left.cpu.id}.json`));
  {
    await using store = await openStore(left.scratch.path);
    expect(store.list({}).total).toBe(2);
  }
  changeRows(left, 'DELETE FROM profiles');
  await using store = await openStore(left.scratch.path);
  expect(store.get(left.cpu.id)).toEqual(left.cpu);
});

test('strange files in the directories are set aside or removed, links never followed', async () => {
  await using left = await leftBehind();
  const outside = left.file('outside');
  fs.writeFileSync(outside, 'keep');
  fs.symlinkSync(outside, left.file(`profiles/${newId()}.cpuprofile`));
  fs.symlinkSync(outside, left.file(`profiles/${newId()}.json`));
  fs.symlinkSync(outside, left.file(`tmp/${newId()}.cpuprofile`));
  fs.writeFileSync(left.file('profiles/notes.txt'), 'notes');
  fs.mkdirSync(left.file('tmp/deep/er'), { recursive: true });
  await using store = await openStore(left.scratch.path);
  expect(store.list({}).total).toBe(2);
  expect(filesBelow(left.file('profiles'))).toHaveLength(4);
  expect(filesBelow(left.file('tmp'))).toEqual([]);
  expect(filesBelow(left.file('aside'))).toEqual(['notes.txt']);
  expect(fs.readFileSync(outside, 'utf8')).toBe('keep');
});

test('an artifact that is truncated while the store runs is reported as damaged, not sent', async () => {
  await using left = await leftBehind();
  await using store = await openStore(left.scratch.path);
  const file = left.file(`profiles/${left.snapshot.id}.heapsnapshot.gz`);
  await using reader = await store.open(left.snapshot.id);
  fs.truncateSync(file, left.snapshot.storedBytes - 10);
  await expect(reader.plain().toArray()).rejects.toMatchObject({ code: 'damaged-profile' });
  await expect(reader.stored()?.toArray()).rejects.toMatchObject({ code: 'damaged-profile' });
  await expect(store.open(left.snapshot.id)).rejects.toMatchObject({ code: 'damaged-profile' });
});

test('one changed byte makes a whole read fail before its last bytes are out', async () => {
  await using left = await leftBehind();
  await using store = await openStore(left.scratch.path);
  for (const profile of [left.cpu, left.snapshot]) {
    const name = profile.kind === 'cpu' ? `${profile.id}.cpuprofile` : `${profile.id}.heapsnapshot.gz`;
    const handle = fs.openSync(left.file(`profiles/${name}`), 'r+');
    fs.writeSync(handle, Buffer.from([0x21]), 0, 1, Math.floor(profile.storedBytes / 2));
    fs.closeSync(handle);
    await using reader = await store.open(profile.id);
    let seen = 0;
    const reading = (async () => {
      for await (const chunk of reader.plain() as AsyncIterable<Buffer>) seen += chunk.length;
    })();
    await expect(reading).rejects.toMatchObject({ code: 'damaged-profile' });
    expect(seen).toBeLessThan(profile.sizeBytes);
  }
});
