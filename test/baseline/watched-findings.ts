import { baselineOf } from '../../agent/baseline/baseline.ts';
import { BoundTally } from '../../agent/baseline/bound-tally.ts';
import { Findings, type FindingChange } from '../../agent/baseline/findings.ts';
import { compareAll } from '../../agent/baseline/references.ts';
import type { Window } from '../../agent/baseline/window.ts';
import { thresholds } from './simulation.ts';

const minuteMs = 60_000;

/** What is found of a run with a settled baseline of these values, by the minute; without it a provisional one of the same is left. */
export function watchedFindings(usual: Record<string, number>, loadSource: Window['loadSource']) {
  const windowAt = (minute: number, values: Record<string, number>): Window => ({
    fromMs: minute * minuteMs,
    toMs: (minute + 1) * minuteMs,
    values,
    loadSource,
    routeRequests: {},
  });
  const findings = new Findings();
  const baseline = baselineOf(
    Array.from({ length: 30 }, (_, minute) => windowAt(minute - 30, usual)),
    { kind: 'settled', isLate: false, takenAt: '2026-01-31T00:00:00.000Z', series: [] },
    new BoundTally(),
  );
  return (minute: number, values: Record<string, number>, { isSettled = true } = {}): FindingChange[] => {
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
      own: isSettled ? baseline : undefined,
      provisional: isSettled ? undefined : { ...baseline, kind: 'provisional' as const },
      previous: undefined,
    };
    return findings.update(compareAll(windows, known, thresholds), windows, facts);
  };
}
