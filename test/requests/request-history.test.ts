import { expect, it } from 'vitest';
import { RequestHistory } from '../../agent/requests/request-history.ts';
import { requestHistorySchema } from '../../protocol/rest/request-history.ts';
import type { RequestHistoryQuery } from '../../protocol/rest/request-history.ts';

const startMs = Date.parse('2026-01-31T12:00:00.000Z');
const iso = (offsetMs: number): string => new Date(startMs + offsetMs).toISOString();

function open() {
  const clock = { nowMs: startMs };
  const busiest: string[] = [];
  const history = new RequestHistory({ now: () => clock.nowMs, busiestRoutes: () => busiest });
  const add = (
    atOffsetMs: number,
    request: { durationMs?: number; failed?: boolean; name?: string; target?: string | null } = {},
  ): void => {
    const { durationMs = 10, failed = false, name = 'GET /a', target = 't1' } = request;
    const endMs = startMs + atOffsetMs;
    clock.nowMs = Math.max(clock.nowMs, endMs);
    history.add({ name, endMs, durationMs, failed }, target);
  };
  const read = (query: RequestHistoryQuery = {}) => requestHistorySchema.parse(history.read(query));
  return { clock, busiest, history, add, read };
}

it('tells of no request before the first', () => {
  const { read, clock } = open();
  clock.nowMs += 600_000;
  expect(read()).toMatchObject({ since: null, points: [], routes: [] });
});

it('puts requests into the step in which they ended, with failures and quantiles of that step', () => {
  const { add, read, clock } = open();
  for (let index = 0; index < 100; index++) add(1_000 + index * 10, { durationMs: index < 90 ? 10 : 1_000 });
  add(6_000, { failed: true, durationMs: 50 });
  add(21_000);
  clock.nowMs = startMs + 30_000;
  const { points, stepMs, completeTo } = read({ from: iso(0), to: iso(30_000), step: 5_000 });
  expect([stepMs, completeTo]).toEqual([5_000, iso(20_000)]);
  expect(points.map(({ at, requests, failed }) => [at, requests, failed])).toEqual([
    [iso(0), 100, 0],
    [iso(5_000), 1, 1],
    [iso(10_000), 0, 0],
    [iso(15_000), 0, 0],
  ]);
  const [first, second, silent] = points;
  expect(first!.p50Ms! / 10).toBeCloseTo(1, 1);
  expect(first!.p95Ms! / 1_000).toBeCloseTo(1, 1);
  expect(second!.p99Ms! / 50).toBeCloseTo(1, 1);
  expect(silent!.p95Ms).toBeNull();
});

it('sums up steps to longer ones, and says how much of the first and the last is known', () => {
  const { add, read, clock } = open();
  for (let second = 20; second < 140; second++) add(second * 1_000, { durationMs: second });
  clock.nowMs = startMs + 140_000;
  const { points } = read({ from: iso(0), to: iso(140_000), step: 60_000 });
  expect(points.map(({ requests, durationMs }) => [requests, durationMs])).toEqual([
    [40, 40_000],
    [60, 60_000],
    [10, 10_000],
  ]);
});

it('keeps single steps for an hour and minutes for a day, and no more', () => {
  const { add, read, clock } = open();
  const hours = 30;
  for (let minute = 0; minute < hours * 60; minute++) add(minute * 60_000 + 30_000);
  clock.nowMs = startMs + hours * 3_600_000;
  const day = read({ from: iso(0), to: iso(hours * 3_600_000), step: 60_000 });
  const held = day.points.reduce((sum, { requests }) => sum + requests, 0);
  expect(held).toBeGreaterThan(1_435);
  expect(held).toBeLessThanOrEqual(1_441);
  const fine = read({ from: iso((hours - 1) * 3_600_000), to: iso(hours * 3_600_000), step: 5_000 });
  expect(fine.points.at(-2)!.durationMs).toBe(5_000);
  expect(fine.points.reduce((sum, { requests }) => sum + requests, 0)).toBe(60);
  expect(read({ from: iso(0), to: iso(hours * 3_600_000), step: 5_000 }).points.length).toBeLessThanOrEqual(2_000);
});

it('keeps the latency of the busiest routes, and of targets apart', () => {
  const { add, read, clock, busiest } = open();
  busiest.push('GET /slow', 'GET /b', 'GET /c', 'GET /d');
  for (let index = 0; index < 50; index++) {
    add(1_000, { name: 'GET /slow', durationMs: 900 });
    add(1_100, { name: 'GET /b', durationMs: 20, target: 't2' });
    add(1_200, { name: `GET /rare/${index}`, durationMs: 5, target: null });
  }
  clock.nowMs = startMs + 20_000;
  const all = read();
  expect(all.routes).toEqual(['GET /slow', 'GET /b']);
  expect(all.points[0]!.requests).toBe(150);
  expect(all.points[0]!.routeP95Ms[0]! / 900).toBeCloseTo(1, 1);
  expect(read({ target: 't2' }).points[0]).toMatchObject({ requests: 50 });
  expect(read({ target: 't2' }).routes).toEqual(['GET /b']);
  expect(read({ target: 't9' }).points).toEqual([]);
});

it('takes a clock ahead for now, leaves out what is an hour old, and bounds the targets; both are counted', () => {
  const { add, read, clock, history } = open();
  clock.nowMs = startMs + 4_000_000;
  history.add({ name: 'a', endMs: clock.nowMs + 60_000, durationMs: 1, failed: false }, null);
  history.add({ name: 'a', endMs: startMs, durationMs: 1, failed: false }, null);
  for (let index = 0; index < 10; index++) add(4_000_000, { target: `t${index}` });
  clock.nowMs += 20_000;
  expect(read().points[0]!.requests).toBe(11);
  expect(history.left).toEqual({ late: 1, targets: 2, clock: 0 });
});

it('goes on when the clock is set back by hours; what it is ahead of is forgotten and counted, what is before it stays', () => {
  const { read, clock, history } = open();
  const busy = (fromMs: number, seconds: number): void => {
    for (let second = 0; second < seconds; second++) {
      clock.nowMs = fromMs + second * 1_000;
      history.add({ name: 'a', endMs: clock.nowMs, durationMs: 1, failed: false }, 't1');
    }
  };
  const day = { from: iso(-86_000_000), to: iso(86_000_000), step: 60_000 };
  busy(startMs, 60);
  busy(startMs + 5 * 3_600_000, 120);
  busy(startMs + 2 * 3_600_000, 30);
  clock.nowMs += 60_000;
  expect(history.left).toEqual({ late: 0, targets: 0, clock: 120 });
  const filled = read(day).points.filter(({ requests }) => requests > 0);
  expect(filled.map(({ at, requests }) => [at, requests])).toEqual([
    [iso(0), 60],
    [iso(2 * 3_600_000), 30],
  ]);
  clock.nowMs = startMs - 3_600_000;
  expect(read(day)).toMatchObject({ since: null, points: [] });
  busy(startMs - 3_600_000, 30);
  clock.nowMs += 60_000;
  expect(read(day).points[0]).toMatchObject({ at: iso(-3_600_000), requests: 30 });
  expect(history.left.clock).toBe(210);
});

it('takes small corrections of the clock for none', () => {
  const { read, clock, history, add } = open();
  add(100_000);
  clock.nowMs -= 30_000;
  history.add({ name: 'a', endMs: clock.nowMs, durationMs: 1, failed: false }, 't1');
  clock.nowMs += 120_000;
  expect(read().points.reduce((sum, { requests }) => sum + requests, 0)).toBe(2);
  expect(history.left).toEqual({ late: 0, targets: 0, clock: 0 });
});

it('counts as a plain list does, also what comes late to steps that are packed', () => {
  const { add, read, clock } = open();
  const all: { endMs: number; failed: boolean; durationMs: number }[] = [];
  let random = 7;
  const next = (below: number): number => (random = (random * 48_271) % 2_147_483_647) % below;
  for (let second = 1; second < 900; second++) {
    const lateMs = next(20) === 0 ? Math.min(second * 1_000 - 1, next(600_000)) : 0;
    const one = { endMs: second * 1_000 - lateMs, failed: next(9) === 0, durationMs: 1 + next(200_000) / 10 };
    all.push(one);
    add(one.endMs, { ...one, name: `GET /${next(3)}` });
  }
  clock.nowMs = startMs + 910_000;
  for (const { at, durationMs, requests, failed, p95Ms } of read({ from: iso(0), to: iso(900_000), step: 30_000 })
    .points) {
    const fromMs = Math.max(Date.parse(at) - startMs, all[0]!.endMs - (all[0]!.endMs % 5_000));
    const mine = all.filter(({ endMs }) => endMs >= fromMs && endMs < fromMs + durationMs);
    expect([requests, failed]).toEqual([mine.length, mine.filter((one) => one.failed).length]);
    const sorted = mine.map((one) => one.durationMs).toSorted((a, b) => a - b);
    expect(p95Ms! / sorted[Math.ceil(sorted.length * 0.95) - 1]!).toBeCloseTo(1, 0);
  }
});

it('refuses times that are not in order', () => {
  const { read } = open();
  expect(() => read({ from: iso(10), to: iso(0) })).toThrow('from: must be before `to`');
});
