import { expect, test } from 'vitest';
import { SeenOnce } from '../../agent/attach/seen-once.ts';

test('what goes on being there is new once; what is gone is forgotten, and new when it is there again', () => {
  const seen = new SeenOnce();
  expect([seen.isNew('a'), seen.isNew('a'), seen.isNew('b')]).toEqual([true, false, true]);
  seen.endRound();
  expect(seen.isNew('a')).toBe(false);
  seen.note('b');
  seen.endRound();
  expect([seen.isNew('b'), seen.size]).toEqual([false, 2]);
  seen.endRound();
  expect([seen.size, seen.isNew('a')]).toEqual([1, true]);
});

test('processes that come and go by the thousand leave nothing behind', () => {
  const seen = new SeenOnce();
  for (let round = 0; round < 100; round++) {
    for (let process = 0; process < 50; process++) expect(seen.isNew(`${round} ${process}`)).toBe(true);
    seen.endRound();
    expect(seen.size).toBe(50);
  }
});
