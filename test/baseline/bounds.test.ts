import { EventEmitter } from 'node:events';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { BoundTally } from '../../agent/baseline/bound-tally.ts';
import type { Regressions } from '../../agent/baseline/regressions.ts';
import { BaselineRun, runTimes } from '../../agent/baseline/run.ts';
import { WindowMaker } from '../../agent/baseline/window-maker.ts';
import type { Metrics } from '../../agent/telemetry/metrics.ts';
import { observeRegressions } from '../../agent/telemetry/observe-regressions.ts';
import { createRegressionMetrics } from '../../agent/telemetry/regression-metrics.ts';

test('requests of routes beyond a hundred count for the load, and are counted as left out', () => {
  const bounds = new BoundTally();
  const maker = new WindowMaker({ originMs: 0, windowMs: 1_000, lateMs: 0, bounds });
  const served = (route: string) => maker.addRequest({ route, durationMs: 5, endedMs: 500, cameMs: 500 });
  for (let route = 0; route < 103; route++) for (let i = 0; i < 2; i++) served(`GET /${route}`);
  expect(bounds.count('routes')).toBe(6);
  served('GET /7');
  expect(bounds.count('routes')).toBe(6);
});

test('measures beyond four hundred are left out of a baseline and counted, and it is whole otherwise', () => {
  const bounds = new BoundTally();
  const times = { ...runTimes(1_000), warmUp: 0, provisional: 2 };
  const run = new BaselineRun({ startedMs: 0, attachedMs: 0, times, bounds });
  const values = Object.fromEntries(Array.from({ length: 405 }, (_, index) => [`series s${index}`, index]));
  for (const fromMs of [0, 1_000])
    run.add(
      { fromMs, toMs: fromMs + 1_000, values, loadSource: 'unknown', routeRequests: {} },
      { takenAt: '2026-01-31T00:00:00.000Z', series: [] },
    );
  expect(Object.keys(run.provisional?.measures ?? {})).toHaveLength(400);
  expect(bounds.count('measures')).toBe(5);
});

test('what was left out is in the metrics, by what was full', async () => {
  const registry = new Registry();
  const bounds = new BoundTally();
  const regressions = Object.assign(new EventEmitter(), { open: () => [], profiles: { skipped: 2 }, bounds });
  using _ = observeRegressions(
    createRegressionMetrics([registry]) as unknown as Metrics,
    regressions as unknown as Regressions,
  );
  bounds.add('routes', 6);
  bounds.add('state-versions');
  const page = await registry.metrics();
  expect(page).toContain('sidescope_regression_bounds_total{bound="routes"} 6\n');
  expect(page).toContain('sidescope_regression_bounds_total{bound="measures"} 0\n');
  expect(page).toContain('sidescope_regression_bounds_total{bound="state-versions"} 1\n');
  expect(page).toContain('sidescope_version_profiles_skipped_total 2\n');
});
