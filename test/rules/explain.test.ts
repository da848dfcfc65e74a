import { expect, it } from 'vitest';
import { PastSeries } from '../../agent/baseline/past-series.ts';
import type { KeptSeries } from '../../agent/baseline/series-store.ts';
import { explainRule, type ExplainSources } from '../../agent/rules/explain.ts';
import type { Rule, RuleEvent, RuleLeaf, RuleWhen } from '../../agent/rules/rule.ts';
import type { Death } from '../../protocol/rest/deaths.ts';
import type { Alert } from '../../protocol/rest/alerts.ts';
import { ruleExplanationSchema } from '../../protocol/rest/rules.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import type { RouteStatistics } from '../../protocol/rest/timelines.ts';
import type { VitalsPoint } from '../../protocol/rest/vitals.ts';

const nowMs = Date.parse('2026-01-31T13:00:00Z');
const fromMs = nowMs - 3_600_000;
const at = (minute: number): string => new Date(fromMs + minute * 60_000).toISOString();
const queue: KeptSeries = {
  id: 7,
  name: 'queue_length',
  labels: {},
  key: 'queue_length',
  family: 'queue_length',
  type: 'gauge',
  role: 'value',
  isCumulative: false,
  unit: null,
};

function vitalsOf(points: readonly VitalsPoint[]): ExplainSources['monitor']['vitals'] {
  return ({ from = at(0), to = at(60) }) => ({
    targetId: 't1',
    from,
    to,
    stepMs: 1_000,
    latest: null,
    points: points.filter((point) => point.at >= from && point.at < to),
  });
}

/** Busy from minute 10 to 12; a queue of 50 from minute 20 on; a slow route from minute 30 to 35; one stall, and one alert of each kind. */
const hour: ExplainSources = {
  monitor: {
    vitals: vitalsOf(
      Array.from({ length: 720 }, (_, index) => {
        const minute = index / 12;
        return { at: at(minute), utilization: minute >= 10 && minute < 12 ? 0.97 : 0.2 } as VitalsPoint;
      }),
    ),
    listStalls: () => ({
      stalls: [{ kind: 'blocked', thread: 'main', noticedAt: at(40.02), summary: 'blocked for 3 s' } as Stall],
      nextCursor: null,
    }),
  },
  alerts: {
    list: ({ problem }) => ({
      alerts: [{ openedAt: at(50.01), title: `a ${problem}` } as Alert],
      nextCursor: null,
    }),
  },
  deaths: {
    list: () => ({
      deaths: [
        { cause: 'exit', exitCode: 0, at: at(45.01), summary: 'it ended by itself' },
        { cause: 'v8-out-of-memory', exitCode: null, at: at(55.01), summary: 'out of memory' },
      ] as Death[],
      nextCursor: null,
    }),
  },
  series: {
    past: () =>
      new PastSeries(
        Array.from({ length: 60 }, (_, minute) => ({
          atMs: fromMs + minute * 60_000,
          elapsedMs: fromMs + minute * 60_000,
          startedS: 0,
          ids: Uint32Array.of(queue.id),
          values: Float64Array.of(minute >= 20 ? 50 : 1),
        })),
        ({ name }) => (name === queue.name ? [queue] : []),
      ),
  },
  timelines: {
    routes: ({ untilMs = nowMs }) => {
      const isSlow = untilMs >= fromMs + 30 * 60_000 && untilMs < fromMs + 35 * 60_000;
      const route = { name: 'GET /a', count: 100, p95Ms: isSlow ? 900 : 20, errorShare: 0 } as RouteStatistics;
      return { from: at(5), to: at(60), quantileErrorShare: 0.05, sampling: null, otherRoots: 0, routes: [route] };
    },
  },
};

const bounds = { above: null, below: null, forMs: 0 };
const busy: RuleLeaf = { kind: 'metric', metric: 'utilization', ...bounds, above: 0.9, forMs: 60_000 };
const long: RuleLeaf = {
  kind: 'series',
  series: 'queue_length',
  labels: {},
  read: 'value',
  quantile: 0.95,
  ...bounds,
  above: 40,
};
const slow: RuleLeaf = { kind: 'route', route: '/a', read: 'p95', minRequests: 20, ...bounds, above: 500 };
const event = (name: RuleEvent): RuleLeaf => ({ kind: 'event', event: name });

async function explain(when: RuleWhen, changes: Partial<ExplainSources> = {}, limits: Partial<Rule['limits']> = {}) {
  const rule: Rule = {
    name: 'x',
    isEnabled: true,
    when,
    capture: undefined,
    limits: { cooldownMs: 7_200_000, max: 12, windowMs: 86_400_000, ...limits },
    keep: { isPinned: false, labels: {} },
    alert: 'info',
  };
  const now = { holds: false, leaves: [] };
  return ruleExplanationSchema.parse(
    await explainRule(rule, { targetId: 't1', sources: { ...hour, ...changes }, now, nowMs }),
  );
}

/** `10.5 min: why`. */
async function firings(when: RuleWhen, changes?: Partial<ExplainSources>): Promise<string[]> {
  return (await explain(when, changes)).wouldHaveFired.map(
    (firing) => `${Math.round((Date.parse(firing.at) - fromMs) / 600) / 100} min: ${firing.why}`,
  );
}

it('knows readings, series, routes and events of the last hour, alone and joined', async () => {
  expect(await firings(busy)).toEqual(['11 min: utilization is 0.9700, wanted above 0.9 for 60 s']);
  expect(await firings(long)).toEqual(['20 min: value of queue_length is 50, wanted above 40']);
  expect(await firings(slow)).toEqual(['30 min: p95 of /a is 900, wanted above 500']);
  expect(await firings(event('stall'))).toEqual(['40.02 min: stall: blocked for 3 s']);
  expect(
    await Promise.all(
      ['leak', 'memory', 'regression', 'exit', 'death'].map((name) => firings(event(name as RuleEvent))),
    ),
  ).toEqual([
    ['50.01 min: leak: a memory-leak'],
    ['50.01 min: memory: a memory-limit'],
    ['50.01 min: regression: a regression'],
    ['45.01 min: exit: it ended by itself'],
    ['55.01 min: death: out of memory'],
  ]);
  expect(await firings({ kind: 'all', of: [long, event('stall')] })).toEqual([
    '40.02 min: value of queue_length is 50, wanted above 40; stall: blocked for 3 s',
  ]);
  expect(await firings({ kind: 'all', of: [busy, event('stall')] })).toEqual([]);
  expect(await firings({ kind: 'any', of: [slow, busy] })).toEqual([
    '11 min: utilization is 0.9700, wanted above 0.9 for 60 s',
  ]);
});

it('counts how often it held, and what cooldown and limit would have kept back', async () => {
  const { readings, held, wouldHaveFired, suppressed } = await explain(long, {}, { cooldownMs: 1_800_000 });
  expect({ readings, held, fired: wouldHaveFired.length, suppressed }).toEqual({
    readings: 720,
    held: 480,
    fired: 2,
    suppressed: { cooldown: 2, limit: 0 },
  });
  expect(await explain(long, {}, { cooldownMs: 60_000, max: 3 })).toMatchObject({
    suppressed: { cooldown: 3, limit: 1 },
  });
});

it('begins anew after a time without readings', async () => {
  const { points } = hour.monitor.vitals({});
  const kept = points.filter((point) => {
    const minute = (Date.parse(point.at) - fromMs) / 60_000;
    return minute < 10.5 || minute > 11.5;
  });
  const monitor = { ...hour.monitor, vitals: vitalsOf(kept) };
  expect(await firings(busy, { monitor })).toEqual([]);
});

it('says what it cannot know, and why', async () => {
  const all: RuleWhen = { kind: 'any', of: [busy, long, slow, event('exit'), event('leak')] };
  expect((await explain(all)).notes).toEqual([
    `routes are known in steps of five minutes, since ${at(5)}: they are in memory, and end with the agent`,
    'of leak the beginnings of alerts are known, not when one grew worse or came back',
  ]);
  const { points } = hour.monitor.vitals({});
  const late = { ...hour.monitor, vitals: vitalsOf(points.slice(360)) };
  expect((await explain(busy, { monitor: late })).notes).toEqual([
    `readings begin at ${at(30)}: nothing is known of before`,
  ]);
  const none = { ...hour.monitor, vitals: vitalsOf([]) };
  expect(await explain(busy, { monitor: none })).toMatchObject({
    readings: 0,
    notes: ['there are no readings of the last hour: the target was not attached, or --vitals-interval is 0'],
  });
  expect((await explain(long, { series: undefined })).notes).toEqual([
    'series are not known: no page is read without --metrics-url',
  ]);
  expect((await explain(long, { series: { past: () => new PastSeries([], () => []) } })).notes).toEqual([
    'series are not known: no page was read in the last hour',
  ]);
  expect((await explain({ ...long, series: 'other' })).notes).toEqual(['no page had the series other with its labels']);
  expect((await explain({ ...slow, route: '/b' })).notes[1]).toBe('no spans of /b came in the last hour');
  const many = { ...hour.monitor, listStalls: () => ({ stalls: [], nextCursor: 'x' }) };
  expect((await explain(event('stall'), { monitor: many })).notes).toEqual([
    'of stall only the last ones of the hour are looked at',
  ]);
});
