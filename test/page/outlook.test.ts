import { expect, it } from 'vitest';
import { verdictBadge } from '../../dashboard/model/memory-words.ts';
import { columnsWithOutlook, heapOutlook, rangeWithOutlook } from '../../dashboard/model/outlook.ts';
import { leakVerdictSchema } from '../../protocol/rest/leaks.ts';

const verdict = leakVerdictSchema.parse({
  targetId: 't1',
  instanceId: 'i-1',
  pool: 'heap',
  verdict: 'leak',
  confidence: 0.9,
  reason: 'its floor grows',
  at: '1970-01-01T00:00:10.000Z',
  since: null,
  slopeMbPerHour: 3.6,
  levelBytes: 5_000,
  grownBytes: null,
  limit: { kind: 'heap', bytes: 105_000, reachedAt: '1970-01-01T00:01:50.000Z' },
  sites: [],
  nextStep: '',
});
const live = { fromMs: 0, toMs: 20_000, isLive: true };

it('leads from what is held now to the limit, as far as the chart has room', () => {
  const outlook = heapOutlook([verdict])!;
  expect(outlook).toEqual({ fromMs: 10_000, fromValue: 5_000, perMs: 1, untilMs: 110_000 });
  const range = rangeWithOutlook(live, outlook);
  expect(range.toMs).toBe(30_000);
  expect(
    columnsWithOutlook(
      [
        [5, 10],
        [4, 5],
        [null, null],
      ],
      outlook,
      range.toMs,
    ),
  ).toEqual([
    [5, 10, 10.001, 30],
    [4, 5, null, null],
    [null, null, 5_001, 25_000],
  ]);
});

it('is not there for a heap that settled or meets no limit, and no chosen time is changed for it', () => {
  expect(heapOutlook([{ ...verdict, verdict: 'settled' }])).toBeUndefined();
  expect(heapOutlook([{ ...verdict, limit: null }])).toBeUndefined();
  expect(heapOutlook([])).toBeUndefined();
  const chosen = { ...live, isLive: false };
  expect(rangeWithOutlook(chosen, heapOutlook([verdict]))).toBe(chosen);
});

it('does not call a pool settled before it could be judged', () => {
  const badge = (reason: string) => verdictBadge({ verdict: 'settled', reason })[1];
  expect(badge('too early to tell: 2 of 8 windows')).toBe('Not known yet');
  expect(badge('it does not grow')).toBe('Settled');
});
