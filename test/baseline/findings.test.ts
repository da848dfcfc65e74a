import { expect, test } from 'vitest';
import { watchedFindings } from './watched-findings.ts';

const usual = { load: 20, cpu: 0.2, 'cpu-per-request': 10 };
const dearer = { load: 20, cpu: 0.28, 'cpu-per-request': 30 };

function watched() {
  const at = watchedFindings(usual, 'spans');
  return (...asked: Parameters<typeof at>): string[] =>
    at(...asked).map(
      ({ change, regression: { metric, endReason } }) =>
        `${change} ${metric}${endReason === null ? '' : `: ${endReason}`}`,
    );
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
  expect(at(5, usual, { isSettled: false })).toEqual([
    'ended cpu-per-request: what it was compared with is no baseline any more',
  ]);
});
