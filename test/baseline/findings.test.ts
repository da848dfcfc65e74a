import { expect, test } from 'vitest';
import { baselineOf } from '../../agent/baseline/baseline.ts';
import { BoundTally } from '../../agent/baseline/bound-tally.ts';
import { Findings } from '../../agent/baseline/findings.ts';
import { compareAll } from '../../agent/baseline/references.ts';
import type { Window } from '../../agent/baseline/window.ts';
import { thresholds } from './simulation.ts';

const minuteMs = 60_000;
const usual = { load: 20, cpu: 0.2, 'cpu-per-request': 10 };
const dearer = { load: 20, cpu: 0.28, 'cpu-per-request': 30 };

function windowAt(minute: number, values: Record<string, number>): Window {
  return { fromMs: minute * minuteMs, toMs: (minute + 1) * minuteMs, values, loadSource: 'spans', routeRequests: {} };
}

/** What is found of a run with this baseline, by the minute. */
function watched() {
  const findings = new Findings();
  const baseline = baselineOf(
    Array.from({ length: 30 }, (_, minute) => windowAt(minute - 30, usual)),
    { kind: 'settled', isLate: false, takenAt: '2026-01-31T00:00:00.000Z', series: [] },
    new BoundTally(),
  );
  return (minute: number, values: Record<string, number>, own: typeof baseline | null = baseline): string[] => {
    const windows = [0, 1, 2].map((later) => windowAt(minute + later, values));
    const facts = {
      targetId: 't',
      instanceId: '1-1',
      service: { name: 'shop', version: '1' },
      at: new Date((minute + 3) * minuteMs).toISOString(),
      history: windows,
      series: { moved: () => [], valueIn: () => undefined },
    };
    const known = {
      version: '1',
      own: own ?? undefined,
      provisional: own === null ? { ...baseline, kind: 'provisional' as const } : undefined,
      previous: undefined,
    };
    return findings
      .update(compareAll(windows, known, thresholds), windows, facts)
      .map(
        ({ change, regression: { metric, endReason } }) =>
          `${change} ${metric}${endReason === null ? '' : `: ${endReason}`}`,
      );
  };
}

test('a finding goes on while too little happens to compare it, for half an hour', () => {
  const at = watched();
  expect(at(0, dearer)).toEqual(['opened cpu-per-request']);
  // Nobody asks for anything: what a request takes is not known, and not as before.
  const night = { load: 0.01, cpu: 0.001, 'cpu-per-request': 100 };
  expect(at(10, night)).toEqual([]);
  expect(at(20, dearer)).toEqual(['updated cpu-per-request']);
  expect(at(40, night)).toEqual([]);
  expect(at(50, night)).toEqual(['ended cpu-per-request: there was too little to compare for half an hour']);
});

test('a finding about each request goes on when the process as a whole takes more', () => {
  const at = watched();
  expect(at(0, dearer)).toEqual(['opened cpu-per-request']);
  expect(at(5, { load: 20, cpu: 0.6, 'cpu-per-request': 30 })).toEqual(['opened cpu']);
  expect(at(10, dearer)).toEqual(['updated cpu-per-request', 'ended cpu: it is as before']);
  expect(at(15, usual)).toEqual(['ended cpu-per-request: it is as before']);
});

test('a finding that lost its baseline says so', () => {
  const at = watched();
  expect(at(0, dearer)).toEqual(['opened cpu-per-request']);
  expect(at(5, usual, null)).toEqual(['ended cpu-per-request: what it was compared with is no baseline any more']);
});
