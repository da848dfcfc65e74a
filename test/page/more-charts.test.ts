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
import {
  appendRequests,
  noRequestHistory,
  requestPlans,
  requestsObstacle,
} from '../../dashboard/model/request-charts.ts';
import type { SeriesList } from '../../protocol/rest/series.ts';
import { seriesListSchema } from '../../protocol/rest/series.ts';
import { sampleRoute } from './request-samples.ts';

const counts = (requests: number, failed: number) => ({ spans: requests * 3, requests, failed, timelines: 0 });
const live = { fromMs: 0, toMs: 1_000_000, isLive: true };

describe('the requests that the page sees', () => {
  const routes = [sampleRoute(), sampleRoute({ name: 'GET /slow', p95Ms: 900 })];

  it('are a rate, a share of failures and a latency per route from the second look on', () => {
    let history = appendRequests(noRequestHistory, { atMs: 10_000, counts: counts(100, 1), routes });
    history = appendRequests(history, { atMs: 15_000, counts: counts(150, 11), routes });
    history = appendRequests(history, { atMs: 20_000, counts: counts(150, 11), routes });
    const plans = requestPlans(routes.map(({ name }) => name));
    const read = plans.flatMap(({ series }) => series.map((one) => one.read));
    expect(plans.flatMap(({ series }) => series.map(({ label }) => label)).slice(2)).toEqual([
      'GET /search',
      'GET /slow',
    ]);
    expect(columnsOf(history, read)).toEqual([
      [10, 15, 20],
      [null, 10, 0],
      [null, 0.2, null],
      [700, 700, 700],
      [900, 900, 900],
    ]);
  });

  it('begin anew when the agent did, and are bounded', () => {
    let history = appendRequests(noRequestHistory, { atMs: 5_000, counts: counts(100, 0), routes: [] });
    history = appendRequests(history, { atMs: 10_000, counts: counts(3, 0), routes: [] });
    expect(history.points.at(-1)?.values.ratePerSecond).toBeNull();
    for (let look = 0; look < maxPoints + 5; look += 1) {
      history = appendRequests(history, { atMs: 20_000 + look * 5_000, counts: counts(look, 0), routes: [] });
    }
    expect(history.points.length).toBe(maxPoints);
  });

  it('say why there are none', () => {
    const off = { name: 'otlp', state: 'off', reason: 'it was turned off', remedy: null } as const;
    const about = { otlp: undefined, counts: counts(1, 0), range: live };
    const one = appendRequests(noRequestHistory, { atMs: 5_000, counts: counts(1, 0), routes: [] });
    const two = appendRequests(one, { atMs: 10_000, counts: counts(2, 0), routes: [] });
    expect(requestsObstacle(two, { ...about, otlp: off })).toBe('Spans are not received: it was turned off.');
    expect(requestsObstacle(noRequestHistory, { ...about, counts: null })).toContain('No span came');
    expect(requestsObstacle(one, about)).toContain('five seconds apart');
    expect(requestsObstacle(two, { ...about, range: { ...live, fromMs: 500_000 } })).toContain('not in this time');
    expect(requestsObstacle(two, about)).toBeNull();
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
