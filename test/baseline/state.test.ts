import fsp from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BaselineState } from '../../agent/baseline/state.ts';
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
beforeEach(async () => {
  directory = await fsp.mkdtemp(path.join(tmpdir(), 'sidescope-state-'));
  errors = [];
});
afterEach(() => fsp.rm(directory, { recursive: true, force: true }));

function openState(where = directory): BaselineState {
  const error = (facts: object, message: string) => void errors.push(`${message} ${JSON.stringify(facts)}`);
  return new BaselineState({ directory: where, log: { info: () => undefined, warn: () => undefined, error } });
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
  for (const service of services) expect(await state.write({ ...record('1'), service, version: service })).toBe(true);
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
  expect(state.problem).toContain('set aside as *.unusable');
  expect(await files()).toEqual([`${name}.unusable`]);
  expect(await state.write(record('1'))).toBe(true);
  expect(await state.read({ service: 'shop', version: '1' })).toEqual(record('1'));
});

test('a merged profile comes back as it was written; a damaged one is set aside', async () => {
  const state = openState();
  const key = { service: 'shop', version: '1' };
  expect(await state.readProfile(key)).toBeUndefined();
  const tree = new TextEncoder().encode('{"tree":1}'.repeat(1_000));
  expect(await state.writeProfile(key, tree)).toBe(true);
  expect(Buffer.from((await state.readProfile(key)) ?? [])).toEqual(Buffer.from(tree));
  const [name = ''] = await files();
  await fsp.truncate(path.join(directory, name), 20);
  expect(await state.readProfile(key)).toBeUndefined();
  expect(await files()).toEqual([`${name}.unusable`]);
});

test('a directory that is gone, or a file in its place, is told once, and again when it works', async () => {
  const where = path.join(directory, 'volume');
  const state = openState(where);
  expect(await state.write(record('1'))).toBe(true);
  await fsp.rm(where, { recursive: true });
  await fsp.writeFile(where, 'not a directory');
  expect(await state.write(record('1'))).toBe(false);
  expect(await state.write(record('1'))).toBe(false);
  expect(await state.versions('shop')).toEqual([]);
  expect(state.problem).toMatch(/failed: (ENOTDIR|EEXIST)/);
  expect(errors).toHaveLength(1);
  await fsp.rm(where);
  expect(await state.write(record('1'))).toBe(true);
  expect(state.problem).toBeUndefined();
});

test('twenty versions are kept, and what a crash left is removed', async () => {
  const state = openState();
  await state.write(record('v0'));
  const [name = ''] = await files();
  const left = path.join(directory, path.dirname(name), 'baseline.json.abc.tmp');
  await fsp.writeFile(left, '{');
  await fsp.utimes(left, 0, 0);
  for (let version = 1; version <= 24; version++)
    await state.write(record(`v${version}`, { firstSeenAt: new Date(Date.parse(at) + version * 1_000).toISOString() }));
  const versions = (await state.versions('shop')).map(({ version }) => version);
  expect(versions).toEqual(Array.from({ length: 20 }, (_, index) => `v${index + 5}`));
  expect((await files()).filter((file) => file.endsWith('.tmp'))).toEqual([]);
});

test('writes of one record do not overtake each other', async () => {
  const state = openState();
  const writes = Array.from({ length: 20 }, (_, samples) => state.write(record('1', { profileSamples: samples })));
  expect(await Promise.all(writes)).toEqual(writes.map(() => true));
  expect((await state.read({ service: 'shop', version: '1' }))?.profileSamples).toBe(19);
  expect(await files()).toHaveLength(1);
});
