import fsp from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { BaselineState } from '../../agent/baseline/state.ts';
import { StateDirectory } from '../../agent/baseline/state-directory.ts';
import { VersionProfiles } from '../../agent/baseline/version-profiles.ts';
import { ProfileWorker } from '../../agent/capture/profile-worker.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import type { ArtifactReader } from '../../agent/store/store.ts';

const fixture = path.join(import.meta.dirname, '../fixtures/node/24.21.0/cpu-shapes.cpuprofile');
const { signal } = new AbortController();
const key = { service: 'shop', version: '1' };
const worker = new ProfileWorker();
afterAll(() => worker[Symbol.asyncDispose]());

let directory: string;
let warned: string[];
beforeEach(async () => {
  directory = await fsp.mkdtemp(path.join(tmpdir(), 'sidescope-state-'));
  warned = [];
});
afterEach(() => fsp.rm(directory, { recursive: true, force: true }));

/** One agent of several that share the directory. Every capture of its target is the same file. */
function openPod(): VersionProfiles {
  const note = (_: object, message: string): void => void warned.push(message);
  const log = { info: note, warn: note, error: note };
  const reader = { path: fixture, [Symbol.asyncDispose]: () => Promise.resolve() } as unknown as ArtifactReader;
  const store = { open: () => Promise.resolve(reader), sourcePositions: () => undefined };
  return new VersionProfiles({
    state: new BaselineState({ storage: new StateDirectory(directory), log }),
    store,
    worker,
    log,
  });
}

function capture(id: string): Profile {
  return { id, kind: 'cpu', thread: { kind: 'main' }, cpu: { samples: 1 } } as unknown as Profile;
}

async function files(): Promise<string[]> {
  const names = await fsp.readdir(directory, { recursive: true });
  return names.filter((name) => path.basename(name).startsWith('profile.'));
}

test('two pods of one version that add their profiles at once lose none, and leave few files', async () => {
  const [one, other] = [openPod(), openPod()];
  expect(await one.add(capture('first'), key, signal)).toBeGreaterThan(100);
  // Eight may wait; each pod makes one of them when it sees more than eight files.
  const addTen = async (pod: VersionProfiles): Promise<void> => {
    for (let round = 0; round < 10; round++) await pod.add(capture(String(round)), key, signal);
  };
  await Promise.all([addTen(one), addTen(other)]);
  expect([one.skipped, other.skipped]).toEqual([0, 0]);
  const diff = await other.diff(key, key, signal);
  expect(diff?.samplesAfter).toBe(21 * (await busySamplesOfOne()));
  expect((await files()).length).toBeLessThanOrEqual(9);
  expect(warned).toEqual([]);
});

async function busySamplesOfOne(): Promise<number> {
  const { tree } = await worker.sampleTree({ path: fixture, positions: undefined });
  const { diff } = await worker.diffMerged({ before: [tree], after: [tree], limit: 1 });
  return diff?.activeAfter ?? 0;
}

test('a profile is added once, and what waits beyond eight is counted as left out', async () => {
  const pod = openPod();
  const results = await Promise.all(
    Array.from({ length: 10 }, (_, index) => pod.add(capture(`${index}`), key, signal)),
  );
  expect(results.filter((samples) => samples !== undefined)).toHaveLength(8);
  expect(pod.skipped).toBe(2);
  expect(await pod.add(capture('0'), key, signal)).toBeUndefined();
  expect(pod.skipped).toBe(2);
});

test('a stored tree that is none, or of another format, is set aside; the others are compared', async () => {
  const pod = openPod();
  await pod.add(capture('good'), key, signal);
  const state = new BaselineState({
    storage: new StateDirectory(directory),
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  });
  await state.addProfile(key, {
    tree: Buffer.from('{"format":"sidescope-sample-tree","formatVersion":2}'),
    samples: 5,
  });
  const diff = await pod.diff(key, key, signal);
  expect(diff?.samplesAfter).toBeGreaterThan(100);
  expect((await files()).map((name) => path.basename(name)).sort()).toEqual([
    expect.stringMatching(/^profile\.[0-9a-z]+\.\d+\.gz$/),
    'profile.unusable',
  ]);
  expect(warned.join()).toContain('its format is 2, this agent reads 1');
});
