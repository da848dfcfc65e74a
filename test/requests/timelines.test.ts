import { expect, it } from 'vitest';
import { Timelines } from '../../agent/requests/timelines.ts';
import type { HotFunction } from '../../protocol/cpu-profile/hot-functions.ts';
import type { Span } from '../../protocol/otlp/model.ts';
import { hotFunctionsSchema } from '../../protocol/rest/hot-functions.ts';
import { routeListSchema, timelineDetailSchema, timelineListSchema } from '../../protocol/rest/timelines.ts';
import { FakeMonitor, FakeStore, FakeTargets } from '../http/fakes.ts';
import { sampleStall, sampleVitals } from '../page/samples.ts';
import { waitFor } from '../support/wait-for.ts';
import { drawTrace, recordedSpans, remote, serverAttributes } from './spans.ts';
import type { Drawn } from './spans.ts';

const startMs = Date.parse('2026-01-31T12:00:00.000Z');
const batch = { receivedAtMs: startMs, bytes: 0 };
const query: Drawn = {
  name: 'pg.query',
  kind: 3,
  from: 2,
  for: 6,
  attributes: { 'db.system': 'postgresql', 'db.statement': "SELECT * FROM a WHERE b = 'secret'" },
};
const requestOf = (
  options: { route?: string; at?: number; for?: number; status?: number; traceState?: string } = {},
): Span[] => {
  const { route = '/a', at = 0, for: durationMs = 10, status = 200, traceState = '' } = options;
  const attributes = serverAttributes(route, status);
  return drawTrace([{ name: 'GET', kind: 2, ...remote, for: durationMs, attributes, traceState, below: [query] }], {
    startMs: startMs + at,
  });
};

function open(functions: readonly HotFunction[] = []) {
  const targets = new FakeTargets();
  const monitor = new FakeMonitor();
  const store = new FakeStore();
  const read: string[] = [];
  const timelines = new Timelines({
    targets,
    monitor,
    store: Object.assign(store, { sourcePositions: () => undefined }),
    readHotFunctions: async (path) => {
      read.push(path);
      return [...functions];
    },
    now: () => startMs + 60_000,
  });
  const add = (...spans: Span[]): void => {
    timelines.sink.add(spans, batch);
    timelines.sink.settle();
  };
  return { timelines, targets, monitor, store, read, add, [Symbol.dispose]: () => timelines[Symbol.dispose]() };
}

it('lists requests by time or duration, page by page, whatever comes in between', () => {
  using opened = open();
  for (let index = 0; index < 7; index++) opened.add(...requestOf({ at: index * 1000, for: 10 + ((index * 3) % 7) }));
  for (const order of ['newest', 'slowest'] as const) {
    const seen: number[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < 4; page++) {
      const answer = timelineListSchema.parse(
        opened.timelines.list({ order, limit: 2, ...(cursor !== undefined && { cursor }) }),
      );
      seen.push(...answer.timelines.map((one) => (order === 'newest' ? Date.parse(one.startedAt) : one.durationMs)));
      cursor = answer.nextCursor ?? undefined;
      if (page === 0) opened.add(...requestOf({ at: 1_000_000, for: 90 }));
    }
    expect(cursor).toBeUndefined();
    expect(seen).toHaveLength(order === 'newest' ? 7 : 8);
    expect(seen).toEqual(seen.toSorted((a, b) => b - a));
  }
  expect(() => opened.timelines.list({ order: 'slowest', cursor: 'newest_1_aa' })).toThrow(
    /cursor: must be the `nextCursor`/,
  );
});

it('filters by route, status, duration, time and target', () => {
  using opened = open();
  opened.add(
    ...requestOf(),
    ...requestOf({ route: '/b', status: 500, for: 40, at: 5_000 }),
    ...requestOf({ route: '/b', status: 404, at: 9_000 }),
  );
  const names = (filter: object): string[] =>
    opened.timelines.list(filter).timelines.map(({ name, statusCode }) => `${name} ${statusCode}`);
  expect(names({ route: '/b' })).toEqual(['GET /b 404', 'GET /b 500']);
  expect(names({ route: 'GET /a' })).toEqual(['GET /a 200']);
  expect(names({ status: 'failed' })).toEqual(['GET /b 500']);
  expect(names({ status: '4xx' })).toEqual(['GET /b 404']);
  expect(names({ status: '500' })).toEqual(['GET /b 500']);
  expect(names({ minDuration: 20 })).toEqual(['GET /b 500']);
  expect(names({ since: '2026-01-31T12:00:04Z', before: '2026-01-31T12:00:08Z' })).toEqual(['GET /b 500']);
  expect(names({ target: 't1' })).toHaveLength(3);
  expect(() => names({ target: 'nobody' })).toThrow(/no target/);
});

it('shows one request: rows, totals in words, no literal of a statement', () => {
  using opened = open();
  const spans = requestOf();
  opened.add(...spans);
  const detail = timelineDetailSchema.parse(opened.timelines.get(spans[0]!.traceId));
  expect(detail).toMatchObject({
    name: 'GET /a',
    route: '/a',
    targetId: 't1',
    summary: 'database 60 %, server 40 %',
    cpu: null,
  });
  expect(
    detail.rows.map(({ depth, kind, offsetMs, selfMs, statement }) => [depth, kind, offsetMs, selfMs, statement]),
  ).toEqual([
    [0, 'server', 0, 4, null],
    [1, 'database', 2, 6, 'SELECT * FROM a WHERE b = ?'],
  ]);
  expect(JSON.stringify(detail)).not.toContain('secret');
  expect(detail.cpuReason).not.toBeNull();
  expect(() => opened.timelines.get('00')).toThrow(/no timeline has the trace id "00"/);
});

it('shows errors with what was thrown', () => {
  using opened = open();
  const spans = recordedSpans('small-express4.json');
  opened.add(...spans);
  const failed = opened.timelines.list({ status: 'failed' }).timelines.find(({ kind }) => kind === 'server');
  const detail = timelineDetailSchema.parse(opened.timelines.get(failed!.traceId));
  const thrown = detail.rows.find(({ errors }) => errors.length > 0);
  expect(thrown).toMatchObject({ kind: 'handler', failed: true, errors: [{ message: 'boom' }] });
  expect(thrown?.errors[0]?.stack).toContain('Error: boom');
});

it('puts stalls, profiles, collections and measures of the target on the same axis', () => {
  using opened = open();
  const { monitor, store } = opened;
  const vitals = sampleVitals({ targetId: 't1' });
  const gc = { count: 3, pauseMs: 12, kinds: [] };
  const measures = { entries: [{ name: 'render', count: 2, totalMs: 8, maxMs: 5 }], mayHaveMissed: false };
  const at = (ms: number): string => new Date(startMs + ms).toISOString();
  monitor.emit('vitals', { ...vitals, at: at(-4_000), gc, measures });
  monitor.emit('vitals', { ...vitals, at: at(1_000), gc, measures });
  monitor.emit('vitals', { ...vitals, at: at(6_000), gc, measures });
  const stall = sampleStall({ targetId: 't1', startedAt: at(3), durationMs: 4 });
  const early = sampleStall({ id: 's-0', startedAt: at(-900), durationMs: 800 });
  monitor.listStalls = () => ({ stalls: [stall, early], nextCursor: null });
  const profile = store.add('p1', { kind: 'cpu', plain: Buffer.from('x') });
  store.list = () => ({
    profiles: [{ ...profile, startedAt: at(-2_000), endedAt: at(3_000), durationMs: 5_000 }],
    nextCursor: null,
    total: 1,
  });
  const spans = requestOf();
  opened.add(...spans);
  const detail = timelineDetailSchema.parse(opened.timelines.get(spans[0]!.traceId));
  expect(detail.moments).toEqual([
    { fromOffsetMs: -4_000, toOffsetMs: 1_000, gc: { count: 3, pauseMs: 12 }, measures: measures.entries },
  ]);
  expect(detail.stalls).toMatchObject([{ id: stall.id, offsetMs: 3, durationMs: 4 }]);
  expect(detail.profiles).toMatchObject([{ id: 'p1', offsetMs: -2_000, durationMs: 5_000 }]);
});

it('knows the target by the process id, and no other one', () => {
  using opened = open();
  const [first = requestOf()[0]!] = requestOf();
  opened.add({ ...first, resource: { attributes: { 'process.pid': 4242 } } });
  expect(opened.timelines.list({}).timelines[0]?.targetId).toBeNull();
  opened.targets.all.push({
    ...opened.targets.all[0]!,
    id: 't2',
    identity: { ...opened.targets.all[0]!.identity!, pid: 4242 },
  });
  expect(opened.timelines.list({}).timelines[0]?.targetId).toBe('t2');
});

it('sums up routes: count, rate, errors, quantiles, share in the database', () => {
  using opened = open();
  for (let index = 0; index < 99; index++) opened.add(...requestOf({ for: 10 }));
  opened.add(...requestOf({ for: 1_000, status: 500 }));
  opened.add(...requestOf({ route: '/b' }));
  const { routes, sampling } = routeListSchema.parse(opened.timelines.routes({}));
  expect(sampling).toBeNull();
  expect(routes.map(({ name }) => name)).toEqual(['GET /a', 'GET /b']);
  const [route] = routes;
  expect(route).toMatchObject({
    count: 100,
    errors: 1,
    errorShare: 0.01,
    estimatedCount: null,
    totalMs: 1_990,
    ratePerSecond: 100,
  });
  expect(Math.abs(route!.p50Ms - 10)).toBeLessThan(0.5);
  expect(Math.abs(route!.p95Ms - 10)).toBeLessThan(0.5);
  expect(route!.databaseShare).toBeCloseTo(600 / 1_990, 6);
  expect(opened.timelines.get(route!.slowestTraceId!).durationMs).toBe(1_000);
});

it('lists what was served as routes: traces that begin otherwise are counted, and stay in the hot functions', async () => {
  using opened = open();
  const message = { 'messaging.system': 'kafka', 'messaging.destination.name': 'orders' };
  opened.add(
    ...requestOf(),
    ...drawTrace([{ name: 'orders process', kind: 5, attributes: message }]),
    ...drawTrace([{ name: 'dns.lookup', kind: 3 }]),
    ...drawTrace([{ ...query, name: 'pg-pool.connect', from: 0 }]),
    ...drawTrace([{ name: 'nightly', below: [query] }]),
  );
  const { routes, otherRoots } = routeListSchema.parse(opened.timelines.routes({}));
  expect(routes.map(({ name }) => name).toSorted()).toEqual(['GET /a', 'orders process']);
  expect(otherRoots).toBe(3);
  expect(opened.timelines.routes({ since: '2026-01-31T13:00:00Z' })).toMatchObject({ routes: [], otherRoots: 0 });
  const { spans } = await opened.timelines.hotFunctions({ source: 'spans' }, AbortSignal.timeout(5_000));
  expect(spans?.items.map(({ kind }) => kind)).toEqual(
    expect.arrayContaining(['messaging', 'http-client', 'database', 'internal']),
  );
});

it('says that counts are estimates when the sender samples, and by what', () => {
  using opened = open();
  for (let index = 0; index < 8; index++) opened.add(...requestOf({ traceState: 'ot=th:c' }));
  const { routes, sampling } = opened.timelines.routes({});
  expect(sampling).toEqual({ keptShare: 0.25, reason: 'the sender keeps 25 % of its traces, as its tracestate says' });
  expect(routes).toMatchObject([{ count: 8, estimatedCount: 32 }]);
});

it('ranks what spans and CPU profiles say each by its own self time, and tells what neither knows', async () => {
  const fib: HotFunction = {
    functionName: 'fib',
    url: 'file:///srv/a.js',
    line: 3,
    column: 1,
    category: 'app',
    selfSamples: 400,
    selfUs: 400_000,
    totalUs: 500_000,
    selfShare: 0.8,
  };
  using opened = open([fib, { ...fib, functionName: 'other', url: '', selfSamples: 100, selfUs: 100_000 }]);
  opened.add(...requestOf());
  opened.store.add('p1', { kind: 'cpu', plain: Buffer.from('x') });
  opened.store.add('p2', { kind: 'cpu', plain: Buffer.from('x') });
  const signal = AbortSignal.timeout(5_000);
  const both = hotFunctionsSchema.parse(await opened.timelines.hotFunctions({}, signal));
  expect(both.spans?.items).toMatchObject([
    { kind: 'database', name: 'SELECT * FROM a WHERE b = ?', count: 1, selfMs: 6, share: 0.6, where: null },
    { kind: 'server', name: 'GET /a', count: 1, selfMs: 4 },
  ]);
  expect(both.cpu).toMatchObject({ profileIds: ['p1', 'p2'], reason: null });
  expect(both.cpu?.items).toMatchObject([
    {
      name: 'fib',
      where: { file: '/srv/a.js', line: 3 },
      count: null,
      averageMs: null,
      selfMs: 800,
      samples: 800,
      share: 0.8,
      profiles: 2,
    },
    { name: 'other', where: null, selfMs: 200 },
  ]);
  expect(both.cpu?.items[0]?.selfErrorMs).toBeCloseTo(800 / Math.sqrt(800), 6);
  await opened.timelines.hotFunctions({ source: 'cpu', limit: 1 }, signal);
  expect(opened.read).toHaveLength(2);
  expect(await opened.timelines.hotFunctions({ source: 'spans', limit: 1 }, signal)).toMatchObject({
    cpu: null,
    spans: { items: [{ kind: 'database' }] },
  });
});

it('says what to set while no span came, and that no profile was taken', async () => {
  using opened = open();
  const { spans, cpu } = await opened.timelines.hotFunctions({}, AbortSignal.timeout(5_000));
  expect(spans?.reason).toContain('OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318');
  expect(cpu?.reason).toContain('POST /cpu/start');
});

it('names the request of a trace, also before its last span came', () => {
  using opened = open();
  const [child, entry] = requestOf();
  opened.timelines.sink.add([child!], batch);
  expect(opened.timelines.routeOf(child!.traceId)).toBeUndefined();
  opened.timelines.sink.add([entry!], batch);
  expect(opened.timelines.routeOf(child!.traceId)).toBe('/a');
  expect(opened.timelines.routeOf('00')).toBeUndefined();
});

it('tells the counts after requests came, a burst of them once', async () => {
  using opened = open();
  const told: unknown[] = [];
  opened.timelines.on('requests', (counts) => told.push(counts));
  opened.add(...requestOf(), ...requestOf({ status: 500 }));
  await waitFor(() => told.length > 0, { message: 'the event' });
  expect(told).toEqual([{ spans: 4, requests: 2, failed: 1, timelines: 2 }]);
});
