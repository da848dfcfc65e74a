import { describe, expect, it } from 'vitest';
import {
  findSeries,
  historyOfSeries,
  planOfSeries,
  readChosen,
  textOfSeries,
  withoutSeries,
  withSeries,
} from '../../dashboard/model/chosen-series.ts';
import { columnsOf, maxPoints } from '../../dashboard/model/history.ts';
import type { RequestHistory } from '../../dashboard/model/request-charts.ts';
import {
  continuesAtMs,
  readRequests,
  requestPlans,
  requestsObstacle,
  withNewer,
} from '../../dashboard/model/request-charts.ts';
import { requestHistorySchema } from '../../protocol/rest/request-history.ts';
import type { SeriesList } from '../../protocol/rest/series.ts';
import { seriesListSchema } from '../../protocol/rest/series.ts';

const iso = (atMs: number): string => new Date(atMs).toISOString();
const range = { fromMs: 0, toMs: 1_000_000, isLive: true };

describe('the requests over time', () => {
  const listOf = (fromMs: number, requests: readonly number[], routes = ['GET /search', 'GET /slow']) =>
    requestHistorySchema.parse({
      targetId: null,
      from: iso(fromMs),
      to: iso(fromMs + 60_000),
      stepMs: 5_000,
      completeTo: iso(fromMs + 60_000),
      since: iso(0),
      routes,
      points: requests.map((count, index) => ({
        at: iso(fromMs + index * 5_000),
        durationMs: 5_000,
        requests: count,
        failed: count / 5,
        p50Ms: 10,
        p95Ms: 70,
        p99Ms: 90,
        routeP95Ms: routes.map((name) => name.length),
      })),
    });
  const ratesOf = ({ points }: RequestHistory): (number | string)[][] =>
    points.map(({ atMs, values }) => [atMs, values.ratePerSecond]);

  it('are a rate, a share of failures and latencies, of all and of the busiest routes', () => {
    const history = readRequests(listOf(10_000, [50, 0]), 't1');
    const plans = requestPlans(history.routes);
    expect(plans.flatMap(({ series }) => series.map(({ label }) => label))).toEqual([
      ...['ended', 'of all', 'p95', 'p50', 'p99'],
      ...['GET /search', 'GET /slow'],
    ]);
    const read = plans.flatMap(({ series }) => series.map((one) => one.read));
    expect(columnsOf(history, read)).toEqual([
      [10, 15],
      [10, 0],
      [0.2, null],
      [70, 70],
      [10, 10],
      [90, 90],
      [11, 11],
      [9, 9],
    ]);
  });

  it('go on with what came since, which counts for its time alone, and are bounded', () => {
    const whole = readRequests(listOf(0, [5, 5, 5, 5, 5, 5]), 't1');
    expect(continuesAtMs(whole)).toBe(10_000);
    const newer = readRequests(listOf(10_000, [10, 5, 5, 5, 20], ['GET /slow', 'GET /new']), 't1');
    const both = withNewer(whole, newer);
    expect(ratesOf(both)).toEqual([
      [0, 1],
      [5_000, 1],
      [10_000, 2],
      [15_000, 1],
      [20_000, 1],
      [25_000, 1],
      [30_000, 4],
    ]);
    expect(both.routes).toEqual(['GET /search', 'GET /slow']);
    expect(both.points.at(-1)?.values.routeP95Ms).toEqual({ 'GET /slow': 9, 'GET /new': 8 });
    const many = readRequests(
      listOf(
        100_000,
        Array.from({ length: maxPoints + 5 }, () => 5),
      ),
      't1',
    );
    expect(withNewer(whole, many).points.length).toBe(maxPoints);
    expect(continuesAtMs(readRequests(listOf(0, []), 't1'))).toBeNull();
  });

  it('say why there are none', () => {
    const off = { name: 'otlp', state: 'off', reason: 'it was turned off', remedy: 'Set --otlp-address.' } as const;
    const about = { otlp: undefined, range, isOneOfSeveral: false };
    const some = readRequests(listOf(10_000, [5]), 't1');
    const none = readRequests({ ...listOf(0, []), since: null }, 't1');
    expect(requestsObstacle(some, { ...about, otlp: off })).toBeNull();
    expect(requestsObstacle(none, { ...about, otlp: off })).toBe(
      'Spans are not received: it was turned off. Set --otlp-address.',
    );
    expect(requestsObstacle(none, about)).toContain('OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318');
    const late = readRequests({ ...listOf(0, []), since: iso(990_000) }, 't1');
    expect(requestsObstacle(late, about)).toContain('are being counted');
    expect(requestsObstacle(late, { ...about, range: { ...range, toMs: 980_000 } })).toContain(
      'no request before that',
    );
    const other = { ...about, range: { ...range, fromMs: 500_000 } };
    expect(requestsObstacle(some, other)).toContain('of this time');
    expect(requestsObstacle(some, { ...other, isOneOfSeveral: true })).toContain('process.pid');
  });
});

describe('series chosen from the metrics page', () => {
  const labels = { country: 'F"R\\', a: 'x' };
  const text = 'orders_total{a="x",country="F\\"R\\\\"}';

  it('are in the link, at most four, each once', () => {
    expect(textOfSeries({ name: 'orders_total', labels })).toBe(text);
    expect(readChosen({ s1: text, s2: 'up', s3: 'up', s4: 'no name' })).toEqual([
      { text, name: 'orders_total', match: '{a="x",country="F\\"R\\\\"}' },
      { text: 'up', name: 'up', match: undefined },
    ]);
    expect(withSeries({ s1: text }, 'up')).toEqual({ s1: text, s2: 'up', s3: null, s4: null });
    expect(withoutSeries({ s1: text, s2: 'up' }, text)).toEqual({ s1: 'up', s2: null, s3: null, s4: null });
    expect(withSeries({ s1: 'a', s2: 'b', s3: 'c', s4: 'd' }, 'e')).toEqual({ s1: 'a', s2: 'b', s3: 'c', s4: 'd' });
  });

  it('are drawn as rates where they count up, in their unit', () => {
    const about = { family: 'orders', type: 'counter', unit: null } as const;
    const list: SeriesList = seriesListSchema.parse({
      targetId: 't1',
      from: '2026-01-01T00:00:00.000Z',
      to: '2026-01-01T00:01:00.000Z',
      stepMs: 0,
      scrape: null,
      times: ['2026-01-01T00:00:00.000Z', '2026-01-01T00:00:15.000Z', '2026-01-01T00:00:30.000Z'],
      series: [
        { ...about, name: 'orders_total', labels: { ...labels, b: 'y' }, isCumulative: true, values: [], rates: [] },
        { ...about, name: 'orders_total', labels, isCumulative: true, values: [5, 20, 20], rates: [null, 1, 0] },
      ],
      total: 2,
      nextCursor: null,
    });
    const [chosen] = readChosen({ s1: text });
    const found = findSeries(list, chosen!)!;
    expect(found.values).toEqual([5, 20, 20]);
    const history = historyOfSeries(list, found);
    expect(history.stepMs).toBe(15_000);
    expect(history.points.map(({ values }) => values)).toEqual([null, 1, 0]);
    expect(planOfSeries(chosen!, found).format(1.2345)).toBe('1.23/s');
    const [bytes] = readChosen({ s1: 'cache_bytes' });
    expect(planOfSeries(bytes!, { unit: null, isCumulative: false }).format(2048)).toBe('2 KiB');
  });
});
