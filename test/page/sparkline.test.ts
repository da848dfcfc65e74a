import { describe, expect, it } from 'vitest';
import { partedChanges } from '../../dashboard/model/diff-words.ts';
import {
  compareObstacle,
  correlatedWords,
  loadWords,
  profilesAround,
  regressionAsText,
} from '../../dashboard/model/regression-words.ts';
import { layoutSparkline } from '../../dashboard/model/sparkline.ts';
import { sampleDiff, sampleRegression } from './regression-samples.ts';
import { ago, sampleProfile, sampleSnapshot } from './samples.ts';

describe('a sparkline', () => {
  const iso = (minute: number): string => new Date(minute * 60_000).toISOString();
  const layout = (values: readonly (number | null)[], since: string | null = null) =>
    layoutSparkline({
      windows: values.flatMap((value, minute) => (value === null ? [] : [{ at: iso(minute), value }])),
      baseline: { median: 50, low: 40, high: 60 },
      since,
      widthPx: 106,
      heightPx: 56,
    });

  it('goes from 0 to the highest of line and band, from the first window to the last', () => {
    const { line, band, medianPx, last } = layout([0, 100]);
    expect(line).toBe('M3 53L103 3');
    expect([band.topPx, band.heightPx, medianPx]).toEqual([23, 10, 28]);
    expect(last).toEqual({ xPx: 103, yPx: 3 });
  });

  it('has a gap where windows are missing, and the moment of the change where it is in sight', () => {
    const { line, changePx } = layout([50, 50, 50, null, null, null, null, 50, 50, 50, 50], iso(5));
    expect(line.match(/M/g)).toHaveLength(2);
    expect(changePx).toBe(53);
    expect(layout([50, 50], iso(-9)).changePx).toBeNull();
  });

  it('stands for nothing without windows, and on its floor for zeros', () => {
    expect(layout([])).toMatchObject({ line: '', last: null, changePx: null });
    expect(layout([0, 0]).line).toBe('M3 53L103 53');
  });
});

describe('a finding', () => {
  it('leads to the CPU profiles nearest to it, before and after', () => {
    const regression = sampleRegression({ since: ago(900_000) });
    const at = (id: string, agoMs: number, over = {}) =>
      sampleProfile({ id, startedAt: ago(agoMs), endedAt: ago(agoMs - 30_000), ...over });
    const old = [at('p-old', 2_000_000), at('p-before', 1_000_000)];
    const other = [at('p-other', 100_000, { targetId: 't2' }), sampleSnapshot({ id: 'p-s', startedAt: ago(200_000) })];
    expect(profilesAround(old, regression)).toEqual({ before: 'p-before', after: null });
    expect(profilesAround([...old, ...other], regression)).toEqual({ before: 'p-before', after: null });
    const all = [...old, ...other, at('p-during', 910_000), at('p-after', 800_000), at('p-last', 300_000)];
    expect(profilesAround(all, regression)).toEqual({ before: 'p-before', after: 'p-last' });
    expect(profilesAround(all, { ...regression, endedAt: ago(500_000) })).toEqual({
      before: 'p-before',
      after: 'p-after',
    });
  });

  it('says which of the two profiles is missing', () => {
    const said = (before: string | null, after: string | null, endedAt: string | null = null) =>
      compareObstacle({ before, after }, { endedAt })?.replace(/.* are kept, /, '') ?? null;
    expect(said('p-1', 'p-2')).toBeNull();
    expect(said(null, 'p-2')).toBe('none from before it began.');
    expect(said('p-1', null)).toBe('none since it began.');
    expect(said(null, null, ago(1_000))).toBe('none from before it began and none while it lasted.');
  });

  it('says how closely another series follows', () => {
    const one = { name: 'x', baseline: 1, now: 2, windows: 9 };
    expect(correlatedWords({ ...one, correlation: 0.912 })).toBe('closely (0.91 in 9 windows)');
    expect(correlatedWords({ ...one, correlation: -0.6 })).toBe('partly, the other way (-0.60 in 9 windows)');
    expect(correlatedWords({ ...one, correlation: null })).toBe('too few windows to say');
  });

  it('reads as text with its cause, its load and what moved as well', () => {
    expect(regressionAsText(sampleRegression())).toMatch(
      /CPU of the process: 25 % of a core to 47 % of a core, ▲ 88 % \(alerted, open\)\n.*Load: ▲ 2.5 %\n- renderReport.*\n~ utilization: 0.22 to 0.44, closely/s,
    );
  });
});

it('keeps a row for what changed by a point or beyond chance, and counts the others', () => {
  const [grown, gone] = sampleDiff().functions;
  if (grown === undefined || gone === undefined) throw new Error('the sample has two functions');
  const tiny = { ...gone, change: -0.001 };
  const certain = { ...tiny, isSignificant: true };
  expect(partedChanges([grown, gone, tiny, certain])).toEqual({ telling: [grown, gone, certain], small: [tiny] });
});

it('says when there were as many requests as then', () => {
  expect([loadWords(null), loadWords(1.0001), loadWords(0.8)]).toEqual([
    'not known',
    'as many requests',
    '▼ 20 % requests',
  ]);
});
