import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { OutboxTable, outboxSchema } from '../../agent/store/outbox-table.ts';

let database: DatabaseSync;
let outbox: OutboxTable;
beforeEach(() => {
  database = new DatabaseSync(':memory:');
  database.exec(`CREATE TABLE profiles (id TEXT PRIMARY KEY); ${outboxSchema}`);
  outbox = new OutboxTable({ inIndex: (_, work) => work(database) });
});
afterEach(() => database.close());

const row = { destination: 'archive', kind: 'profile', item: 'p1', bytes: 10, queuedMs: 1_000, facts: {} } as const;

test('something is queued once for each destination, and once only, whatever became of it', () => {
  expect([outbox.add(row), outbox.add(row), outbox.add({ ...row, destination: 'flames' })]).toEqual([
    true,
    false,
    true,
  ]);
  const [first] = outbox.queued('archive', 10);
  outbox.end(first!, { state: 'sent', reason: null, atMs: 2_000 });
  expect(outbox.add(row)).toBe(false);
  expect(outbox.sums('archive')).toEqual({ items: 0, bytes: 0, oldestMs: null });
  expect(outbox.sums('flames')).toEqual({ items: 1, bytes: 10, oldestMs: 1_000 });
  expect([...outbox.waitingProfiles()]).toEqual(['p1']);
});

test('of those that are done about 2,000 are kept, of windows none', () => {
  for (let index = 0; index < 2_200; index++) {
    outbox.add({ ...row, item: `p${index}` });
    outbox.add({ ...row, kind: 'window', item: String(index) });
    for (const queued of outbox.queued('archive', 10)) outbox.end(queued, { state: 'sent', reason: null, atMs: 1 });
  }
  const kept = outbox.ofProfiles(10_000);
  expect(kept.length).toBeGreaterThanOrEqual(2_000);
  expect(kept.length).toBeLessThanOrEqual(2_064);
  expect(kept[0]).toMatchObject({ item: 'p2199', state: 'sent' });
  expect(Number(database.prepare('SELECT count(*) AS n FROM outbox').get()?.['n'])).toBe(kept.length);
});

test('what has gone, and whose destination has gone, is let go of; what was still queued is counted', () => {
  database.exec(`INSERT INTO profiles VALUES ('p1')`);
  outbox.add(row);
  outbox.add({ ...row, item: 'gone' });
  outbox.add({ ...row, destination: 'removed' });
  outbox.add({ ...row, kind: 'window', item: '7' });
  expect(outbox.removeOrphans(['archive'])).toBe(2);
  expect(outbox.queued('archive', 10).map(({ item }) => item)).toEqual(['p1', '7']);
  expect(outbox.queued('removed', 10)).toEqual([]);
});
