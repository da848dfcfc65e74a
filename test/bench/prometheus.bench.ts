import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Series } from '../../agent/baseline/series.ts';
import { indexInMemory } from '../../agent/vitals/history.ts';
import { MetricsParser } from '../../protocol/prometheus/parser.ts';
import { formatSpread, spreadOf } from './support.ts';
import type { Bench } from './support.ts';

/** Pieces as they come from a socket. */
const pieceBytes = 64 * 1024;

/** How fast is a metrics page read, the first time and every later one, and how long does the agent's event loop wait for it? */
export const bench: Bench = async ({ quick, signal }) => {
  const fixture = join(import.meta.dirname, '../fixtures/prom/prom-client-15-express.prom.txt');
  const pages = { 'prom-client, 21 kB': await readFile(fixture), 'histogram of 560 routes, 2 MB': largePage(560) };
  const rows = [];
  for (const [name, page] of Object.entries(pages)) {
    const warm = new MetricsParser();
    const { series } = warm.parse(page, 'text');
    const repeats = Math.ceil((quick ? 5e6 : 60e6) / page.length);
    const first = measured(Math.min(repeats, quick ? 20 : 300), () => new MetricsParser().parse(page, 'text'));
    const later = measured(repeats, () => warm.parse(page, 'text'));
    signal.throwIfAborted();
    rows.push({
      page: name,
      bytes: page.length,
      series: series.length,
      'first: MB/s': megabytesPerSecond(page, first),
      'later: MB/s': megabytesPerSecond(page, later),
      'later: ms': formatSpread(spreadOf(later)),
      'longest piece of 64 kB, first: ms': Math.max(...pieceTimes(page)).toFixed(1),
      'kept: ms': formatSpread(spreadOf(keepTimes(page, quick ? 5 : 30))),
    });
  }
  return [
    {
      title: 'Reading a metrics page',
      note: '`first`: a new parser each time; `later`: the parser that has seen the page; MB/s of the median, with the slowest and the quickest run; `kept`: the series of a page that was seen before, into the rows in memory and in SQLite (in memory); one process, after warming up',
      rows,
    },
  ];
};

function measured(repeats: number, work: () => unknown): number[] {
  for (let repeat = 0; repeat < Math.min(20, repeats); repeat++) work();
  return Array.from({ length: repeats }, () => {
    const startMs = performance.now();
    work();
    return performance.now() - startMs;
  });
}

function megabytesPerSecond(page: Uint8Array, timesMs: readonly number[]): string {
  return formatSpread(spreadOf(timesMs.map((ms) => page.length / ms / 1000)), 0);
}

function pieceTimes(page: Uint8Array): number[] {
  const reader = new MetricsParser().begin('text');
  const times: number[] = [];
  for (let at = 0; at < page.length; at += pieceBytes)
    times.push(...timesOf(() => reader.push(page.subarray(at, at + pieceBytes))));
  return [...times, ...timesOf(() => reader.finish())];
}

function timesOf(work: () => unknown): number[] {
  const startMs = performance.now();
  work();
  return [performance.now() - startMs];
}

function keepTimes(bytes: Uint8Array, repeats: number): number[] {
  using index = indexInMemory();
  let atMs = Date.now();
  const series = new Series({ index, budgetBytes: 2 ** 31, log: { error() {} }, now: () => atMs });
  const page = new MetricsParser().parse(bytes, 'text');
  const keep = (): void => {
    atMs += 60_000;
    const at = new Date(atMs).toISOString();
    series.add(page, { targetId: 't1', at, by: 'agent', format: 'text', durationMs: 1, sizeBytes: bytes.length });
  };
  keep();
  return measured(repeats, keep);
}

function largePage(routes: number): Uint8Array {
  const bounds = ['0.005', '0.01', '0.025', '0.05', '0.1', '0.25', '0.5', '1', '2.5', '5', '10', '+Inf'];
  const lines = [
    '# HELP http_request_duration_seconds Time to the last byte',
    '# TYPE http_request_duration_seconds histogram',
  ];
  for (let route = 0; route < routes; route++) {
    const labels = `method="GET",route="/api/v1/customers/{customer}/orders/${route}",status_code="200",service="shop",zone="eu-central-1a",instance="shop-7f9c4d5b6-x2x4z"`;
    for (const [index, bound] of bounds.entries())
      lines.push(`http_request_duration_seconds_bucket{le="${bound}",${labels}} ${route * index}`);
    lines.push(`http_request_duration_seconds_sum{${labels}} ${route * 1.234567}`);
    lines.push(`http_request_duration_seconds_count{${labels}} ${route * 11}`);
    for (let shard = 0; shard < 4; shard++) lines.push(`cache_entries{${labels},shard="${shard}"} ${shard * 17.5}`);
  }
  return Buffer.from(`${lines.join('\n')}\n`);
}
