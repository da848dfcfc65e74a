import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { openStoreOrFallBack } from '../../agent/store/open-or-fall-back.ts';
import { startOnMount, startProgram } from './child.ts';
import { filesBelow, openStore, put, read, recordingLog, scratchDirectory } from './sample.ts';

const options = { budgetBytes: 1e9, retentionCount: 0, retentionAgeMs: 0 };

test(
  'after SIGKILL at any moment every announced artifact is whole and nothing half is left',
  { timeout: 60_000 },
  async () => {
    for (let round = 0; round < 6; round++) {
      await using scratch = scratchDirectory();
      await using child = startProgram('writes-until-killed', [scratch.path]);
      const announced = [];
      for (let count = 0; count <= round * 3; count++) announced.push(await child.line());
      announced.push(...(await child.kill()));

      await using store = await openStore(scratch.path);
      const { profiles } = store.list({ limit: 500 });
      expect(profiles.map((profile) => profile.id)).toEqual(expect.arrayContaining(announced.slice(0, 400)));
      // At most the one that was in its last step when the process died.
      expect(store.list({}).total - announced.length).toBeOneOf([0, 1]);
      for (const profile of profiles) expect(await read(store, profile.id)).toHaveLength(20_000);
      expect(filesBelow(path.join(scratch.path, 'tmp'))).toEqual([]);
      expect(store.stats().orphansRemoved).toBeGreaterThanOrEqual(2);
      expect(store.loadOperations()).toMatchObject([
        { id: 'op-1', state: 'failed', error: { code: 'agent-restarted' }, progress: { fraction: 0.5 } },
      ]);
    }
  },
);

test('a full disk fails the capture, removes its file and leaves the store usable', async () => {
  await using scratch = scratchDirectory();
  await using child = startOnMount('fills-the-disk', {
    directory: scratch.path,
    mount: 'mount -t tmpfs -o size=2m tmpfs "$1"',
  });
  const facts = (await child.end()).map((line) => JSON.parse(line) as unknown);
  expect(facts).toEqual([
    { kind: 'cpu', failed: 'disk-full', again: 'disk-full', temporary: [] },
    { kind: 'heap-snapshot', failed: 'disk-full', again: 'disk-full', temporary: [] },
    { tooBig: 'disk-full', kept: 1 },
    { finished: 'disk-full', files: [], kept: 1 },
    { reopenedWith: 1, operations: ['failed'] },
    { later: true, first: true },
  ]);
});

test('a read-only directory is unusable, whether it was used before or not', async () => {
  for (const isUsed of [false, true]) {
    await using scratch = scratchDirectory();
    if (isUsed) {
      await using store = await openStore(scratch.path);
      await put(store, Buffer.from('{}'));
    }
    const mount = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"';
    await using child = startOnMount('holds-the-lock', { directory: scratch.path, mount });
    expect(await child.end()).toEqual(['data-directory-unusable']);
  }
});

test('a file, or a directory below a file, is unusable', async () => {
  await using scratch = scratchDirectory();
  fs.writeFileSync(path.join(scratch.path, 'file'), '');
  for (const directory of ['file', 'file/below']) {
    await expect(openStore(path.join(scratch.path, directory))).rejects.toMatchObject({
      code: 'data-directory-unusable',
    });
  }
});

test('a second store on one directory is refused, in this process and in another, until the first has ended', async () => {
  await using scratch = scratchDirectory();
  {
    await using _first = await openStore(scratch.path);
    // Twice: a failed attempt must not drop the lock of the first.
    await expect(openStore(scratch.path)).rejects.toMatchObject({ code: 'data-directory-locked' });
    await expect(openStore(scratch.path)).rejects.toMatchObject({ code: 'data-directory-locked' });
    await using other = startProgram('holds-the-lock', [scratch.path]);
    expect(await other.line()).toBe('data-directory-locked');
  }
  await using other = startProgram('holds-the-lock', [scratch.path]);
  expect(await other.line()).toBe('open');
  await expect(openStore(scratch.path)).rejects.toMatchObject({ code: 'data-directory-locked' });
  await other.kill();
  await using _again = await openStore(scratch.path);
});

test('only the default directory falls back to a temporary one, which goes with the store', async () => {
  await using scratch = scratchDirectory();
  const directory = path.join(scratch.path, 'data');
  await using _first = await openStore(directory);
  const log = recordingLog();
  const request = { ...options, directory, log, temporaryRoot: scratch.path };
  await expect(openStoreOrFallBack({ ...request, explicit: true })).rejects.toMatchObject({
    code: 'data-directory-locked',
  });
  let fallback: string;
  {
    await using opened = await openStoreOrFallBack({ ...request, explicit: false });
    expect(opened.fallbackReason).toMatchObject({ code: 'data-directory-locked' });
    expect(opened.store.usage()).toMatchObject({ temporary: true });
    fallback = opened.store.usage().directory;
    const { id } = await put(opened.store, Buffer.from('{}'));
    expect(await read(opened.store, id)).toHaveLength(2);
  }
  expect(fs.existsSync(fallback)).toBe(false);
  expect(log.lines.map((line) => line.level)).toEqual(['warn']);

  await using plain = await openStoreOrFallBack({
    ...request,
    directory: path.join(scratch.path, 'b'),
    explicit: false,
  });
  expect(plain.fallbackReason).toBeUndefined();
  expect(plain.store.usage()).toMatchObject({ temporary: false });
});

test('falling back removes what killed agents left, and nothing that is in use or not a store', async () => {
  await using scratch = scratchDirectory();
  const directory = path.join(scratch.path, 'data');
  await using _blocking = await openStore(directory);
  const made = (name: string): string => path.join(scratch.path, name);
  await using killed = startProgram('holds-the-lock', [made('sidescope-aaaaaa')]);
  await using living = startProgram('holds-the-lock', [made('sidescope-bbbbbb')]);
  expect([await killed.line(), await living.line()]).toEqual(['open', 'open']);
  await killed.kill();
  fs.mkdirSync(made('sidescope-cccccc'));
  fs.symlinkSync(directory, made('sidescope-dddddd'));

  const request = { ...options, directory, explicit: false, log: recordingLog(), temporaryRoot: scratch.path };
  await using _opened = await openStoreOrFallBack(request);
  expect(fs.existsSync(made('sidescope-aaaaaa'))).toBe(false);
  for (const name of ['sidescope-bbbbbb/lock.sqlite', 'sidescope-cccccc', 'sidescope-dddddd', 'data/lock.sqlite']) {
    expect(fs.existsSync(made(name)), name).toBe(true);
  }
});

test('a directory with files of others in it keeps its mode; the ones made in it are private', async () => {
  await using scratch = scratchDirectory();
  fs.writeFileSync(path.join(scratch.path, 'notes.txt'), 'mine');
  fs.chmodSync(scratch.path, 0o755);
  const log = recordingLog();
  await using _store = await openStore(scratch.path, { log });
  expect(fs.statSync(scratch.path).mode & 0o777).toBe(0o755);
  for (const name of ['profiles', 'tmp', 'aside']) {
    expect(fs.statSync(path.join(scratch.path, name)).mode & 0o777).toBe(0o700);
  }
  expect(log.lines).toMatchObject([{ level: 'warn', facts: { mode: '755' } }]);
  expect(fs.readFileSync(path.join(scratch.path, 'notes.txt'), 'utf8')).toBe('mine');
});

test('a link in the place of a directory or database of ours is refused', async () => {
  for (const name of ['profiles', 'tmp', 'aside', 'index.sqlite', 'lock.sqlite']) {
    await using scratch = scratchDirectory();
    const outside = path.join(scratch.path, 'outside');
    if (name.includes('.')) fs.writeFileSync(outside, '');
    else fs.mkdirSync(outside);
    fs.mkdirSync(path.join(scratch.path, 'data'));
    fs.symlinkSync(outside, path.join(scratch.path, 'data', name));
    await expect(openStore(path.join(scratch.path, 'data')), name).rejects.toMatchObject({
      code: 'data-directory-unusable',
      message: expect.stringContaining('symbolic link') as string,
    });
  }
});

test('a link planted where an artifact was is not followed, neither now nor after a restart', async () => {
  await using scratch = scratchDirectory();
  const secret = path.join(scratch.path, 'secret');
  const directory = path.join(scratch.path, 'data');
  let file: string;
  {
    await using store = await openStore(directory);
    const { id } = await put(store, Buffer.from('12345678'));
    fs.writeFileSync(secret, 'password');
    file = path.join(directory, 'profiles', `${id}.cpuprofile`);
    fs.rmSync(file);
    fs.symlinkSync(secret, file);
    await expect(store.open(id)).rejects.toMatchObject({ code: 'damaged-profile' });
  }
  const log = recordingLog();
  await using again = await openStore(directory, { log });
  expect(again.list({}).total).toBe(0);
  expect(fs.lstatSync(file, { throwIfNoEntry: false })).toBeUndefined();
  expect(fs.readFileSync(secret, 'utf8')).toBe('password');
  expect(log.lines).toMatchObject([{ level: 'error', facts: { problem: 'not a regular file' } }]);
});
