import { expect, it } from 'vitest';
import { Series } from '../../agent/baseline/series.ts';
import { indexInMemory } from '../../agent/vitals/history.ts';
import { MetricsParser } from '../../protocol/prometheus/parser.ts';

const startMs = Date.parse('2026-01-31T12:00:00Z');
const targetId = 't1';
const windowMs = 180_000;

it('says of every moment what was said then: with pages that were missing, resets, and a page that went', () => {
  const clock = { ms: startMs };
  const log = { error: () => undefined };
  using index = indexInMemory();
  const series = new Series({ index, budgetBytes: 2e9, log, now: () => clock.ms, elapsedMs: () => clock.ms });
  const parser = new MetricsParser();
  const ask = (of: Pick<Series, 'value' | 'rate' | 'quantile'>) => ({
    value: of.value({ targetId, name: 'jobs_total', labels: { queue: 'mail' } }),
    all: of.value({ targetId, name: 'jobs_total' }),
    rate: of.rate({ targetId, name: 'jobs_total' }, windowMs),
    p95: of.quantile({ targetId, name: 'took_seconds', q: 0.95 }, windowMs),
    nothing: of.rate({ targetId, name: 'nothing' }, windowMs),
  });
  const said: { atMs: number; answers: ReturnType<typeof ask> }[] = [];
  let jobs = 0;
  let fast = 0;
  let slow = 0;
  for (let minute = 0; minute < 60; minute++) {
    jobs = minute % 23 === 22 ? 3 : jobs + ((minute * 7) % 13);
    fast += 10;
    slow += minute > 30 ? 5 : 0;
    // Two pages are missing here and there, and then ten.
    const isThere = minute % 11 < 9 && (minute < 40 || minute > 50);
    if (isThere) {
      const page = [
        '# TYPE jobs_total counter',
        `jobs_total{queue="mail"} ${jobs}`,
        minute > 10 ? `jobs_total{queue="sms"} ${minute}` : '',
        '# TYPE took_seconds histogram',
        `took_seconds_bucket{le="0.1"} ${fast}`,
        `took_seconds_bucket{le="1"} ${fast + slow}`,
        `took_seconds_bucket{le="+Inf"} ${fast + slow}`,
      ].join('\n');
      const at = new Date(clock.ms).toISOString();
      const facts = { targetId, at, by: 'agent', format: 'text', durationMs: 1, sizeBytes: page.length } as const;
      series.add(parser.parse(Buffer.from(`${page}\n`), 'text'), facts);
    }
    clock.ms += 30_000;
    said.push({ atMs: clock.ms, answers: ask(series) });
    clock.ms += 30_000;
  }
  const past = series.past(targetId, { fromMs: startMs, toMs: clock.ms });
  const then = said.map(({ atMs }) => {
    past.moveTo(atMs);
    return { atMs, answers: ask(past) };
  });
  expect(then).toEqual(said);
  expect(said.filter(({ answers }) => answers.rate !== null).length).toBeGreaterThan(30);
  expect(said.filter(({ answers }) => answers.value === null).length).toBeGreaterThan(3);
  expect(past.fromMs).toBe(startMs);
});
