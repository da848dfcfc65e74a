import { DatabaseSync } from 'node:sqlite';
import path from 'node:path';
import { expect, test } from 'vitest';
import { indexVersion, openIndex } from '../../agent/store/index-database.ts';
import { isId, newId } from '../../agent/store/id.ts';
import { ProfileIndex } from '../../agent/store/profile-index.ts';
import type { ProfileQuery } from '../../agent/store/profile-index.ts';
import { programKeyOf } from '../../agent/store/snapshot-history.ts';
import { downloadName, kindFacts } from '../../agent/store/artifact.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import type { Profile, ProfileKind } from '../../protocol/rest/profile.ts';
import { openStore, put, recordingLog, sampleDraft, sampleOutcome, scratchDirectory } from './sample.ts';

const kinds = Object.keys(kindFacts) as ProfileKind[];

function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
}

function randomProfile(next: (below: number) => number): Profile {
  const draft = sampleDraft({
    kind: kinds[next(3)] ?? 'cpu',
    targetId: `target-${next(3)}`,
    trigger: { kind: next(2) === 0 ? 'api' : 'rule', by: 'x' },
    startedAt: new Date(Date.UTC(2026, 0, 1) + next(40) * 1000).toISOString(),
  });
  const stored = {
    sizeBytes: 1,
    storedBytes: 1,
    sha256: '0'.repeat(64),
    labels: {},
    pinned: next(4) === 0,
    formats: [],
  };
  return { id: newId(), ...draft, ...sampleOutcome(), ...stored, fileName: downloadName(draft) };
}

/** The slow obvious twin. */
function filtered(profiles: readonly Profile[], query: ProfileQuery): Profile[] {
  return profiles
    .filter((profile) => query.kind === undefined || profile.kind === query.kind)
    .filter((profile) => query.targetId === undefined || profile.targetId === query.targetId)
    .filter((profile) => query.trigger === undefined || profile.trigger.kind === query.trigger)
    .filter((profile) => query.since === undefined || Date.parse(profile.startedAt) >= Date.parse(query.since))
    .filter((profile) => query.before === undefined || Date.parse(profile.startedAt) < Date.parse(query.before))
    .toSorted((a, b) => (a.startedAt === b.startedAt ? (a.id < b.id ? 1 : -1) : a.startedAt < b.startedAt ? 1 : -1));
}

test('pages put together are what a filter and a sort over everything give, on random data', async () => {
  const next = random(7);
  await using scratch = scratchDirectory();
  const file = path.join(scratch.path, 'index.sqlite');
  const database = openIndex(file, { asideDirectory: scratch.path, log: recordingLog() });
  const index = new ProfileIndex(database);
  const profiles = Array.from({ length: 300 }, () => randomProfile(next));
  for (const profile of profiles) index.put(profile, 10);
  for (let round = 0; round < 60; round++) {
    const time = (): string => new Date(Date.UTC(2026, 0, 1) + next(40) * 1000).toISOString();
    const query: ProfileQuery = {
      kind: next(2) === 0 ? kinds[next(3)] : undefined,
      targetId: next(3) === 0 ? `target-${next(4)}` : undefined,
      trigger: next(3) === 0 ? 'rule' : undefined,
      since: next(3) === 0 ? time() : undefined,
      before: next(3) === 0 ? time() : undefined,
      limit: 1 + next(40),
    };
    const expected = filtered(profiles, query);
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const page = index.list({ ...query, cursor });
      expect(page.total).toBe(expected.length);
      expect(page.profiles.length).toBeLessThanOrEqual(query.limit ?? 0);
      found.push(...page.profiles.map((profile) => profile.id));
      cursor = page.nextCursor ?? undefined;
      if (cursor !== undefined) expect(cursor).toMatch(/^[A-Za-z0-9_-]{1,200}$/);
    } while (cursor !== undefined);
    expect(found).toEqual(expected.map((profile) => profile.id));
  }
  expect(index.totals()).toEqual({ count: 300, storedBytes: 300, metadataBytes: 3000 });
  database.close();
});

test('a page does not shift when profiles arrive or leave between two pages', async () => {
  await using scratch = scratchDirectory();
  await using store = await openStore(scratch.path);
  const ids = [];
  for (let second = 10; second < 20; second++) {
    ids.unshift((await put(store, Buffer.from('{}'), { startedAt: `2026-01-31T12:00:${second}.000Z` })).id);
  }
  const first = store.list({ limit: 4 });
  await put(store, Buffer.from('{}'), { startedAt: '2026-01-31T12:00:30.000Z' });
  await store.delete(first.profiles[3]?.id ?? '');
  const second = store.list({ limit: 100, cursor: first.nextCursor ?? '' });
  expect([...first.profiles, ...second.profiles].map((profile) => profile.id)).toEqual(ids);
  expect(second.nextCursor).toBeNull();
});

test('a cursor that is none, and a time that is none, are refused', async () => {
  await using scratch = scratchDirectory();
  await using store = await openStore(scratch.path);
  const queries = [
    { cursor: 'abc' },
    { cursor: '' },
    { cursor: Buffer.from('1.2').toString('base64url') },
    { since: 'x' },
  ];
  for (const query of queries) {
    expect(() => store.list(query)).toThrow(expect.objectContaining({ code: 'invalid-request' }));
  }
});

test('an index of any earlier version is brought up with its rows kept', async () => {
  for (const version of [0, 1, 2, 3, 4]) {
    await using scratch = scratchDirectory();
    const file = path.join(scratch.path, 'index.sqlite');
    {
      await using store = await openStore(scratch.path);
      await put(store, Buffer.from('{}'));
    }
    const old = new DatabaseSync(file);
    old.exec(`PRAGMA user_version = ${version}; DROP TABLE records;
      DROP TRIGGER profile_joins_go_with_their_profile; DROP TABLE profile_joins;
      DROP TABLE metric_series; DROP TABLE metric_scrapes; DROP TABLE outbox;
      DROP TRIGGER profile_sources_go_with_their_profile; DROP TABLE profile_sources`);
    if (version < 4) old.exec('DROP TABLE vitals; DROP TABLE stalls');
    if (version < 3) old.exec('DROP TRIGGER source_positions_go_with_their_profile; DROP TABLE source_positions');
    if (version < 2) old.exec('DROP TABLE operations; DROP TABLE snapshot_history');
    if (version < 1) old.exec('DROP TABLE profiles');
    old.close();
    const log = recordingLog();
    await using store = await openStore(scratch.path, { log });
    expect(store.list({}).total).toBe(1);
    expect(store.stats().reindexed).toBe(version === 0 ? 1 : 0);
    store.saveOperation(operation('a'));
    expect(store.loadOperations()).toHaveLength(1);
    expect(log.lines.filter((line) => line.level === 'error')).toEqual([]);
  }
});

test('an index of a newer version is refused and left as it is', async () => {
  await using scratch = scratchDirectory();
  const file = path.join(scratch.path, 'index.sqlite');
  {
    await using _store = await openStore(scratch.path);
  }
  const newer = new DatabaseSync(file);
  newer.exec(`PRAGMA user_version = ${indexVersion + 1}`);
  newer.close();
  for (let attempt = 0; attempt < 2; attempt++) {
    await expect(openStore(scratch.path)).rejects.toMatchObject({
      code: 'data-directory-unusable',
      message: expect.stringContaining(`version ${indexVersion + 1}, written by a newer Sidescope`) as string,
    });
  }
});

function operation(id: string, changes: Partial<Operation> = {}): Operation {
  return {
    id,
    kind: 'cpu',
    state: 'succeeded',
    targetId: 'target-1',
    thread: 'main',
    startedBy: 'admin',
    createdAt: '2026-01-31T12:00:00.000Z',
    startedAt: null,
    endedAt: null,
    expiresAt: null,
    parameters: {},
    progress: { phase: '', fraction: null, bytes: 0 },
    queuePosition: null,
    profileIds: [],
    warnings: [],
    error: null,
    ...changes,
  };
}

test('operations are kept newest first, expire, and those under way fail with the reason after a restart', async () => {
  await using scratch = scratchDirectory();
  const now = Date.UTC(2026, 0, 31, 13);
  const at = (minute: number): string => new Date(now + minute * 60_000).toISOString();
  {
    await using store = await openStore(scratch.path, { now: () => now });
    store.saveOperation(operation('old', { createdAt: at(-30), expiresAt: at(0) }));
    store.saveOperation(operation('done', { createdAt: at(-20), expiresAt: at(1) }));
    store.saveOperation(operation('waits', { createdAt: at(-10), state: 'queued', queuePosition: 1 }));
    store.saveOperation(operation('runs', { createdAt: at(-9), state: 'queued' }));
    store.saveOperation(operation('runs', { createdAt: at(-9), state: 'running' }));
    expect(store.loadOperations().map(({ id, state }) => `${id} ${state}`)).toEqual([
      'runs running',
      'waits queued',
      'done succeeded',
    ]);
  }
  await using store = await openStore(scratch.path, { now: () => now });
  expect(store.loadOperations()).toMatchObject([
    { id: 'runs', state: 'failed', endedAt: at(0), error: { code: 'agent-restarted' } },
    { id: 'waits', state: 'failed', queuePosition: null, error: { code: 'agent-restarted' } },
    { id: 'done', state: 'succeeded', error: null },
  ]);
});

test('at most 500 operations are kept, and none that is under way is dropped for an ended one', async () => {
  await using scratch = scratchDirectory();
  await using store = await openStore(scratch.path);
  store.saveOperation(operation('runs', { state: 'running', createdAt: '2026-01-01T00:00:00.000Z' }));
  for (let n = 0; n < 510; n++) {
    store.saveOperation(operation(`n${n}`, { createdAt: new Date(Date.UTC(2026, 1, 1) + n).toISOString() }));
  }
  const kept = store.loadOperations();
  expect(kept).toHaveLength(500);
  expect(kept[0]?.id).toBe('n509');
  expect(kept.at(-1)?.id).toBe('runs');
});

test('the last snapshot of a program is remembered, by name, version and Node major', async () => {
  await using scratch = scratchDirectory();
  const identity = sampleDraft().target;
  const key = programKeyOf(identity);
  if (key === undefined) throw new Error('the sample has a name');
  const record = {
    takenAt: '2026-01-31T12:00:00.000Z',
    predictedExtraBytes: { low: 1, high: 2 },
    actualExtraBytes: 1.5,
    predictedPauseMs: { low: 10, high: 20 },
    actualPauseMs: null,
    heapUsedBytes: 5,
    oldSpaceBytes: 4,
    largeObjectBytes: 1,
    fileBytes: 7,
  };
  {
    await using store = await openStore(scratch.path);
    store.rememberSnapshot(key, { ...record, fileBytes: 6 });
    store.rememberSnapshot(key, record);
  }
  await using store = await openStore(scratch.path);
  expect(store.lastSnapshot(key)).toEqual(record);
  for (const other of [{ appVersion: '1.2.4' }, { nodeVersion: 'v24.0.0' }, { appName: null }]) {
    expect(store.lastSnapshot(programKeyOf({ ...identity, ...other }) ?? key)).toBeUndefined();
  }
  expect(programKeyOf({ ...identity, appName: null, mainScript: null })).toBeUndefined();
});

test('ids sort in the order they were made, also within a millisecond and when the clock goes back', () => {
  const made = [...Array.from({ length: 2000 }, () => newId()), newId(5), newId(6), newId(2 ** 47), newId()];
  expect(made.every(isId)).toBe(true);
  expect(made.toSorted()).toEqual(made);
  expect(new Set(made).size).toBe(made.length);
  expect(isId('8' + '0'.repeat(25))).toBe(false);
});

test('download names hold nothing but what every file system takes', () => {
  const name = (targetName: string): string => downloadName(sampleDraft({ targetName }));
  expect(name('../../etc/passwd')).toBe('etc-passwd-20260131T120000Z-cpu.cpuprofile');
  expect(name('日本 "x"\r\n')).toBe('x-20260131T120000Z-cpu.cpuprofile');
  expect(name('///')).toBe('target-20260131T120000Z-cpu.cpuprofile');
  expect(name('a'.repeat(300))).toHaveLength(64 + '-20260131T120000Z-cpu.cpuprofile'.length);
  const thread = { ...sampleDraft().thread, id: 'worker-3.1', kind: 'worker' as const };
  expect(downloadName(sampleDraft({ kind: 'heap-snapshot', thread }))).toBe(
    'shop-api-20260131T120000Z-worker-3.1-heap-snapshot.heapsnapshot',
  );
});

test('source positions and lines are kept with their profile, go with it, and those without one go at the next start', async () => {
  await using scratch = scratchDirectory();
  const positions = Buffer.from([1, 2, 0, 255]);
  let id: string;
  {
    await using store = await openStore(scratch.path);
    ({ id } = await put(store, Buffer.from('{}')));
    store.saveSourcePositions(id, Buffer.from('replaced'));
    store.saveSourcePositions(id, positions);
    store.saveSourcePositions('never-finished', positions);
    store.saveSourceLines(id, { bytes: positions, omittedLines: 3 });
    store.saveSourceLines('never-finished', { bytes: positions, omittedLines: 0 });
    expect(store.stats().omittedSourceLines).toBe(3);
  }
  await using store = await openStore(scratch.path);
  expect(store.sourcePositions(id)).toEqual(new Uint8Array(positions));
  expect(store.sourcePositions('never-finished')).toBeUndefined();
  expect(store.sourceLines(id)).toEqual(new Uint8Array(positions));
  expect(store.sourceLines('never-finished')).toBeUndefined();
  store.patch(id, { pinned: true });
  store.patch(id, { pinned: false });
  expect(store.sourcePositions(id)).toEqual(new Uint8Array(positions));
  await store.delete(id);
  expect(store.sourcePositions(id)).toBeUndefined();
  expect(store.sourceLines(id)).toBeUndefined();
});
