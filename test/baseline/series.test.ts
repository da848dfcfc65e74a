import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { listSeries } from '../../agent/baseline/series-query.ts';
import { metricsOfProfile } from '../../agent/baseline/profile-metrics.ts';
import { keptMax, Series } from '../../agent/baseline/series.ts';
import { openIndex } from '../../agent/store/index-database.ts';
import type { RecordIndex } from '../../agent/store/record-table.ts';
import { indexInMemory } from '../../agent/vitals/history.ts';
import { SidescopeError } from '../../protocol/error.ts';
import { MetricsParser } from '../../protocol/prometheus/parser.ts';
import type { Scrape } from '../../protocol/rest/series.ts';

const startMs = Date.parse('2026-01-31T12:00:00Z');
const minute = 60_000;
const targetId = 't1';

/** Pages one after the other, a minute apart unless a test says otherwise. */
function simulated(options: { index?: RecordIndex; budgetBytes?: number } = {}) {
  const { index = indexInMemory(), budgetBytes = 2 ** 31 } = options;
  const logged: string[] = [];
  const clock = { ms: startMs };
  const log = { error: (_: object, message: string) => logged.push(message) };
  const series = new Series({ index, budgetBytes, log, now: () => clock.ms, elapsedMs: () => clock.ms });
  const parser = new MetricsParser();
  const scrapes: Scrape[] = [];
  series.on('scrape', (scrape) => scrapes.push(scrape));
  const read = (page: string, afterMs = minute) => {
    clock.ms += afterMs;
    const at = new Date(clock.ms).toISOString();
    const facts = { targetId, at, by: 'agent', format: 'text', durationMs: 1, sizeBytes: page.length } as const;
    series.add(parser.parse(Buffer.from(page), 'text'), facts);
  };
  const list = (query: Parameters<typeof listSeries>[1] = {}) =>
    listSeries({ store: series.store, targetId, nowMs: clock.ms }, query);
  return { series, read, list, clock, scrapes, logged };
}

const jobs = (value: number) => `# TYPE jobs_total counter\njobs_total{queue="mail"} ${value}\n`;
const name = 'jobs_total';

test('a counter has a rate over a window: restarts and resets taken out, several label sets added', () => {
  const { series, read } = simulated();
  read(jobs(100));
  expect(series.rate({ targetId, name }, 5 * minute)).toBeNull();
  read(jobs(160));
  expect(series.rate({ targetId, name }, 5 * minute)).toBe(1);
  read(`${jobs(60)}jobs_total{queue="sms"} 60\n`);
  // 60 after the reset and 60 of the new queue, with the 60 before: in two minutes.
  expect(series.rate({ targetId, name }, 5 * minute)).toBe(1.5);
  expect(series.rate({ targetId, name }, minute)).toBe(2);
  expect(series.rate({ targetId, name, labels: { queue: 'sms' } }, minute)).toBe(1);
  expect(series.rate({ targetId, name: 'nothing' }, minute)).toBeNull();
  expect(series.rate({ targetId: 'nobody', name }, minute)).toBeNull();
  expect(series.value({ targetId, name })).toBe(120);
});

test('of a target that is forgotten nothing is in memory; what was written is kept', () => {
  const { series, read, list } = simulated();
  read(jobs(100));
  series.forget('t2');
  expect(series.latest(targetId)).toBeDefined();
  series.forget(targetId);
  expect([series.latest(targetId), series.lastScrape(targetId), series.recent(targetId)]).toEqual([
    undefined,
    undefined,
    [],
  ]);
  expect(list().series).toMatchObject([{ name, values: [100] }]);
});

test('a new process is one even where its counter has overtaken the old one', () => {
  const { series, read } = simulated();
  read(`process_start_time_seconds 1000\n${jobs(50)}`);
  read(`process_start_time_seconds 2000\n${jobs(120)}`);
  expect(series.rate({ targetId, name }, minute)).toBe(2);
});

test('what drops to zero is zero, and what is gone from the page has no value', () => {
  const { series, read, list } = simulated();
  read('# TYPE open gauge\nopen 5\n# TYPE kept gauge\nkept 1');
  read('# TYPE open gauge\nopen 0\n# TYPE kept gauge\nkept 1');
  read('# TYPE kept gauge\nkept Nan');
  expect(list({ name: 'open' }).series).toMatchObject([{ values: [5, 0, null], rates: null }]);
  expect(list({ name: 'kept' }).series).toMatchObject([{ values: [1, 1, null] }]);
  expect(series.value({ targetId, name: 'open' })).toBeNull();
  expect(series.latest(targetId)).toMatchObject({ samples: [], scrape: { series: 1, error: null } });
  read('');
  expect(series.latest(targetId)?.scrape).toMatchObject({ series: 0, error: null });
});

test('a metric that changes its type is another series from then on', () => {
  const { series, read, list } = simulated();
  read('# TYPE a gauge\na 5');
  read('# TYPE a counter\na 6');
  read('# TYPE a counter\na 66');
  expect(list().series).toMatchObject([
    { name: 'a', type: 'gauge', values: [5, null, null] },
    { name: 'a', type: 'counter', values: [null, 6, 66], rates: [null, 0.1, 1] },
  ]);
  expect(series.rate({ targetId, name: 'a' }, minute)).toBe(1);
});

test('a histogram has quantiles of what it observed in the window, over all label sets or one', () => {
  const { series, read } = simulated();
  const page = (fast: number, slow: number) =>
    ['# TYPE took histogram']
      .concat(
        [
          ['/fast', fast, fast],
          ['/slow', 0, slow],
        ].flatMap(([route, first, all]) => [
          `took_bucket{route="${route}",le="0.1"} ${first}`,
          `took_bucket{route="${route}",le="1"} ${all}`,
          `took_bucket{route="${route}",le="+Inf"} ${all}`,
        ]),
      )
      .join('\n');
  read(page(1_000, 1_000));
  expect(series.quantile({ targetId, name: 'took', q: 0.5 }, minute)).toBeNull();
  read(page(1_010, 1_010));
  expect(series.quantile({ targetId, name: 'took', q: 0.25 }, minute)).toBeCloseTo(0.05);
  expect(series.quantile({ targetId, name: 'took', q: 0.75 }, minute)).toBeCloseTo(0.55);
  expect(series.quantile({ targetId, name: 'took', q: 0.5, labels: { route: '/fast' } }, minute)).toBeCloseTo(0.05);
  read(page(1_010, 1_010));
  expect(series.quantile({ targetId, name: 'took', q: 0.5 }, minute)).toBeNull();
});

test('every page is an event, with the rate of each series since the page before', () => {
  const { series, read, scrapes } = simulated();
  const seen: unknown[] = [];
  series.on('scrape', () =>
    seen.push(
      series.latest(targetId)?.samples.map(({ series: { key }, value, ratePerSecond }) => [key, value, ratePerSecond]),
    ),
  );
  read(`${jobs(0)}# TYPE up gauge\nup 1`);
  read(`${jobs(30)}# TYPE up gauge\nup 1\nup 2`);
  expect(seen).toEqual([
    [
      ['jobs_total{queue="mail"}', 0, null],
      ['up', 1, null],
    ],
    [
      ['jobs_total{queue="mail"}', 30, 0.5],
      ['up', 1, null],
    ],
  ]);
  expect(scrapes.map(({ series: count, omitted, repeated }) => [count, omitted, repeated])).toEqual([
    [2, 0, 0],
    [2, 0, 1],
  ]);
  expect(
    series.over(targetId, 5 * minute).map(({ series: { key }, mean, ratePerSecond }) => [key, mean, ratePerSecond]),
  ).toEqual([
    ['jobs_total{queue="mail"}', 15, 0.5],
    ['up', 1, null],
  ]);
});

test('the wall clock may be set: rates are of the time that went by', () => {
  const { series, read, clock } = simulated();
  read(jobs(0));
  read(jobs(60));
  expect(series.rate({ targetId, name }, minute)).toBe(1);
  clock.ms -= 3_600_000;
  // The simulated clocks are one; a page "before" the last one has no rate rather than a wrong one.
  read(jobs(120), 0);
  expect(series.latest(targetId)?.samples[0]?.ratePerSecond).toBeNull();
  read(jobs(180));
  expect(series.latest(targetId)?.samples[0]?.ratePerSecond).toBe(1);
});

test('what a page said that comes no more is not what is now', () => {
  const { series, read, clock } = simulated();
  read(jobs(0));
  read(jobs(60));
  clock.ms += 5 * minute;
  expect(series.rate({ targetId, name }, minute)).toBe(1);
  clock.ms += minute;
  expect([series.rate({ targetId, name }, minute), series.value({ targetId, name })]).toEqual([null, null]);
  expect(series.latest(targetId)?.atMs).toBe(clock.ms - 6 * minute);
});

describe('what is kept', () => {
  test('survives the agent: series keep their place, and windows reach back', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'sidescope-series-'));
    const database = openIndex(join(directory, 'index.db'), { asideDirectory: directory, log: console });
    const index: RecordIndex = { inIndex: (_attempt, work) => work(database) };
    try {
      const first = simulated({ index });
      for (let value = 0; value < 5; value++) first.read(jobs(value * 60));
      const later = simulated({ index });
      later.clock.ms = first.clock.ms;
      later.read(jobs(300));
      expect(later.series.rate({ targetId, name }, 4 * minute)).toBe(1);
      expect(later.list().series).toMatchObject([{ values: [0, 60, 120, 180, 240, 300] }]);
    } finally {
      database.close();
      await rm(directory, { recursive: true });
    }
  });

  test('is every page for a day, then one in ten minutes, and a counter loses nothing', () => {
    const { read, list, clock } = simulated();
    for (let page = 0; page < 48 * 12; page++) read(jobs(page * 300), 5 * minute);
    const day = 24 * 3_600_000;
    const to = new Date(clock.ms - day - 10 * 3_600_000).toISOString();
    const from = new Date(clock.ms - 7 * day).toISOString();
    const old = list({ from, to, step: 1_000 });
    const gaps = new Set(
      old.times.slice(1).map((time, index) => Date.parse(time) - Date.parse(old.times[index] ?? '')),
    );
    expect([...gaps]).toEqual([10 * minute]);
    expect(new Set(old.series[0]?.rates?.slice(1))).toEqual(new Set([1]));
    const fresh = list({ from: new Date(clock.ms - 3_600_000).toISOString(), step: 1_000 });
    expect(fresh.times).toHaveLength(13);
  });

  test('is bounded in bytes: the oldest pages go first', () => {
    // A twentieth of it: 200 pages of one series have 52 bytes each.
    const { read, list, series, clock } = simulated({ budgetBytes: 20 * 52 * 200 });
    for (let page = 0; page < 1_000; page++) read(jobs(page), 1_000);
    const kept = series.store.rows(targetId, { fromMs: 0, toMs: clock.ms });
    expect(kept.length).toBeGreaterThan(150);
    expect(kept.length).toBeLessThan(320);
    expect(list({ name }).series[0]?.values.at(-1)).toBe(999);
  });

  test('is bounded in series: those beyond are counted', () => {
    const { read, scrapes, list, series } = simulated();
    const page = Array.from({ length: keptMax + 10 }, (_, index) => `a{n="${index}"} ${index}`).join('\n');
    read(page);
    read(page);
    expect(scrapes.map(({ series: count, omitted }) => [count, omitted])).toEqual([
      [keptMax + 10, 10],
      [keptMax + 10, 10],
    ]);
    expect([list().total, series.latest(targetId)?.samples.length]).toEqual([keptMax, keptMax]);
  });

  test('forgets a series that no page in more than a week had', () => {
    const { read, list } = simulated();
    read('gone 1\nhere 1');
    for (let page = 0; page < 12 * 24 * 2; page++) read('here 1', 30 * minute);
    expect(list().series.map((one) => one.name)).toEqual(['here']);
  });

  test('a full disk costs the history, is told once, and the rates go on', () => {
    const index = indexInMemory();
    let isFull = false;
    const { read, series, logged, list } = simulated({
      index: {
        inIndex: (attempt, work) => {
          if (isFull) throw new SidescopeError('disk-full', `${attempt}: no space left`);
          return index.inIndex(attempt, work);
        },
      },
    });
    read(jobs(0));
    isFull = true;
    read(jobs(60));
    read(`${jobs(120)}other 1`);
    expect(series.rate({ targetId, name }, 2 * minute)).toBe(1);
    expect(series.lastScrape(targetId)).toMatchObject({ series: 2, omitted: 1 });
    expect(logged).toHaveLength(1);
    isFull = false;
    read(`${jobs(180)}other 1`);
    expect(list().series).toMatchObject([{ values: [0, 180] }, { name: 'other', values: [null, 1] }]);
  });
});

describe('the list', () => {
  const filled = () => {
    const made = simulated();
    for (let page = 0; page < 3; page++)
      made.read(`http_a_count{route="/x",code="200"} ${page * 60}\nhttp_b_count{route="/y"} 1\nother 1`);
    return made;
  };

  test('filters by name with stars and by labels', () => {
    const { list } = filled();
    const keys = (query: Parameters<typeof list>[0]) => list(query).series.map((one) => one.name);
    expect(keys({})).toEqual(['http_a_count', 'http_b_count', 'other']);
    expect(keys({ name: 'http_*_count' })).toEqual(['http_a_count', 'http_b_count']);
    expect(keys({ name: '*b*' })).toEqual(['http_b_count']);
    expect(keys({ name: 'http' })).toEqual([]);
    expect(keys({ name: 'other*other' })).toEqual([]);
    expect(keys({ match: '{route="/x"}' })).toEqual(['http_a_count']);
    expect(keys({ match: '{code=""}' })).toEqual(['http_a_count', 'http_b_count', 'other']);
    expect(() => list({ match: '{route=/x}' })).toThrow('the value of label route is not in quotes');
    expect(() => list({ match: '{"name"}' })).toThrow('must be labels in braces');
  });

  test('comes in pages and in steps', () => {
    const { list } = filled();
    const first = list({ limit: 2 });
    expect([first.series.length, first.total]).toEqual([2, 3]);
    expect(list({ limit: 2, cursor: first.nextCursor ?? '' })).toMatchObject({
      series: [{ name: 'other' }],
      nextCursor: null,
    });
    expect(list({}).stepMs).toBe(0);
    expect(() => list({ cursor: 'other' })).toThrow('cursor: must be the `nextCursor`');
    expect(() => list({ cursor: 's999999' })).toThrow('cursor: must be of this query; its series may be gone');
    expect(list({ step: 10 * minute, name: 'other' }).times).toHaveLength(1);
    const now = new Date(startMs).toISOString();
    expect(() => list({ from: now, to: now })).toThrow('from: must be before `to`');
    expect(
      list({ from: now, to: new Date(startMs + 7 * 24 * 3_600_000).toISOString(), step: 1_000 }).stepMs,
    ).toBeGreaterThanOrEqual(302_400);
  });
});

test('a profile is told with what the series did before, during and after it', () => {
  const { read, series, clock } = simulated();
  const page = (jobCount: number, size: number) =>
    `${jobs(jobCount)}# TYPE size gauge\nsize ${size}\n# TYPE idle counter\nidle 0\n# TYPE took histogram\ntook_bucket{le="1"} ${jobCount}\ntook_bucket{le="+Inf"} ${jobCount}`;
  for (let minutes = 0; minutes < 6; minutes++) read(page(minutes * 60, 10));
  const startedAt = new Date(clock.ms + 10_000).toISOString();
  read(page(900, 20));
  const endedAt = new Date(clock.ms - 10_000).toISOString();
  for (let minutes = 1; minutes < 4; minutes++) read(page(900 + minutes * 60, 10));
  const profile = { id: 'p1', targetId, startedAt, endedAt };
  const answer = metricsOfProfile(series.store, profile, {});
  expect([answer.before?.pages, answer.during?.pages, answer.after?.pages, answer.note]).toEqual([6, 2, 4, null]);
  expect(answer.series.map((one) => [one.name, one.measure, one.before, one.during, one.after, one.change])).toEqual([
    ['jobs_total', 'rate', 1, 10, 1, 9],
    ['size', 'value', 10, 15, 12.5, 0.5],
    ['took', 'p50', 0.5, 0.5, 0.5, 0],
    ['took', 'p95', 0.95, 0.95, 0.95, 0],
    ['took', 'p99', 0.99, 0.99, 0.99, 0],
  ]);
  expect(metricsOfProfile(series.store, profile, { name: 'jobs*', limit: 1 }).total).toBe(1);
  const elsewhere = { ...profile, targetId: 'other' };
  expect(metricsOfProfile(series.store, elsewhere, {})).toMatchObject({
    series: [],
    during: null,
    note: 'the metrics page was not read around this profile',
  });
});
