import { describe, expect, it } from 'vitest';
import type { Change, PageState } from '../../dashboard/model/page-state.ts';
import { emptyState, maxProfileRows, nextState } from '../../dashboard/model/page-state.ts';
import { sampleRegression } from './regression-samples.ts';
import {
  ago,
  sampleInfo,
  sampleOperation,
  sampleProfile,
  sampleSnapshot,
  sampleStall,
  sampleTarget,
  sampleVitals,
} from './samples.ts';

const loaded = nextState(emptyState, {
  type: 'lists',
  readAtMs: Date.now(),
  lists: {
    info: sampleInfo(),
    targets: [sampleTarget()],
    stalls: [],
    alerts: [],
    deaths: [],
    regressions: [],
    operations: [sampleOperation()],
    profiles: { kind: null, items: [sampleProfile()], nextCursor: null, total: 1 },
  },
});

it('replaces what it shows when the lists are read again', () => {
  const state = nextState(loaded, {
    type: 'lists',
    readAtMs: Date.now(),
    lists: {
      info: sampleInfo({ storage: null }),
      targets: [],
      stalls: [],
      alerts: [],
      deaths: [],
      regressions: [],
      operations: [],
      profiles: { kind: null, items: [], nextCursor: null, total: 0 },
    },
  });
  expect(state).toMatchObject({ loaded: true, targets: [], operations: [], storage: null, profiles: { total: 0 } });
});

it("knows the agent's clock from its start and uptime", () => {
  const info = sampleInfo({ startedAt: new Date(1000).toISOString(), uptimeMs: 500 });
  const lists = {
    info,
    targets: [],
    stalls: [],
    alerts: [],
    deaths: [],
    regressions: [],
    operations: [],
    profiles: loaded.profiles,
  };
  expect(nextState(emptyState, { type: 'lists', readAtMs: 9000, lists }).clockOffsetMs).toBe(1500 - 9000);
});

it('keeps what it shows while the connection is cut', () => {
  const cut: Change = {
    type: 'connection',
    connection: { state: 'reconnecting', attempt: 1, retryAtMs: 0, reason: 'gone' },
  };
  expect(nextState(loaded, cut)).toMatchObject({ loaded: true, targets: loaded.targets, profiles: loaded.profiles });
});

describe('events', () => {
  it('keep the newest findings, each once, as it is now', () => {
    const found = (id: string, agoMs: number, over = {}): Change => ({
      type: 'event',
      event: { type: 'regression', change: 'opened', regression: sampleRegression({ id, since: ago(agoMs), ...over }) },
    });
    const state = [found('r-1', 9_000), found('r-2', 5_000), found('r-1', 9_000, { state: 'ended' })].reduce(
      nextState,
      loaded,
    );
    expect(state.regressions.map((one) => [one.id, one.state])).toEqual([
      ['r-2', 'open'],
      ['r-1', 'ended'],
    ]);
    const many = Array.from({ length: 50 }, (_, index) => found(`r-${index}`, index * 1_000)).reduce(nextState, loaded);
    expect(many.regressions.length).toBe(20);
    expect(many.regressions[0]?.id).toBe('r-0');
  });

  it('tell how long ago the reading before was, of the same process', () => {
    const read = (at: number, instanceId = 'i-1'): Change => ({
      type: 'event',
      event: { type: 'vitals', vitals: sampleVitals({ at: new Date(at).toISOString(), instanceId }) },
    });
    const after = (...changes: Change[]): number | null | undefined =>
      changes.reduce(nextState, loaded).readingMs['t1'];
    expect(after(read(0))).toBeNull();
    expect(after(read(0), read(30_000))).toBe(30_000);
    expect(after(read(0), read(30_000), read(30_000), read(10_000))).toBe(30_000);
    expect(after(read(0), read(30_000, 'i-2'))).toBeNull();
  });

  it('keeps the last reading of each target, and of stalls the newest first, each once', () => {
    const other = sampleVitals({ targetId: 't9' });
    const newer = sampleVitals({ uptimeMs: 1 });
    const ended = sampleStall();
    const later = sampleStall({ id: 's-2', startedAt: ago(0), state: 'ongoing', endedAt: null });
    const state = after(
      loaded,
      { type: 'vitals', vitals: sampleVitals() },
      { type: 'vitals', vitals: other },
      { type: 'vitals', vitals: newer },
      { type: 'stall', stall: sampleStall({ state: 'ongoing', endedAt: null }) },
      { type: 'stall', stall: later },
      { type: 'stall', stall: ended },
    );
    expect(state.vitals).toEqual({ t1: newer, t9: other });
    expect(state.stalls).toEqual([later, ended]);
    const many = Array.from(
      { length: 130 },
      (_, i) => ({ type: 'stall', stall: sampleStall({ id: `m-${i}` }) }) as const,
    );
    expect(after(state, ...many).stalls).toHaveLength(100);
  });

  it('replaces the target of the same id and appends a new one', () => {
    const renamed = sampleTarget({ name: 'renamed' });
    const other = sampleTarget({ id: 't9', name: 'other' });
    const state = after(loaded, { type: 'target', target: renamed }, { type: 'target', target: other });
    expect(state.targets.map((target) => target.name)).toEqual(['renamed', 'other']);
  });

  it('puts a new operation first and replaces a known one', () => {
    const newer = sampleOperation({ id: 'op-2', createdAt: ago(0) });
    const done = sampleOperation({ state: 'succeeded', endedAt: ago(0) });
    const state = after(loaded, { type: 'operation', operation: newer }, { type: 'operation', operation: done });
    expect(state.operations.map(({ id, state }) => `${id} ${state}`)).toEqual(['op-2 running', 'op-1 succeeded']);
  });

  it('does not bring an ended operation back to life by an answer that comes late', () => {
    const done = after(loaded, { type: 'operation', operation: sampleOperation({ state: 'failed' }) });
    const late = nextState(done, { type: 'operation', operation: sampleOperation({ state: 'running' }) });
    expect(late.operations[0]?.state).toBe('failed');
  });

  it('puts a new profile in its place by time and counts it once', () => {
    const newer = sampleProfile({ id: 'p-2', startedAt: ago(1) });
    const older = sampleSnapshot();
    const state = after(
      loaded,
      { type: 'profile', profile: newer },
      { type: 'profile', profile: older },
      { type: 'profile', profile: newer },
    );
    expect(state.profiles.items.map((profile) => profile.id)).toEqual(['p-2', 'p-1', 's-1']);
    expect(state.profiles.total).toBe(3);
  });

  it('leaves out a profile that the filter hides', () => {
    const filtered = nextState(loaded, { type: 'profiles-first', list: { ...loaded.profiles, kind: 'cpu' } });
    expect(after(filtered, { type: 'profile', profile: sampleSnapshot() })).toBe(filtered);
  });

  it('leaves a profile older than the pages read so far to the next page', () => {
    const paged = nextState(loaded, {
      type: 'profiles-first',
      list: { ...loaded.profiles, nextCursor: 'c', total: 9 },
    });
    expect(after(paged, { type: 'profile', profile: sampleSnapshot() })).toBe(paged);
  });

  it('takes a deleted profile out, and an unknown one changes nothing', () => {
    expect(after(loaded, { type: 'profile-deleted', profileId: 'p-1' }).profiles).toMatchObject({
      items: [],
      total: 0,
    });
    expect(after(loaded, { type: 'profile-deleted', profileId: 'nobody' })).toBe(loaded);
  });

  it('gives the same state when a whole burst is applied twice', () => {
    const burst = [
      { type: 'target', target: sampleTarget({ name: 'x' }) },
      { type: 'operation', operation: sampleOperation({ id: 'op-2', createdAt: ago(0) }) },
      { type: 'profile', profile: sampleProfile({ id: 'p-2', startedAt: ago(1) }) },
      { type: 'profile-deleted', profileId: 'p-1' },
    ] as const;
    const once = after(loaded, ...burst);
    expect(after(once, ...burst)).toEqual(once);
  });
});

it('appends a page without repeating rows, and drops one that came for another filter', () => {
  const page = { kind: null, items: [sampleProfile(), sampleSnapshot()], nextCursor: 'next', total: 2 } as const;
  const state = nextState(loaded, { type: 'profiles-more', list: page });
  expect(state.profiles.items.map((profile) => profile.id)).toEqual(['p-1', 's-1']);
  expect(state.profiles.nextCursor).toBe('next');
  expect(nextState(loaded, { type: 'profiles-more', list: { ...page, kind: 'cpu' } })).toBe(loaded);
});

it('holds a bounded number of rows and operations', () => {
  const items = Array.from({ length: maxProfileRows + 5 }, (_, index) => sampleProfile({ id: `many-${index}` }));
  const page = { kind: null, items, nextCursor: null, total: items.length };
  expect(nextState(loaded, { type: 'profiles-more', list: page }).profiles.items).toHaveLength(maxProfileRows);
  let state = loaded;
  for (let index = 0; index < 300; index += 1) {
    state = after(state, {
      type: 'operation',
      operation: sampleOperation({ id: `many-${index}`, createdAt: ago(-index) }),
    });
  }
  expect(state.operations).toHaveLength(200);
  expect(state.operations[0]?.id).toBe('many-299');
});

type SidescopeEvent = Extract<Change, { type: 'event' }>['event'];

function after(state: PageState, ...events: SidescopeEvent[]): PageState {
  return events.reduce((before, event) => nextState(before, { type: 'event', event }), state);
}
