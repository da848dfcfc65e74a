import { expect, test } from 'vitest';
import { compare, type Verdict } from '../../agent/baseline/comparison.ts';
import { BaselineRun, runTimes } from '../../agent/baseline/run.ts';
import { extraValues } from '../../agent/baseline/scraped-values.ts';
import { Series } from '../../agent/baseline/series.ts';
import { parseSeriesRule } from '../../agent/baseline/series-rule.ts';
import { indexInMemory } from '../../agent/vitals/history.ts';
import { MetricsParser } from '../../protocol/prometheus/parser.ts';

const targetId = 't1';
const minuteMs = 60_000;
const rules = [
  'rate(shop_http_requests_total{code=500}) +50% 0.1',
  'value(workers_ready) -30%',
  'p99(job_seconds) +100% 0.2',
].map((text) => parseSeriesRule(text) ?? expect.fail(`${text} is no rule`));

interface Minute {
  readonly requests: number;
  readonly errors: number;
  readonly workers: number;
  readonly slowJobs: number;
}

const usual: Minute = { requests: 600, errors: 12, workers: 10, slowJobs: 0 };

/** Reads a page a minute, then closes the window, as the agent does. */
function follow(minutes: readonly Minute[]): { run: BaselineRun; verdicts: Verdict[] } {
  const clock = { ms: 0 };
  const elapsed = { now: () => clock.ms, elapsedMs: () => clock.ms };
  const log = { error: () => undefined };
  const series = new Series({ index: indexInMemory(), budgetBytes: 2 ** 30, log, ...elapsed });
  const parser = new MetricsParser();
  const run = new BaselineRun({ startedMs: 0, attachedMs: 0, times: { ...runTimes(minuteMs), settled: 5 } });
  let sum: Minute = { requests: 0, errors: 0, workers: 0, slowJobs: 0 };
  let jobs = 0;
  for (const { requests, errors, workers, slowJobs } of minutes) {
    const fromMs = clock.ms;
    clock.ms += minuteMs;
    jobs += 100;
    sum = {
      requests: sum.requests + requests,
      errors: sum.errors + errors,
      workers,
      slowJobs: sum.slowJobs + slowJobs,
    };
    const page = Buffer.from(pageOf(sum, jobs));
    const facts = {
      targetId,
      at: new Date(clock.ms).toISOString(),
      by: 'agent',
      format: 'text',
      durationMs: 1,
    } as const;
    series.add(parser.parse(page, 'text'), { ...facts, sizeBytes: page.length });
    const { counterLoad, values } = extraValues(series, { targetId, rules, windowMs: minuteMs });
    const load = counterLoad === null ? {} : { load: counterLoad };
    run.add(
      {
        fromMs,
        toMs: clock.ms,
        values: { utilization: 0.5, 'heap-floor': 5e7, ...load, ...values },
        loadSource: counterLoad === null ? 'unknown' : 'counter',
        routeRequests: {},
      },
      { takenAt: '2026-01-31T00:00:00.000Z', series: [] },
    );
  }
  const [windows, baseline] = [run.lasting, run.settled];
  const verdicts =
    windows === undefined || baseline === undefined
      ? []
      : compare(windows, baseline, { cpuShare: 0.5, memoryShare: 0.3, series: rules });
  return { run, verdicts };
}

function pageOf({ requests, errors, workers, slowJobs }: Minute, jobs: number): string {
  return [
    '# TYPE shop_http_requests_total counter',
    `shop_http_requests_total{code="200"} ${requests - errors}`,
    `shop_http_requests_total{code="500"} ${errors}`,
    '# TYPE workers_ready gauge',
    `workers_ready ${workers}`,
    '# TYPE job_seconds histogram',
    `job_seconds_bucket{le="0.1"} ${jobs - slowJobs}`,
    `job_seconds_bucket{le="1"} ${jobs}`,
    `job_seconds_bucket{le="+Inf"} ${jobs}`,
    `job_seconds_sum ${jobs / 20}`,
    `job_seconds_count ${jobs}`,
    '',
  ].join('\n');
}

const worse = (verdicts: readonly Verdict[]) => verdicts.filter(({ isWorse }) => isWorse).map(({ measure }) => measure);

test('rates, values and quantiles of series are compared by the rules of the configuration, each in its direction', () => {
  const steady = Array.from({ length: 10 }, () => usual);
  const changed = (minute: Partial<Minute>) => [
    ...steady,
    ...Array.from({ length: 6 }, () => ({ ...usual, ...minute })),
  ];
  expect(worse(follow([...steady, ...steady]).verdicts)).toEqual([]);
  expect(worse(follow(changed({ errors: 30 })).verdicts)).toEqual(['series rate(shop_http_requests_total{code=500})']);
  expect(worse(follow(changed({ errors: 14 })).verdicts)).toEqual([]);
  expect(worse(follow(changed({ workers: 6 })).verdicts)).toEqual(['series value(workers_ready)']);
  expect(worse(follow(changed({ workers: 20 })).verdicts)).toEqual([]);
  expect(worse(follow(changed({ slowJobs: 30 })).verdicts)).toEqual(['series p99(job_seconds)']);
});

test("a counter of the application's own name is the load where there are no spans", () => {
  const { run } = follow(Array.from({ length: 10 }, () => usual));
  expect(run.settled).toMatchObject({ loadSource: 'counter', measures: { load: { median: 10 } } });
});
