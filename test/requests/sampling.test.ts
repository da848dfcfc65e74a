import { EventEmitter } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { RequestCounterWatch } from '../../agent/requests/request-counter-watch.ts';
import { Sampling } from '../../agent/requests/sampling.ts';
import { Timelines } from '../../agent/requests/timelines.ts';
import type { SeriesSample } from '../../agent/baseline/series.ts';
import type { Span } from '../../protocol/otlp/model.ts';
import { parseSampler } from '../../protocol/otlp/sampler.ts';
import { requestCounterOf } from '../../protocol/prometheus/request-counters.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import type { Scrape } from '../../protocol/rest/series.ts';
import type { RouteList } from '../../protocol/rest/timelines.ts';
import { fakeTarget, FakeMonitor, identity } from '../http/fakes.ts';
import { openAgent } from '../support/agent.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { drawTrace, remote, serverAttributes } from './spans.ts';

const target = { ...fakeTarget(), identity: { ...identity, pid: 42 } };
const other = { ...target, id: 't2', identity: { ...identity, pid: 43 } };
const batch = { receivedAtMs: Date.now(), bytes: 0 };
const attributes = serverAttributes('/a');
const ownTrace = (): Span[] => drawTrace([{ name: 'GET', kind: 2, attributes, below: [{ name: 'work' }] }]);
const calledTrace = (): Span[] => drawTrace([{ name: 'GET', kind: 2, ...remote, attributes }]);

/** Pages of two targets, read ten seconds apart. */
class Pages extends EventEmitter<{ scrape: [Scrape] }> {
  readonly clock = { ms: 0 };
  #samples: readonly SeriesSample[] = [];

  latest(): { samples: readonly SeriesSample[] } {
    return { samples: this.#samples };
  }

  /** What its counters counted since the page before; a text: the page could not be read. */
  read(counts: Record<string, number | null> | string, targetId = 't1'): void {
    this.clock.ms += 10_000;
    const error = typeof counts === 'string' ? { code: 'scrape-failed', message: counts } : null;
    if (typeof counts !== 'string')
      this.#samples = Object.entries(counts).map(([name, count]) => ({
        series: { name, labels: {} } as SeriesSample['series'],
        value: 1,
        ratePerSecond: count === null ? null : count / 10,
      }));
    this.emit('scrape', { targetId, error } as Scrape);
  }
}

function open(options: { targets?: (typeof target)[]; sampler?: [string, string?] } = {}) {
  const { targets = [target], sampler } = options;
  const pages = new Pages();
  const sampling = new Sampling({
    targets: { list: () => targets },
    samplerOf: () => sampler && parseSampler(sampler[0], sampler[1]),
    elapsedMs: () => pages.clock.ms,
  });
  const timelines = new Timelines({
    targets: { list: () => targets, view: () => target },
    monitor: new FakeMonitor(),
    store: undefined,
    readHotFunctions: async () => [],
    sampling,
  });
  const watching = sampling.watch(pages);
  const sink = sampling.into(timelines.sink);
  const add = (count: number, trace: () => Span[] = ownTrace): void => {
    for (let index = 0; index < count; index++) sink.add(trace(), batch);
    timelines.sink.settle();
  };
  const close = (): void => {
    watching[Symbol.dispose]();
    timelines[Symbol.dispose]();
  };
  return { pages, timelines, add, [Symbol.dispose]: close };
}

test.for<[string | undefined, string | undefined, number | null | undefined]>([
  [undefined, '0.1', undefined],
  ['always_on', undefined, undefined],
  ['parentbased_always_on', undefined, undefined],
  ['traceidratio', '0.1', 0.1],
  ['parentbased_traceidratio', '.5', 0.5],
  ['traceidratio', undefined, undefined],
  ['traceidratio', '1', undefined],
  ['traceidratio', 'ten', undefined],
  ['traceidratio', '-1', undefined],
  ['always_off', undefined, 0],
  ['xray', 'endpoint=http://a', null],
])('the sampler %s with %s keeps %s', ([name, argument, share]) => {
  expect(parseSampler(name, argument)?.keptShare).toBe(share);
});

test.for<[string, string[]]>([
  ['http_server_request_duration_seconds_count', ['http_requests_total', 'http_server_request_duration_seconds_count']],
  ['http_requests_total', ['jobs_total', 'http_requests_total']],
  ['shop_http_request_duration_seconds_count', ['shop_http_request_duration_seconds_count', 'shop_http_request_total']],
  ['none', ['jobs_total', 'http_client_request_duration_seconds_count', 'shop_client_http_requests_total']],
  ['none', ['http_request_duration_seconds_sum', 'http_requests_in_flight']],
])('the request counter of a page is %s', ([counter, names]) => {
  expect(requestCounterOf(new Set(names)) ?? 'none').toBe(counter);
});

test("what the target's sampler keeps is said, and counts of traces that begin in it are estimated", async () => {
  using opened = open({ sampler: ['traceidratio', '0.25'] });
  opened.add(6);
  const { routes, sampling } = opened.timelines.routes({});
  expect(sampling).toEqual({
    keptShare: 0.25,
    reason: 'the target keeps 25 % of the traces that begin in it, by its OTEL_TRACES_SAMPLER',
  });
  expect(routes).toMatchObject([{ name: 'GET /a', count: 6, estimatedCount: 24 }]);
  const hot = await opened.timelines.hotFunctions({ source: 'spans' }, AbortSignal.timeout(5_000));
  expect(hot.spans).toMatchObject({ sampling, items: [{ count: 6, estimatedCount: 24 }, { estimatedCount: 24 }] });
});

test('what the trace says goes before what the environment says', () => {
  using opened = open({ sampler: ['traceidratio', '0.25'] });
  opened.add(3, () => drawTrace([{ name: 'GET', kind: 2, attributes, traceState: 'ot=th:8' }]));
  expect(opened.timelines.routes({})).toMatchObject({ sampling: { keptShare: 0.5 }, routes: [{ estimatedCount: 6 }] });
});

test('where the caller decides, or the sampler tells no share, nothing is estimated', () => {
  using called = open({ sampler: ['parentbased_traceidratio', '0.25'] });
  called.add(4, calledTrace);
  expect(called.timelines.routes({})).toMatchObject({
    sampling: { keptShare: null, reason: expect.stringContaining('the caller decides') as string },
    routes: [{ count: 4, estimatedCount: null }],
  });
  using unknown = open({ sampler: ['xray'] });
  unknown.add(4);
  expect(unknown.timelines.routes({})).toMatchObject({
    sampling: { keptShare: null, reason: "the target's OTEL_TRACES_SAMPLER is xray: what it keeps is not known" },
    routes: [{ estimatedCount: null }],
  });
});

test('a sampler that keeps nothing is the reason why there are no spans', async () => {
  using opened = open({ sampler: ['always_off'] });
  const { spans } = await opened.timelines.hotFunctions({}, AbortSignal.timeout(5_000));
  expect(spans?.reason).toBe("no spans come: the target's OTEL_TRACES_SAMPLER keeps none (always_off)");
});

test('three readings in a row with fewer spans than requests make the counts estimates, until they agree again', () => {
  using opened = open();
  const { pages, timelines, add } = opened;
  pages.read({ http_requests_total: null });
  for (let reading = 0; reading < 3; reading++) {
    expect(timelines.routes({}).sampling).toBeNull();
    add(10);
    // A page in between that cannot be read makes the window longer, and no difference.
    if (reading === 1) pages.read('timed out');
    pages.read({ http_requests_total: reading === 1 ? 20 : 40 });
  }
  const { routes, sampling } = timelines.routes({});
  expect(sampling?.keptShare).toBe(0.25);
  expect(sampling?.reason).toContain(
    "http_requests_total of t1's metrics page counted 120 requests in three windows, and the server spans of that time stand for 30",
  );
  expect(routes).toMatchObject([{ count: 30, estimatedCount: 120 }]);
  add(34);
  pages.read({ http_requests_total: 40 });
  expect(timelines.routes({}).sampling).toBeNull();
});

test('few requests, no spans at all, or a page without such a counter say nothing', () => {
  using opened = open();
  const { pages, timelines, add } = opened;
  const reading = (counts: Record<string, number>, spans: number): void => {
    add(spans);
    pages.read(counts);
  };
  for (let count = 0; count < 5; count++) reading({ http_requests_total: 100 }, 0);
  expect(timelines.routes({}).sampling).toBeNull();
  for (let count = 0; count < 5; count++) reading({ http_client_requests_total: 100 }, 1);
  expect(timelines.routes({}).sampling).toBeNull();
  for (let count = 0; count < 5; count++) reading({ http_requests_total: 4 }, 1);
  expect(timelines.routes({}).sampling).toBeNull();
});

test('of several targets the mismatch of one is said without a share: the counts do not tell them apart', () => {
  using opened = open({ targets: [target, other] });
  for (let reading = 0; reading < 4; reading++) {
    opened.add(10);
    opened.pages.read({ http_requests_total: 40 });
  }
  expect(opened.timelines.routes({})).toMatchObject({
    sampling: { keptShare: null },
    routes: [{ estimatedCount: null }],
  });
});

test('targets that are gone are forgotten', () => {
  const targets = [target, other];
  const watch = new RequestCounterWatch({ targets: { list: () => targets }, weightOf: () => 1 });
  const pages = new Pages();
  using _watching = watch.watch(pages);
  const sink = watch.into({ add: () => {} });
  for (let reading = 0; reading < 4; reading++) {
    sink.add(ownTrace(), batch);
    pages.read({ http_requests_total: 1e9 });
  }
  expect(watch.mismatches().map(({ targetId }) => targetId)).toEqual(['t1']);
  targets.shift();
  pages.read({ http_requests_total: 40 }, 't2');
  expect(watch.mismatches()).toEqual([]);
});

test('over HTTP: the environment of a real target and its metrics page make the counts of routes estimates', async () => {
  let served = 0;
  let news = 100;
  const server = createServer((_, response) => {
    served += news;
    news = 0;
    response.setHeader('content-type', 'text/plain; version=0.0.4');
    response.end(`# TYPE http_requests_total counter\nhttp_requests_total{code="200"} ${served}\n`);
  });
  await using stack = new AsyncDisposableStack();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stack.defer(() => void server.close());
  const env = { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.5' };
  const process = stack.use(await startTarget('forever', { env }));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`;
  const args = ['--metrics-url', url, '--metrics-interval', '1s'];
  const agent = stack.use(await openAgent({ targets: [process.inspectorAddress], args }));
  const get = async <Value>(path: string) => {
    const answer = await fetch(`${agent.url}${apiPath}${path}`, {
      headers: { authorization: `Bearer ${agent.token}` },
    });
    return (await answer.json()) as Value;
  };
  await waitFor(async () => (await get<{ total: number }>('/series')).total > 0, { message: 'the first reading' });
  for (let reading = 1; reading <= 3; reading++) {
    await fetch(`${agent.otlpUrl ?? ''}/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: bodyOf(process.pid, { from: reading * 100, count: 15 }),
    });
    const metric = `sidescope_spans_total{result="kept"} ${reading * 15}`;
    const text = async () => await (await fetch(`${agent.opsUrl}/metrics`)).text();
    await waitFor(async () => (await text()).includes(metric), { message: metric });
    news = 100;
    await waitFor(() => news === 0, { message: 'the next reading' });
  }
  const { routes, sampling, otherRoots } = await waitFor(
    async () => {
      const list = await get<RouteList>('/routes');
      return list.routes[0]?.count === 42 && list;
    },
    { message: 'all requests to be counted' },
  );
  expect(routes).toMatchObject([{ name: 'GET /a', count: 42, estimatedCount: 84 }]);
  expect(otherRoots).toBe(3);
  expect(sampling?.keptShare).toBeLessThanOrEqual(0.5);
  expect(sampling?.reason).toContain('keeps 50 % of the traces that begin in it');
  expect(sampling?.reason).toContain('http_requests_total of');
});

/** Requests, and one that is none: a look-up of the program itself. */
function bodyOf(pid: number, { from, count }: { from: number; count: number }): string {
  const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });
  const spans = Array.from({ length: count }, (_, index) => {
    const isLookup = index === 0;
    return {
      traceId: (from + index).toString(16).padStart(32, '0'),
      spanId: (from + index).toString(16).padStart(16, '0'),
      name: isLookup ? 'dns.lookup' : 'GET',
      kind: isLookup ? 3 : 2,
      startTimeUnixNano: `${Date.now()}000000`,
      endTimeUnixNano: `${Date.now() + 5}000000`,
      attributes: isLookup ? [] : [text('http.request.method', 'GET'), text('http.route', '/a')],
    };
  });
  const resource = { attributes: [{ key: 'process.pid', value: { intValue: String(pid) } }] };
  return JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'test' }, spans }] }] });
}
