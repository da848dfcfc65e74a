import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Counter, Histogram, Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { formatOfContentType } from '../../protocol/prometheus/format.ts';
import type { MetricsFormat } from '../../protocol/prometheus/format.ts';
import type { MetricsPage } from '../../protocol/prometheus/model.ts';
import { MetricsParser } from '../../protocol/prometheus/parser.ts';
import { readWithPython } from './reference.ts';

const realPage = readFileSync(join(import.meta.dirname, '../fixtures/prom/prom-client-15-express.prom.txt'));

const parse = (page: string, format: MetricsFormat = 'text') => new MetricsParser().parse(Buffer.from(page), format);

/** `key value`, as on the page. */
const lines = ({ series, values }: MetricsPage) => series.map(({ key }, index) => `${key} ${values[index]}`);

const problem = (page: string, format: MetricsFormat = 'text') => {
  try {
    return lines(parse(page, format));
  } catch (error) {
    return `${(error as { code: string }).code}: ${(error as Error).message}`;
  }
};

describe('a real page of prom-client', () => {
  test('is read as Prometheus reads it: every sample, its labels and its value', () => {
    const page = new MetricsParser().parse(realPage, 'text');
    const expected = readWithPython(realPage, 'text');
    expect(expected).toHaveLength(216);
    expect(page.series.map(({ name, labels }, index) => ({ name, labels, value: page.values[index] }))).toEqual(
      expected.map(({ name, labels, value }) => ({ name, labels, value })),
    );
    expect(page.series.map(({ type }) => type)).toEqual(expected.map(({ type }) => type));
    expect([page.repeated, page.retyped, page.sizeBytes]).toEqual([0, [], realPage.length]);
  });

  test('cut into pieces anywhere it is the same page', () => {
    const parser = new MetricsParser();
    const whole = lines(parser.parse(realPage, 'text'));
    for (let size = 1; size < realPage.length; size = Math.ceil(size * 1.7)) {
      const reader = parser.begin('text');
      for (let at = 0; at < realPage.length; at += size) reader.push(realPage.subarray(at, at + size));
      expect(lines(reader.finish())).toEqual(whole);
    }
  });

  test('cut off anywhere it is a shorter page or a problem, and never a fault of ours', () => {
    const parser = new MetricsParser();
    const whole = new Set(lines(parser.parse(realPage, 'text')).map((line) => line.split(' ')[0]));
    for (let end = 0; end < realPage.length; end += 7) {
      try {
        const page = parser.parse(realPage.subarray(0, end), 'text');
        // All but the last line are whole.
        expect(page.series.slice(0, -1).every(({ key }) => whole.has(key.split(' ')[0] ?? ''))).toBe(true);
      } catch (error) {
        expect(error).toMatchObject({ code: 'unreadable-metrics' });
      }
    }
  });

  test('in OpenMetrics too, exemplars included', async () => {
    const registry = new Registry<typeof Registry.OPENMETRICS_CONTENT_TYPE>();
    registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    const registers = [registry];
    const shared = { help: 'with \\ and "quotes"', registers, enableExemplars: true };
    // The types want the labels of exemplars among those of the metric.
    const latency = new Histogram({ name: 'latency_seconds', labelNames: ['route', 'trace_id'], ...shared });
    const jobs = new Counter({ name: 'jobs', labelNames: ['queue', 'trace_id'], ...shared });
    for (const value of [0.004, 0.3, 70]) {
      const exemplarLabels = { trace_id: `t${value}` };
      latency.observe({ labels: { route: 'a "b" \\ {c},\nd=é' }, value, exemplarLabels });
      jobs.inc({ labels: { queue: 'mail' }, value, exemplarLabels });
    }
    const bytes = Buffer.from(await registry.metrics());
    const page = new MetricsParser().parse(bytes, 'openmetrics');
    const samples = page.series.map(({ name, labels, type }, index) => {
      const exemplar = page.exemplars.get(index);
      const own = exemplar === undefined ? undefined : { labels: exemplar.labels, value: exemplar.value };
      return { name, labels, value: page.values[index], type, exemplar: own };
    });
    expect(samples).toEqual(readWithPython(bytes, 'openmetrics'));
    expect(page.exemplars.size).toBe(4);
    expect(page.series.at(-1)).toMatchObject({ name: 'jobs_total', family: 'jobs', role: 'total', isCumulative: true });
  });
});

test.each([
  ['no value at all', '', []],
  ['blank lines, comments and a last line without end', '\n# hello\n\na 1', ['a 1']],
  ['tabs, spaces and CRLF', ' a\t 1 \r\nb  {x="1"}  2\t1700000000000\r\n', ['a 1', 'b{x="1"} 2']],
  ['a last comma', 'a{x="1",} 1\na{y="2", } 2', ['a{x="1"} 1', 'a{y="2"} 2']],
  ['every way to write no number', 'a Nan\nb NaN\nc nan\n', ['a NaN', 'b NaN', 'c NaN']],
  [
    'infinities in any case',
    'a +Inf\nb -inf\nc Inf\nd +infinity',
    ['a Infinity', 'b -Infinity', 'c Infinity', 'd Infinity'],
  ],
  [
    'numbers as they may be',
    'a 1e3\nb .5\nc -2.5E-3\nd 12345678901234567890\ne +7\nf 5.',
    ['a 1000', 'b 0.5', 'c -0.0025', 'd 12345678901234567000', 'e 7', 'f 5'],
  ],
  ['braces, commas and quotes in a value', 'a{route="/x/{id},\\"y\\""} 1', ['a{route="/x/{id},\\"y\\""} 1']],
  ['escapes, and what only looks like one', 'a{x="\\\\ \\n \\d"} 1', ['a{x="\\\\ \\n \\\\d"} 1']],
  ['names in quotes', '{"my.metric","my.label"="v"} 3', ['my.metric{my.label="v"} 3']],
  ['labels in any order, empty ones as none', 'a{z="1",b="2",c=""} 1', ['a{b="2",z="1"} 1']],
  ['no labels in braces', 'a{} 1', ['a 1']],
  ['an end of another format', 'a 1\n# EOF\nb 2', ['a 1', 'b 2']],
  ['a label called __proto__', 'a{__proto__="1"} 1', ['a{__proto__="1"} 1']],
])('reads %s', (_, page, expected) => {
  expect(problem(page)).toEqual(expected);
});

test.each([
  ['a word for a value', 'a 1\nb 1_000', 'unreadable-metrics: line 2: the value of b is "1_000", not a number'],
  ['a hexadecimal value', 'a 0x10', 'unreadable-metrics: line 1: the value of a is "0x10", not a number'],
  ['no value', 'a{b="c"}', 'unreadable-metrics: line 1: the value of a is "", not a number'],
  ['HTML', '<!doctype html>\n<html>', 'unreadable-metrics: line 1: "<!doctype" is not the name of a metric'],
  ['JSON', '{"a":1}', 'unreadable-metrics: line 1: the labels do not end at column 5'],
  ['a label twice', 'a{b="1",b="2"} 1', 'unreadable-metrics: line 1: label b is there twice'],
  ['labels without end', 'a{b="1} 1', 'unreadable-metrics: line 1: the labels have no end'],
  ['a value without quotes', 'a{b=1} 1', 'unreadable-metrics: line 1: the value of label b is not in quotes'],
  ['two names', 'a{"b"} 1', 'unreadable-metrics: line 1: the sample has two names, a and another'],
  ['no name', '{b="1"} 1', 'unreadable-metrics: line 1: the sample has no name'],
  ['a word behind the value', 'a 1 soon', 'unreadable-metrics: line 1: "soon" behind the value is not a time'],
  ['bytes that are no UTF-8', 'a{b="\xff"} 1', undefined],
])('refuses %s', (_, page, expected) => {
  if (expected !== undefined) expect(problem(page)).toBe(expected);
  else
    expect(() => new MetricsParser().parse(Buffer.from(page, 'latin1'), 'text')).toThrow(
      expect.objectContaining({ code: 'unreadable-metrics' }),
    );
});

describe('OpenMetrics', () => {
  test('ends with # EOF: a page that is cut is refused, as is one that goes on', () => {
    expect(problem('a 1\n', 'openmetrics')).toBe(
      'unreadable-metrics: line 1: the page ends without "# EOF": it is cut',
    );
    expect(problem('a 1\n# EOF\nb 2\n', 'openmetrics')).toBe(
      'unreadable-metrics: line 3: there is more behind "# EOF"',
    );
    expect(problem('a 1\n# EOF\n', 'openmetrics')).toEqual(['a 1']);
  });

  test('has times in seconds, where the text format has milliseconds', () => {
    const page = 'a 1 1700000000.5 # {t="x"} 0.5 1700000000\n# EOF\n';
    const { timestampsMs, exemplars } = parse(page, 'openmetrics');
    expect([...timestampsMs]).toEqual([[0, 1_700_000_000_500]]);
    expect(exemplars.get(0)).toEqual({ labels: { t: 'x' }, value: 0.5, timestampMs: 1_700_000_000_000 });
    expect([...parse('a 1 1700000000500').timestampsMs.values()]).toEqual([1_700_000_000_500]);
  });
});

test('a family is found by the type that the page declares, and by the name only where that says so', () => {
  const { series, families } = parse(
    [
      '# HELP handles_total a \\"gauge\\"',
      '# TYPE handles_total gauge',
      '# UNIT handles_total handles',
      'handles_total 4',
      '# TYPE size histogram',
      'size_count 1\nsize_sum 2\nsize_bucket{le="+Inf"} 1\nsize_created 1',
      '# TYPE took summary',
      'took{quantile="0.5"} 1\ntook_sum 2\ntook_count 1',
      'free_count 1',
      '# TYPE odd strange',
      'odd 1',
      '# TYPE jobs_total counter',
      'jobs_total 1',
    ].join('\n'),
  );
  expect(series.map(({ name, family, type, role, isCumulative }) => [name, family, type, role, isCumulative])).toEqual([
    ['handles_total', 'handles_total', 'gauge', 'value', false],
    ['size_count', 'size', 'histogram', 'count', true],
    ['size_sum', 'size', 'histogram', 'sum', true],
    ['size_bucket', 'size', 'histogram', 'bucket', true],
    ['size_created', 'size', 'histogram', 'created', false],
    ['took', 'took', 'summary', 'quantile', false],
    ['took_sum', 'took', 'summary', 'sum', true],
    ['took_count', 'took', 'summary', 'count', true],
    ['free_count', 'free_count', 'unknown', 'value', false],
    ['odd', 'odd', 'unknown', 'value', false],
    ['jobs_total', 'jobs_total', 'counter', 'total', true],
  ]);
  expect(families.get('handles_total')).toEqual({
    name: 'handles_total',
    type: 'gauge',
    help: 'a "gauge"',
    unit: 'handles',
  });
});

describe('from page to page', () => {
  test('a series stays the same object, however its labels are written, until it is gone for long', () => {
    const parser = new MetricsParser();
    const read = (page: string) => parser.parse(Buffer.from(page), 'text').series;
    const [first] = read('a{x="1",y="2"} 1');
    expect(read('a{y="2", x="1"} 2')[0]).toBe(first);
    expect(read('b 1')).toHaveLength(1);
    expect(read('a{x="1",y="2"} 1')[0]).toBe(first);
    for (let page = 0; page < 4; page++)
      read(Array.from({ length: 1_000 }, (_, index) => `c{page="${page}",n="${index}"} 1`).join('\n'));
    expect(read('a{x="1",y="2"} 1')[0]).not.toBe(first);
  });

  test('a metric that changes its type is of the new one', () => {
    const parser = new MetricsParser();
    const read = (type: string) => parser.parse(Buffer.from(`# TYPE a ${type}\na 1`), 'text').series[0]?.type;
    expect(['counter', 'gauge', 'counter'].map(read)).toEqual(['counter', 'gauge', 'counter']);
    expect(parser.parse(Buffer.from('a 1'), 'text').series[0]?.type).toBe('unknown');
  });

  test('a page that was refused leaves nothing behind', () => {
    const parser = new MetricsParser();
    expect(() => parser.parse(Buffer.from('# TYPE a counter\na 1\nb x'), 'text')).toThrow('line 3');
    expect(lines(parser.parse(Buffer.from('a 2\nb 3'), 'text'))).toEqual(['a 2', 'b 3']);
  });
});

test('of a series that is repeated the first sample counts, and of two types the first one', () => {
  const page = parse('# TYPE a counter\na{x="1"} 1\n# TYPE a gauge\na{x="1",y=""} 2\na 3');
  expect([lines(page), page.repeated, page.retyped]).toEqual([['a{x="1"} 1', 'a 3'], 1, ['a']]);
  expect(page.series[0]?.type).toBe('counter');
});

describe('a page that is too large', () => {
  const parser = new MetricsParser({ bytesMax: 1_000, seriesMax: 10 });
  test.each([
    ['in bytes', 'a 1\n'.repeat(300), 'the page has more than 1000 bytes, which is the limit'],
    [
      'in series',
      Array.from({ length: 11 }, (_, n) => `a${n} 1`).join('\n'),
      'the page has more than 10 series, which is the limit',
    ],
    [
      'in metrics',
      Array.from({ length: 11 }, (_, n) => `# TYPE a${n} gauge`).join('\n'),
      'the page has more than 10 metrics, which is the limit',
    ],
  ])('%s is refused with the limit', (_, page, message) => {
    expect(() => parser.parse(Buffer.from(page), 'text')).toThrow(
      expect.objectContaining({ code: 'metrics-too-large', message }),
    );
  });

  test('in one line is refused before it is whole', () => {
    const reader = new MetricsParser().begin('text');
    const push = () => {
      for (let piece = 0; piece < 100; piece++) reader.push(Buffer.from('a'.repeat(1_000)));
    };
    expect(push).toThrow('line 1: longer than 65536 characters');
  });
});

test('the format is what the content type says', () => {
  expect(formatOfContentType('application/openmetrics-text; version=1.0.0; charset=utf-8')).toBe('openmetrics');
  expect(formatOfContentType('text/plain')).toBe('text');
  expect(formatOfContentType(undefined)).toBe('text');
  expect(() => formatOfContentType('text/html; charset=utf-8')).toThrow(
    expect.objectContaining({ code: 'not-a-metrics-page' }),
  );
});
