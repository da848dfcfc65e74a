import { describe, expect, test } from 'vitest';
import { parseSeriesRule } from '../../agent/baseline/series-rule.ts';
import { describeOptions, resolveOptions } from '../../agent/options.ts';

const resolve = (argv: readonly string[], file?: string) =>
  resolveOptions({
    argv: file === undefined ? argv : [...argv, '--config', 'sidescope.yaml'],
    environment: {},
    readFile: async () => file ?? '',
    isTerminal: false,
  });

describe('--state-url', () => {
  test.each([
    ['/state', '/state'],
    ['./state of shops', './state of shops'],
    ['file:///var/lib/sidescope', '/var/lib/sidescope'],
    ['file:///with%20space', '/with space'],
  ])('%s is the directory %s', async (text, directory) => {
    const { options, problems } = await resolve(['--state-url', text]);
    expect([options.stateUrl, problems]).toEqual([directory, []]);
  });

  test('a bucket is taken as it is written', async () => {
    const text = 's3://bucket/prefix?endpoint=https://minio.example:9000&region=eu-central-1';
    const { options, problems } = await resolve(['--state-url', text]);
    expect([options.stateUrl, problems]).toEqual([text, []]);
  });

  test.each([
    's3://Bucket/prefix',
    's3://bucket/?region',
    'https://example.com/',
    'file://host/share',
    'file:///a%2Fb',
    ' ',
  ])('%s is refused', async (text) => {
    const { options, problems } = await resolve(['--state-url', text]);
    expect(options.stateUrl).toBeUndefined();
    expect(problems).toHaveLength(1);
  });
});

describe('a rule for a series', () => {
  test.each([
    ['rate(http_errors_total{code=500 method=GET}) +50% 0.1', 'rate', { code: '500', method: 'GET' }, 1, 0.5, 0.1],
    ['value(workers_ready) -30%', 'value', {}, -1, 0.3, 0],
    ['p99(job_seconds{queue=a=b}) +100% 2', { quantile: 0.99 }, { queue: 'a=b' }, 1, 1, 2],
    ['p99.9(job:seconds{}) +5%', { quantile: 0.999 }, {}, 1, 0.05, 0],
  ] as const)('%s is read', (text, ...expected) => {
    const rule = parseSeriesRule(text);
    const { read, labels, direction, share, atLeast } = rule ?? {};
    expect([read, labels, direction, share, atLeast]).toEqual(expected);
  });

  test.each([
    '',
    'http_errors_total +50%',
    'rate(http_errors_total) 50%',
    'rate(http_errors_total) +50',
    'rate(http_errors_total) +0%',
    'rate(http errors) +50%',
    'avg(x) +50%',
    'p100(x) +50%',
    'value(x) -101%',
    'rate(x{a}) +50%',
    'rate(x{a="b",c}) +50%',
    'rate(x) +50% -1',
  ])('%j is none', (text) => expect(parseSeriesRule(text)).toBeUndefined());

  test('comes from the file as a list, is shown as it was written, and needs a page', async () => {
    const rules = ['rate(http_errors_total{code=500}) +50% 0.1', 'value(workers_ready) -30%'];
    const file = `metrics-url: http://127.0.0.1:3000/metrics\nregression-series:\n${rules.map((rule) => `  - "${rule}"\n`).join('')}`;
    const resolved = await resolve([], file);
    expect(resolved.problems).toEqual([]);
    const shown = describeOptions(resolved).find(({ name }) => name === 'regression-series');
    expect(shown).toEqual({ name: 'regression-series', value: rules.join(','), source: 'file' });
    const { options, problems } = await resolve(['--regression-series', rules[0] ?? '']);
    expect(options.regressionSeries).toEqual([]);
    expect(problems.map(({ message }) => message)).toEqual([
      'regression-series is set and metrics-url is not; there are no series to compare',
    ]);
  });
});

test('thresholds and the window have their bounds', async () => {
  const { problems } = await resolve([
    '--regression-cpu',
    '0',
    '--regression-memory',
    '1.5',
    '--regression-interval',
    '10ms',
  ]);
  expect(problems.map(({ option }) => option)).toEqual(['regression-interval', 'regression-cpu', 'regression-memory']);
  expect((await resolve(['--regression-interval', '0'])).options.regressionIntervalMs).toBe(0);
});
