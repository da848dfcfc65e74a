import fsp from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BoundTally } from '../../agent/baseline/bound-tally.ts';
import { BaselineState } from '../../agent/baseline/state.ts';
import { StateDirectory } from '../../agent/baseline/state-directory.ts';
import { versionRecordSchema, type Baseline, type VersionRecord } from '../../protocol/rest/baseline.ts';

const at = '2026-01-31T12:00:00.000Z';
const baseline: Baseline = {
  kind: 'settled',
  from: at,
  to: at,
  takenAt: at,
  isLate: false,
  windowMs: 60_000,
  windows: 30,
  loadSource: 'unknown',
  measures: { cpu: { median: 0.3, noise: 0.01, low: 0.28, high: 0.32, windows: 30 } },
  routeRequests: {},
  series: [],
};

function record(version: string | null, changes: Partial<VersionRecord> = {}): VersionRecord {
  return versionRecordSchema.parse({
    format: 'sidescope-baseline',
    formatVersion: 1,
    service: 'shop',
    version,
    firstSeenAt: at,
    lastSeenAt: at,
    baseline,
    profileSamples: 0,
    ...changes,
  });
}

let directory: string;
let errors: string[];
let bounds: BoundTally;
beforeEach(async () => {
  directory = await fsp.mkdtemp(path.join(tmpdir(), 'sidescope-state-'));
  errors = [];
  bounds = new BoundTally();
});
afterEach(() => fsp.rm(directory, { recursive: true, force: true }));

function openState(where = directory): BaselineState {
  const error = (facts: object, message: string) => void errors.push(`${message} ${JSON.stringify(facts)}`);
  const log = { info: () => undefined, warn: () => undefined, error };
  return new BaselineState({ storage: new StateDirectory(where), log, bounds });
}

async function files(): Promise<string[]> {
  return (await fsp.readdir(directory, { recursive: true }))
    .filter((name) => /\.\w+$/.test(path.basename(name)))
    .sort();
}

test('what one agent wrote another one reads, of every version, oldest first', async () => {
  await openState().write(record('2.0.0', { firstSeenAt: '2026-02-01T00:00:00.000Z' }));
  await openState().write(record('1.0.0'));
  const other = openState();
  expect(await other.read({ service: 'shop', version: '2.0.0' })).toEqual(
    record('2.0.0', { firstSeenAt: '2026-02-01T00:00:00.000Z' }),
  );
  expect((await other.versions('shop')).map(({ version }) => version)).toEqual(['1.0.0', '2.0.0']);
  expect(await other.versions('till')).toEqual([]);
  expect(await other.read({ service: 'shop', version: '3' })).toBeUndefined();
  expect([other.problem, errors]).toEqual([undefined, []]);
});

test('names that are paths, or look alike, are neither', async () => {
  const state = openState();
  const services = ['../../etc', '..', 'a/b', 'a_b', 'ä'.repeat(300), ''];
  for (const service of services)
    expect(await state.write({ ...record('1'), service, version: service })).toMatchObject({ service });
  for (const service of services) expect((await state.read({ service, version: service }))?.service).toBe(service);
  expect(await fsp.readdir(directory)).toHaveLength(services.length);
  expect((await files()).every((name) => name.split(path.sep).length === 3)).toBe(true);
});

test.each([
  ['cut short', '{"format":"sidescope-base', /Invalid input/],
  ['of another format version', JSON.stringify({ ...record('1'), formatVersion: 2 }), /formatVersion/],
  ['something else', '[]', /the file/],
  ['with a number that is none', JSON.stringify(record('1')).replace('0.3', 'null'), /measures\.cpu\.median/],
])('a record that is %s is set aside, said loudly, and made anew', async (_, text, why) => {
  const state = openState();
  await state.write(record('1'));
  const [name = ''] = await files();
  await fsp.writeFile(path.join(directory, name), text);
  expect(await state.versions('shop')).toEqual([]);
  expect(errors).toHaveLength(1);
  expect(errors[0]).toMatch(why);
  expect(state.problem).toMatch(/was set aside as .*baseline\.unusable: /);
  expect(await files()).toEqual([path.join(path.dirname(name), 'baseline.unusable')]);
  expect(await state.write(record('1'))).toEqual(record('1'));
  expect(await state.read({ service: 'shop', version: '1' })).toEqual(record('1'));
});

test('profiles come back as they were written, each under its own name; a damaged one is set aside', async () => {
  const state = openState();
  const key = { service: 'shop', version: '1' };
  expect(await state.readProfiles(key)).toEqual([]);
  const tree = new TextEncoder().encode('{"tree":1}'.repeat(1_000));
  expect(await state.addProfile(key, { tree, samples: 30 })).toEqual({ files: 1, samples: 30 });
  expect(await openState().addProfile(key, { tree, samples: 12 })).toEqual({ files: 2, samples: 42 });
  const found = await state.readProfiles(key);
  expect(found.map((profile) => Buffer.from(profile.tree))).toEqual([Buffer.from(tree), Buffer.from(tree)]);
  const [name = ''] = await files();
  await fsp.truncate(path.join(directory, name), 20);
  expect(await state.readProfiles(key)).toHaveLength(1);
  expect((await files()).map((file) => path.basename(file))).toContain('profile.unusable');
  expect(state.problem).toContain('set aside as');
});

test('of profiles that two agents merged at once each counts once, and none is lost in a crash between', async () => {
  const key = { service: 'shop', version: '1' };
  const [one, other] = [openState(), openState()];
  const tree = new TextEncoder().encode('{}');
  for (let index = 0; index < 4; index++) await one.addProfile(key, { tree, samples: 10 });
  const [seenByOne, seenByOther] = [await one.readProfiles(key), await other.readProfiles(key)];
  // The other one sees one more, which came in between.
  await one.addProfile(key, { tree, samples: 5 });
  const later = await other.readProfiles(key);
  expect([seenByOne.length, seenByOther.length, later.length]).toEqual([4, 4, 5]);
  await Promise.all([
    one.replaceProfiles(key, { profiles: seenByOne, tree, samples: 40 }),
    other.replaceProfiles(key, { profiles: later, tree, samples: 45 }),
  ]);
  const left = await one.readProfiles(key);
  expect(left.map(({ sources }) => sources.length)).toEqual([5]);
  // What was in it is gone as well, for everybody.
  expect((await files()).filter((file) => file.includes('profile.'))).toHaveLength(1);
  // A crash after the write leaves what was merged: it is in the other.
  await one.addProfile(key, { tree, samples: 1 });
  const both = await one.readProfiles(key);
  const [name = ''] = (await files()).filter((file) => file.endsWith('.1.gz'));
  const copy = await fsp.readFile(path.join(directory, name));
  await one.replaceProfiles(key, { profiles: both, tree, samples: 46 });
  await fsp.writeFile(path.join(directory, name), copy);
  expect((await other.readProfiles(key)).map(({ sources }) => sources.length)).toEqual([6]);
  expect([errors, await files()]).toEqual([[], [expect.stringMatching(/profile\.[0-9a-z]+\.46\.gz$/)]]);
});

test('records that two agents write at once are joined, whoever is read first', async () => {
  const [one, other] = [openState(), openState()];
  const earlier = '2026-01-31T11:00:00.000Z';
  const provisional = record('1', { baseline: { ...baseline, kind: 'provisional' }, profileSamples: 7 });
  await Promise.all([
    one.write(provisional),
    other.write(record('1', { firstSeenAt: earlier })),
    openState().write(record('1', { baseline: null })),
  ]);
  const joined = record('1', { firstSeenAt: earlier, profileSamples: 7 });
  expect(await one.read({ service: 'shop', version: '1' })).toEqual(joined);
  await one.write(record('1', { lastSeenAt: '2026-02-01T00:00:00.000Z' }));
  expect(await files()).toHaveLength(1);
  expect(await openState().read({ service: 'shop', version: '1' })).toEqual({
    ...joined,
    lastSeenAt: '2026-02-01T00:00:00.000Z',
  });
});

test('a directory that is gone, or a file in its place, is told once, and again when it works', async () => {
  const where = path.join(directory, 'volume');
  const state = openState(where);
  expect(await state.write(record('1'))).toEqual(record('1'));
  await fsp.rm(where, { recursive: true });
  await fsp.writeFile(where, 'not a directory');
  expect(await state.write(record('1'))).toBeUndefined();
  expect(
    await state.addProfile({ service: 'shop', version: '1' }, { tree: new Uint8Array(), samples: 1 }),
  ).toBeUndefined();
  expect(await state.versions('shop')).toEqual([]);
  expect(state.problem).toMatch(/failed: (ENOTDIR|EEXIST)/);
  expect(errors).toHaveLength(1);
  await fsp.rm(where);
  expect(await state.write(record('1'))).toEqual(record('1'));
  expect(state.problem).toBeUndefined();
});

test('twenty versions are kept, those seen last; the others are counted', async () => {
  const state = openState();
  for (let version = 0; version <= 24; version++) {
    await state.addProfile({ service: 'shop', version: `v${version}` }, { tree: new Uint8Array(1), samples: 1 });
    await state.write(record(`v${version}`, { firstSeenAt: new Date(Date.parse(at) + version * 1_000).toISOString() }));
  }
  const versions = (await state.versions('shop')).map(({ version }) => version);
  expect(versions).toEqual(Array.from({ length: 20 }, (_, index) => `v${index + 5}`));
  expect(bounds.count('state-versions')).toBe(5);
  expect(await files()).toHaveLength(40);
});

test('two hundred services are kept, and the next one is told why it is not', async () => {
  for (let service = 0; service < 200; service++) await fsp.mkdir(path.join(directory, `s${service}-0`));
  const state = openState();
  expect(await state.write(record('1'))).toBeUndefined();
  expect(state.problem).toBe('writing a baseline failed: there are 200 services in it, the limit is 200');
  expect(bounds.count('state-services')).toBe(1);
});

test('a baseline whose series are too long is kept without them, which is counted', async () => {
  const state = openState();
  const series = Array.from({ length: 2_000 }, (_, index) => ({
    name: 'x',
    labels: { query: `${index} ${'select '.repeat(200)}` },
    value: 1,
    ratePerSecond: null,
  }));
  await state.write(record('1', { baseline: { ...baseline, series } }));
  expect((await openState().read({ service: 'shop', version: '1' }))?.baseline).toEqual(baseline);
  expect([bounds.count('state-series'), errors]).toEqual([1, []]);
});

test('writes of one record by one agent do not overtake each other', async () => {
  const state = openState();
  const writes = Array.from({ length: 20 }, (_, samples) => state.write(record('1', { profileSamples: samples })));
  await Promise.all(writes);
  expect((await state.read({ service: 'shop', version: '1' }))?.profileSamples).toBe(19);
  expect(await files()).toHaveLength(1);
});

test('storage that does not answer is left when the agent stops', async () => {
  const never = (_: unknown, { signal }: { signal: AbortSignal }): Promise<never> =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
  const storage = { location: 'nfs', folders: never, files: never, read: never, delete: never };
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const state = new BaselineState({ storage: { ...storage, write: (_, __, options) => never(_, options) }, log });
  const reading = state.read({ service: 'shop', version: '1' });
  state.stop(1);
  expect(await reading).toBeUndefined();
  expect(state.problem).toBe('reading a baseline failed: the agent is stopping');
});
