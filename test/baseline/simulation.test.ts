import { beforeAll, describe, expect, test } from 'vitest';
import type { Baseline } from '../../protocol/rest/baseline.ts';
import { daily, hourMs, minuteMs, simulate, titles } from './simulation.ts';

const steady = () => 20;

/** What a version that ran for an hour leaves. */
let previous: Baseline;
beforeAll(() => {
  const { run } = simulate({ seed: 99, forMs: hourMs, rate: steady });
  if (run.settled === undefined) throw new Error(`it has not settled: ${run.settling}`);
  previous = run.settled;
});

describe.each([1, 2, 3])('with seed %i', (seed) => {
  test('24 hours of steady work alert nobody', () => {
    const { run, sent } = simulate({ seed, forMs: 24 * hourMs, rate: steady });
    expect(run.settled?.kind).toBe('settled');
    expect(titles(sent)).toEqual([]);
  });

  test('a day with a quiet night and a busy noon alerts nobody', () => {
    const { sent, run } = simulate({ seed, forMs: 24 * hourMs, rate: daily(30), previous });
    expect(run.settled?.loadSource).toBe('spans');
    expect(titles(sent)).toEqual([]);
  });

  test('the same program as a new version alerts nobody, and neither does one without traffic', () => {
    expect(titles(simulate({ seed, forMs: 2 * hourMs, rate: steady, previous }).changes)).toEqual([]);
    const cold = simulate({ seed, forMs: hourMs, rate: () => 0, previous });
    expect(titles(cold.sent)).toEqual([]);
    expect(cold.run.settled).toBeUndefined();
    expect(cold.run.settling).toMatch(/^load in 0 of the last 30 windows only$/);
    const waking = simulate({ seed, forMs: 2 * hourMs, rate: (atMs) => (atMs < hourMs ? 0 : 20), previous });
    expect(titles(waking.sent)).toEqual([]);
  });

  test('traffic that doubles is listed as the explanation, and not sent', () => {
    const rate = (atMs: number) => (atMs < hourMs ? 20 : 42);
    const { changes, sent } = simulate({ seed, forMs: 2 * hourMs, rate });
    expect(titles(sent)).toEqual([]);
    const cpu = changes.find(({ regression }) => regression.metric === 'cpu')?.regression;
    expect(cpu).toMatchObject({ outcome: 'explained', load: { source: 'spans' } });
    expect(cpu?.explanation).toMatch(/^2\.\d times the requests, each at the CPU it had$/);
  });

  test('in windows of seconds, with spans that come later than a window is long, doubled traffic is not sent either', () => {
    const options = { seed, windowMs: 5_000, spansLateMs: 13_000, forMs: 20 * minuteMs };
    const rate = (atMs: number) => (atMs < 10 * minuteMs ? 20 : 42);
    const { sent, changes } = simulate({ ...options, rate });
    expect(titles(sent)).toEqual([]);
    const cpu = changes.find(({ regression }) => regression.metric === 'cpu')?.regression;
    expect(cpu).toMatchObject({ outcome: 'explained' });
    const requestMs = (atMs: number) => (atMs < 10 * minuteMs ? 8 : 20);
    const slower = simulate({ ...options, rate, requestMs }).sent.map(({ regression }) => regression.metric);
    expect(slower).toContain('cpu');
  });

  test('a new version that needs twice the CPU for a request is found, whatever the traffic does meanwhile', () => {
    const slower = { seed, forMs: hourMs, requestMs: () => 16, previous };
    const same = simulate({ ...slower, rate: steady });
    expect(same.sent[0]?.regression).toMatchObject({
      metric: 'cpu',
      reference: { kind: 'previous-version', version: '1', isProvisional: false },
      outcome: 'sent',
      severity: 'warning',
      state: 'open',
    });
    expect(same.sent[0]?.regression.change).toBeGreaterThan(0.6);
    expect(same.sent[0]?.regression.significance).toBeGreaterThan(3);
    expect(simulate({ ...slower, rate: () => 40 }).sent[0]?.regression.metric).toBe('cpu');
    // At three quarters of the traffic the process as a whole does not stand out; a request does.
    expect(simulate({ ...slower, rate: () => 16 }).sent[0]?.regression.metric).toMatch(/^cpu(-per-request)?$/);
  });
});

test('memory that stays is a warning, and critical from half as much again; it ends when it is given back', () => {
  const grown = (mb: number) => (atMs: number) => (atMs > hourMs && atMs < 2 * hourMs ? mb : 0);
  const warned = simulate({ seed: 4, forMs: 3 * hourMs, rate: steady, heldMb: grown(42) });
  expect(warned.sent[0]?.regression).toMatchObject({ metric: 'heap-floor', severity: 'warning', outcome: 'sent' });
  const last = warned.changes.findLast(({ regression }) => regression.metric === 'heap-floor');
  expect(last).toMatchObject({ change: 'ended', regression: { state: 'ended', endReason: 'it is as before' } });
  const critical = simulate({ seed: 4, forMs: 3 * hourMs, rate: steady, heldMb: grown(120) });
  expect(critical.sent.some(({ regression }) => regression.severity === 'critical')).toBe(true);
});

test('critical memory is sent although the traffic explains it', () => {
  const rate = (atMs: number) => (atMs < hourMs ? 10 : 40);
  const heldMb = (atMs: number) => (atMs < hourMs ? 0 : 100);
  const { sent } = simulate({ seed: 5, forMs: 2 * hourMs, rate, heldMb });
  const memory = sent.filter(({ regression }) => regression.unit === 'bytes').at(-1)?.regression;
  expect(memory).toMatchObject({ severity: 'critical', outcome: 'sent' });
  expect(memory?.explanation).toMatch(/times the requests$/);
});

test('a route that gets slower at the same load is found by its name', () => {
  const latencyMs = (atMs: number) => (atMs < hourMs ? 40 : 90);
  const { sent } = simulate({ seed: 6, forMs: 2 * hourMs, rate: steady, latencyMs });
  expect(new Set(sent.map(({ regression }) => regression.metric))).toEqual(
    new Set(['route-p95 GET /a', 'route-p95 GET /b']),
  );
  const [first] = sent;
  expect(Date.parse(first?.regression.since ?? '') - Date.UTC(2026, 0, 31)).toBe(hourMs);
});

test('before it has settled, what is worse is listed as provisional and alerts nobody', () => {
  const requestMs = (atMs: number) => (atMs < 10 * minuteMs ? 8 : 20);
  const { changes, sent } = simulate({ seed: 7, forMs: 20 * minuteMs, rate: steady, requestMs });
  expect(titles(sent)).toEqual([]);
  expect(changes[0]?.regression).toMatchObject({
    metric: 'cpu',
    outcome: 'provisional',
    reference: { kind: 'provisional' },
  });
});

test('an agent that comes late counts from then on, and says so', () => {
  const { run } = simulate({ seed: 8, forMs: 3 * hourMs, attachedMs: 2 * hourMs, rate: steady });
  expect(run.provisional?.isLate).toBe(true);
  expect(Date.parse(run.provisional?.from ?? '') - Date.UTC(2026, 0, 31)).toBe(2 * hourMs + 2 * minuteMs);
  const early = simulate({ seed: 8, forMs: hourMs, rate: steady });
  expect(early.run.provisional).toMatchObject({ isLate: false, windows: 5 });
  expect(Date.parse(early.run.provisional?.to ?? '') - Date.UTC(2026, 0, 31)).toBe(7 * minuteMs);
});

test('without spans a counter of the application is the load, and without that the load is unknown', () => {
  const rate = (atMs: number) => (atMs < hourMs ? 20 : 42);
  const counted = simulate({
    seed: 9,
    forMs: 2 * hourMs,
    rate,
    hasSpans: false,
    extra: (atMs) => ({ counterLoad: rate(atMs - 30_000), values: {} }),
  });
  expect(titles(counted.sent)).toEqual([]);
  expect(counted.run.settled?.loadSource).toBe('counter');
  const blind = simulate({ seed: 9, forMs: 2 * hourMs, rate, hasSpans: false });
  expect(blind.sent[0]?.regression).toMatchObject({ metric: 'cpu', load: { source: 'unknown', ratio: null } });
});
