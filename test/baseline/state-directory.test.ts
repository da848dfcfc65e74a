import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import fsp from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { StateDirectory } from '../../agent/baseline/state-directory.ts';
import { waitFor } from '../support/wait-for.ts';

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

// Reading a pipe waits for who writes to it, as a call to a volume that is away waits for its server.
test('a volume that does not answer holds one thread, and is asked again when it does', async () => {
  const storage = new StateDirectory(directory, { hangMs: 20 });
  await storage.write('shop/well', bytesOf('well'), { signal });
  const pipe = path.join(directory, 'shop', 'away');
  execFileSync('mkfifo', [pipe]);
  const stop = new AbortController();
  const given = { bytesMax: 1_000, signal: stop.signal };
  const left = Array.from({ length: 6 }, () => storage.read('shop/away', given));
  const writer = await waitFor(() => openOfReader(pipe), { message: 'the first to read' });
  await waitFor(() => storage.hangs, { message: 'that to take long' });
  // With six of them no thread would be left for this.
  await fsp.stat(directory);
  const reason = new Error('no end in time');
  stop.abort(reason);
  const outcomes = await Promise.allSettled(left);
  expect(outcomes).toEqual(left.map(() => ({ status: 'rejected', reason })));
  await expect(storage.files('', some)).rejects.toThrow(
    `${directory} does not answer: reading has not ended since an earlier attempt`,
  );

  closeSync(writer);
  await waitFor(() => !storage.hangs, { message: 'the call to end' });
  expect(await textOf(storage, 'shop/well')).toBe('well');
});

/** Undefined while nobody reads it. */
function openOfReader(pipe: string): number | undefined {
  try {
    return openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error;
    return undefined;
  }
}
