import { expect, test } from 'vitest';
import { baselineOf } from '../../agent/baseline/baseline.ts';
import { BoundTally } from '../../agent/baseline/bound-tally.ts';
import { compare, loadChange, type Verdict } from '../../agent/baseline/comparison.ts';
import { surroundingCauses } from '../../agent/baseline/surroundings.ts';
import type { Window } from '../../agent/baseline/window.ts';
import { thresholds } from './simulation.ts';

/** A minute with so many requests a second and so much CPU, in cores. */
function windowOf({ load, cpu, ...others }: { load: number; cpu: number } & Record<string, number>): Window {
  const values = { load, cpu, 'cpu-per-request': (cpu * 1000) / load, ...others };
  return { fromMs: 0, toMs: 60_000, values, loadSource: 'spans', routeRequests: {} };
}

const lasting = (window: Window): Window[] => [window, window, window];
const baselineOfAll = (...windows: Window[]) =>
  baselineOf(
    windows,
    { kind: 'settled', isLate: false, takenAt: '2026-01-31T00:00:00.000Z', series: [] },
    new BoundTally(),
  );
const usual = baselineOfAll(...lasting(windowOf({ load: 20, cpu: 0.2 })));

const of = (windows: readonly Window[], measure: string, baseline = usual): Verdict | undefined =>
  compare(windows, baseline, thresholds).find((verdict) => verdict.measure === measure);

test('131 % more CPU at 1.8 times the requests is 28 % more of each: explained, with that said', () => {
  const verdict = of(lasting(windowOf({ load: 36, cpu: 0.462 })), 'cpu');
  expect(verdict).toMatchObject({ isWorse: true });
  expect(verdict?.change).toBeCloseTo(1.31);
  expect(verdict?.explanation).toBe(
    '1.8 times the requests, each at 28 % more CPU, which is not beyond the threshold and the noise',
  );
  expect(of(lasting(windowOf({ load: 36, cpu: 0.37 })), 'cpu')?.explanation).toBe(
    '1.8 times the requests, each at the CPU it had',
  );
});

test('more CPU than the threshold for each request is not explained by their number', () => {
  const worse = lasting(windowOf({ load: 36, cpu: 0.62 }));
  expect(of(worse, 'cpu')).toMatchObject({ isWorse: true, explanation: null });
  // One of the windows was well: per request not everything lasts, and yet the whole is far beyond.
  const [a, b] = worse as [Window, Window];
  expect(of([windowOf({ load: 36, cpu: 0.5 }), a, b], 'cpu')).toMatchObject({ isWorse: true, explanation: null });
});

test('a request of a window with few is compared with the chance that lies in so few, and of less than ten not at all', () => {
  const rare = baselineOfAll(...lasting(windowOf({ load: 0.5, cpu: 0.5 })));
  const perRequest = (load: number, cpu: number) => of(lasting(windowOf({ load, cpu })), 'cpu-per-request', rare);
  // Thirty a minute: by 70 % dearer is what three deviations of chance are above.
  expect(perRequest(0.36, 0.52)).toMatchObject({ isWorse: false });
  expect(perRequest(0.36, 0.72)?.isWorse).toBe(true);
  const fewer = baselineOfAll(...lasting(windowOf({ load: 0.05, cpu: 0.3 })));
  expect(of(lasting(windowOf({ load: 0.15, cpu: 0.8 })), 'cpu-per-request', fewer)).toBeUndefined();
  expect(of(lasting(windowOf({ load: 0.15, cpu: 0.8 })), 'cpu', fewer)?.explanation).toMatch(
    /^3\.0 times the requests/,
  );
});

test('a loop that turns late has the machine as a candidate, when its limit or its neighbours kept it from the CPU', () => {
  const baseline = baselineOfAll(
    ...lasting(windowOf({ load: 20, cpu: 0.2, 'delay-p99': 5, throttled: 0.01, 'load-average-1': 1.2 })),
  );
  const causesOf = (measure: string, others: Record<string, number>) => {
    const windows = lasting(windowOf({ load: 20, cpu: 0.2, 'delay-p99': 90, ...others }));
    const load = loadChange(windows, baseline);
    return surroundingCauses(measure, { windows, baseline, load }).map(({ kind, text }) => `${kind}: ${text}`);
  };
  const starved = { throttled: 0.4, 'load-average-1': 9 };
  expect(causesOf('delay-p99', starved)).toEqual([
    'machine: its CPU limit kept it waiting for 40 % of the time, 1 % at the baseline',
    'machine: the node is busier: its load average is 9.0, 1.2 at the baseline',
  ]);
  expect(causesOf('route-p95 GET /a', starved)).toHaveLength(2);
  expect(causesOf('cpu', starved)).toEqual([]);
  expect(causesOf('delay-p99', { throttled: 0.02, 'load-average-1': 1.9 })).toEqual([]);
  expect(causesOf('delay-p99', { load: 40 })).toEqual(['load: 2.0 times the requests of the baseline']);
});

test('a route may be called as something that every object has', () => {
  const routes = ['constructor', '__proto__', 'GET /'];
  const routeRequests = Object.fromEntries(routes.map((route) => [route, 2]));
  const rates = Object.fromEntries(routes.map((route) => [`route-rate ${route}`, 1]));
  const window = { ...windowOf({ load: 20, cpu: 0.2, ...rates }), routeRequests };
  expect(baselineOfAll(window, window).routeRequests).toEqual(Object.fromEntries(routes.map((route) => [route, 4])));
});
