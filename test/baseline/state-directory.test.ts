import fsp from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { StateDirectory } from '../../agent/baseline/state-directory.ts';

const { signal } = new AbortController();
const some = { max: 100, signal };
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

let directory: string;
beforeEach(async () => {
  directory = await fsp.mkdtemp(path.join(tmpdir(), 'sidescope-state-'));
});
afterEach(() => fsp.rm(directory, { recursive: true, force: true }));

async function textOf(storage: StateDirectory, name: string): Promise<string | undefined> {
  const bytes = await storage.read(name, { bytesMax: 1_000, signal });
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

test('what one agent writes others list and read; with its last file a folder goes', async () => {
  const [one, other] = [new StateDirectory(directory), new StateDirectory(directory)];
  await one.write('shop/1/a.json', bytesOf('first'), { signal });
  await one.write('shop/1/a.json', bytesOf('second'), { signal });
  await one.write('shop/2/b.json', bytesOf('b'), { signal });
  expect((await other.folders('shop/', some)).sort()).toEqual(['1', '2']);
  const files = await other.files('', some);
  expect(files.sort((a, b) => a.name.localeCompare(b.name))).toEqual([
    { name: 'shop/1/a.json', sizeBytes: 6 },
    { name: 'shop/2/b.json', sizeBytes: 1 },
  ]);
  expect(await textOf(other, 'shop/1/a.json')).toBe('second');
  await other.delete('shop/2/b.json', { signal });
  await other.delete('shop/2/b.json', { signal });
  expect(await one.folders('shop/', some)).toEqual(['1']);
  expect(await textOf(one, 'shop/2/b.json')).toBeUndefined();
});

test('a directory that is not there is empty; one that is a file is an error', async () => {
  const storage = new StateDirectory(path.join(directory, 'volume'));
  expect([await storage.folders('', some), await storage.files('shop/', some)]).toEqual([[], []]);
  await fsp.writeFile(path.join(directory, 'volume'), 'not a directory');
  await expect(storage.files('shop/', some)).rejects.toThrow('ENOTDIR');
  await expect(storage.write('shop/a', bytesOf('a'), { signal })).rejects.toThrow(/ENOTDIR|EEXIST/);
});

test('lists and reads are bounded, and what others put there is passed over', async () => {
  const storage = new StateDirectory(directory);
  for (const name of ['a', 'b', 'c']) await storage.write(`shop/${name}`, bytesOf('0123456789'), { signal });
  await fsp.mkdir(path.join(directory, '.trash'));
  await fsp.writeFile(path.join(directory, 'lost and found'), '');
  expect(await storage.files('', some)).toHaveLength(3);
  expect(await storage.folders('', some)).toEqual(['shop']);
  expect(await storage.files('', { max: 2, signal })).toHaveLength(2);
  await expect(storage.read('shop/a', { bytesMax: 9, signal })).rejects.toThrow('has 10 B, the limit is 9 B');
});

test('what a crash left of a write is no file, and goes after an hour', async () => {
  const storage = new StateDirectory(directory);
  await storage.write('shop/a', bytesOf('a'), { signal });
  for (const name of ['a.1.tmp', 'a.2.tmp']) await fsp.writeFile(path.join(directory, 'shop', name), '');
  await fsp.utimes(path.join(directory, 'shop/a.1.tmp'), 0, 0);
  expect(await storage.files('', some)).toEqual([{ name: 'shop/a', sizeBytes: 1 }]);
  expect((await fsp.readdir(path.join(directory, 'shop'))).sort()).toEqual(['a', 'a.2.tmp']);
});

test.each(['../a', 'a/../b', '/a', 'a//b', '', '.hidden', 'a\\b', 'ä'])('%j is no name', async (name) => {
  const storage = new StateDirectory(directory);
  await expect(storage.read(name, { bytesMax: 1, signal })).rejects.toThrow('not a name of a state file');
  await expect(storage.write(name, bytesOf(''), { signal })).rejects.toThrow('not a name of a state file');
});

test('a call that was given up rejects with the reason', async () => {
  const reason = new Error('the agent is stopping');
  const given = { max: 1, signal: AbortSignal.abort(reason) };
  await expect(new StateDirectory(directory).files('', given)).rejects.toBe(reason);
});
