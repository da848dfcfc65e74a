import { describe, expect, test } from 'vitest';
import { indexInMemory } from '../../agent/vitals/history.ts';
import { condition, openAlerts, start, TestClock } from './harness.ts';

const minute = 60_000;

describe('an episode', () => {
  test('is opened by the first report, updated by the next ones, and closed after a minute of quiet', async () => {
    await using harness = openAlerts();
    const { alerts, clock } = harness;
    alerts.raise(condition());
    clock.advance(5_000);
    alerts.raise(condition({ title: 'heap used 94 %', facts: { usedRatio: 0.94 } }));
    alerts.settle(condition(), 'heap used 70 %');
    harness.pass(minute - 5_000);
    expect(harness.told).toEqual(['opened memory-limit/heap']);
    harness.pass(5_000);
    expect(harness.told).toEqual(['opened memory-limit/heap', 'closed memory-limit/heap']);
    const [alert, ...others] = alerts.list({}).alerts;
    expect(others).toEqual([]);
    expect(alert).toMatchObject({
      state: 'closed',
      title: 'heap used 94 %',
      facts: { usedRatio: 0.94 },
      reports: 2,
      openedAt: new Date(start).toISOString(),
      updatedAt: new Date(start + 5_000).toISOString(),
      closedAt: new Date(start + 5_000 + minute).toISOString(),
      closeReason: 'heap used 70 %',
      service: { name: 'shop', version: '1.2.3' },
    });
  });

  test('goes on when the problem is back within the quiet time', async () => {
    await using harness = openAlerts();
    for (let round = 0; round < 10; round++) {
      harness.alerts.raise(condition());
      harness.alerts.settle(condition(), 'better');
      harness.pass(50_000);
    }
    expect(harness.told).toEqual(['opened memory-limit/heap']);
  });

  test('is the same one when the problem is back within ten minutes, and takes longer to close each time', async () => {
    await using harness = openAlerts();
    const { alerts, notices } = harness;
    // Two hours of a problem that comes and goes.
    for (let round = 0; round < 60; round++) {
      alerts.raise(condition());
      alerts.settle(condition(), 'better');
      harness.pass(2 * minute);
    }
    expect(new Set(notices.map(({ alert }) => alert.id)).size).toBe(1);
    expect(harness.told.filter((line) => line.startsWith('opened'))).toHaveLength(1);
    expect(harness.told.slice(0, 5).map((line) => line.split(' ')[0])).toEqual([
      'opened',
      'closed',
      'reopened',
      'closed',
      'reopened',
    ]);
    expect(notices.length).toBeLessThan(8);
  });

  test('keeps the profiles that came after its reports, the newest first, also when it is reported again', async () => {
    await using harness = openAlerts();
    const { alerts } = harness;
    alerts.raise(condition());
    const { id } = alerts.openAlerts()[0] ?? { id: '' };
    alerts.attachProfile(id, 'p1');
    alerts.raise(condition());
    expect(alerts.openAlerts()[0]?.profileIds).toEqual(['p1']);
    alerts.raise(condition({ profileIds: ['p2'] }));
    alerts.settle(condition(), 'better');
    harness.pass(minute);
    alerts.raise(condition());
    expect(alerts.openAlerts()[0]).toMatchObject({ reopened: 1, profileIds: ['p2', 'p1'] });
  });

  test('is a new one when the problem is back after more than ten minutes', async () => {
    await using harness = openAlerts();
    harness.alerts.raise(condition());
    harness.alerts.settle(condition(), 'better');
    harness.pass(minute + 10 * minute);
    harness.alerts.raise(condition());
    expect(harness.told.map((line) => line.split(' ')[0])).toEqual(['opened', 'closed', 'opened']);
    expect(harness.alerts.list({}).alerts).toHaveLength(2);
  });

  test('tells of getting worse once, and keeps the worst severity', async () => {
    await using harness = openAlerts();
    const severities = ['info', 'warning', 'critical', 'warning', 'critical', 'info'] as const;
    for (const severity of severities) harness.alerts.raise(condition({ severity }));
    expect(harness.notices.map(({ change, alert }) => `${change} ${alert.severity}`)).toEqual([
      'opened info',
      'escalated warning',
      'escalated critical',
    ]);
  });

  test('is one per problem, target and key', async () => {
    await using harness = openAlerts();
    const { alerts } = harness;
    alerts.raise(condition());
    alerts.raise(condition({ key: 'external' }));
    alerts.raise(condition({ problem: 'memory-leak' }));
    alerts.raise(condition({ targetId: 't2' }));
    expect(harness.told).toHaveLength(4);
    alerts.settle(condition({ key: 'external' }), 'better');
    harness.pass(minute);
    expect(harness.told.slice(4)).toEqual(['closed memory-limit/external']);
  });

  test('that nobody ends is ended after a long silence: a death after ten minutes, a leak after a day', async () => {
    await using harness = openAlerts();
    harness.alerts.raise(condition({ problem: 'target-death', key: '' }));
    harness.alerts.raise(condition({ problem: 'memory-leak' }));
    harness.pass(10 * minute);
    expect(harness.told.slice(2)).toEqual(['closed target-death/']);
    harness.pass(23 * 60 * minute);
    expect(harness.told).toHaveLength(3);
    harness.pass(60 * minute);
    expect(harness.told.slice(3)).toEqual(['closed memory-leak/heap']);
  });

  test('ends with its target, but for the death itself', async () => {
    await using harness = openAlerts();
    harness.alerts.raise(condition());
    harness.alerts.raise(condition({ problem: 'target-death', key: '' }));
    harness.alerts.raise(condition({ targetId: 't2' }));
    harness.alerts.settleTarget('t1', 'the process ended');
    harness.pass(minute);
    expect(harness.told.slice(3)).toEqual(['closed memory-limit/heap']);
    expect(harness.alerts.openAlerts().map(({ problem, targetId }) => `${problem} ${targetId}`)).toEqual([
      'target-death t1',
      'memory-limit t2',
    ]);
  });

  test('neither ends nor lasts because the wall clock steps', async () => {
    await using harness = openAlerts();
    const { alerts, clock } = harness;
    alerts.raise(condition());
    alerts.settle(condition(), 'better');
    clock.stepWall(24 * 60 * minute);
    harness.pass(55_000);
    expect(harness.told).toHaveLength(1);
    clock.stepWall(-48 * 60 * minute);
    harness.pass(5_000);
    expect(harness.told).toEqual(['opened memory-limit/heap', 'closed memory-limit/heap']);
  });
});

describe('evidence', () => {
  test('stays from earlier reports until one of the same name replaces it', async () => {
    await using harness = openAlerts();
    const piece = (name: string, text: string) => ({ name, text, mediaType: 'text/plain' as const });
    harness.alerts.raise(condition({ evidence: [piece('sites.txt', 'a'), piece('stacks.txt', 'b')] }));
    harness.alerts.raise(condition({ evidence: [piece('sites.txt', 'c')] }));
    const [alert] = harness.alerts.list({}).alerts;
    expect(alert?.evidence.map(({ name, text }) => `${name} ${text}`)).toEqual(['sites.txt c', 'stacks.txt b']);
  });

  test('of a new kind is told to the sinks, of a known kind it is not', async () => {
    await using harness = openAlerts({
      memoryOf: () => ({ name: 'memory.json', mediaType: 'application/json', text: '{}' }),
    });
    const piece = (name: string, text: string) => ({ name, text, mediaType: 'text/plain' as const });
    harness.alerts.raise(condition());
    harness.alerts.raise(condition());
    harness.alerts.raise(condition({ evidence: [piece('sites.txt', 'a'.repeat(200_000))] }));
    harness.alerts.raise(condition({ evidence: [piece('sites.txt', 'b'.repeat(200_000))] }));
    harness.alerts.raise(condition({ evidence: [piece('sites.txt', 'c'), piece('vitals.txt', 'd')] }));
    expect(harness.told.map((line) => line.split(' ')[0])).toEqual(['opened', 'extended', 'extended']);
  });

  test('is 100 kB at most in all; small pieces stay whole, and what is cut says so', async () => {
    await using harness = openAlerts();
    harness.alerts.raise(
      condition({
        evidence: [
          { name: 'big.json', mediaType: 'application/json', text: JSON.stringify('é'.repeat(200_000)) },
          { name: 'small.txt', mediaType: 'text/plain', text: 'small' },
          { name: 'other.txt', mediaType: 'text/plain', text: 'x'.repeat(60_000) },
        ],
      }),
    );
    const evidence = harness.alerts.list({}).alerts[0]?.evidence ?? [];
    expect(evidence.map(({ name, mediaType }) => `${name} ${mediaType}`)).toEqual([
      'big.json.cut.txt text/plain',
      'small.txt text/plain',
      'other.txt.cut.txt text/plain',
    ]);
    expect(evidence[0]?.text).toMatch(/é\n\[cut here: \d+ of 400002 bytes\]\n$/);
    expect(evidence[1]?.text).toBe('small');
    const bytes = evidence.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
    expect(bytes).toBeLessThanOrEqual(100_000);
    expect(bytes).toBeGreaterThan(99_000);
  });

  test('that was cut and is cut again for a newer piece is still one piece, and replaced as one', async () => {
    await using harness = openAlerts();
    const piece = (name: string, size: number) => ({ name, text: 'x'.repeat(size), mediaType: 'text/plain' as const });
    harness.alerts.raise(condition({ evidence: [piece('sites.txt', 200_000)] }));
    harness.alerts.raise(condition({ evidence: [piece('vitals.txt', 60_000)] }));
    const names = () => harness.alerts.list({}).alerts[0]?.evidence.map(({ name }) => name);
    expect(names()).toEqual(['vitals.txt.cut.txt', 'sites.txt.cut.txt']);
    harness.alerts.raise(condition({ evidence: [piece('sites.txt', 10)] }));
    expect(names()).toEqual(['sites.txt', 'vitals.txt.cut.txt']);
  });

  test('of cut pieces does not pile up over a thousand reports', async () => {
    await using harness = openAlerts();
    for (let report = 0; report < 1_000; report++) {
      const text = `${report} `.repeat(40_000);
      harness.alerts.raise(condition({ evidence: [{ name: 'sites.txt', mediaType: 'text/plain', text }] }));
    }
    const evidence = harness.alerts.list({}).alerts[0]?.evidence ?? [];
    expect(evidence.map(({ name }) => name)).toEqual(['sites.txt.cut.txt']);
    expect(evidence[0]?.text.startsWith('999 ')).toBe(true);
  });

  test('has the memory statistics of the moment, where the report brings none', async () => {
    const memoryOf = () => ({ name: 'memory.json', mediaType: 'application/json' as const, text: '{"rssBytes":1}' });
    await using harness = openAlerts({ memoryOf });
    harness.alerts.raise(condition());
    harness.alerts.raise(condition({ key: 'own', evidence: [{ ...memoryOf(), text: '{"rssBytes":2}' }] }));
    const texts = harness.alerts
      .list({})
      .alerts.map(({ key, evidence }) => `${key} ${evidence.map(({ text }) => text).join()}`);
    expect(texts.toSorted()).toEqual(['heap {"rssBytes":1}', 'own {"rssBytes":2}']);
  });
});

describe('bounds', () => {
  test('one problem of one target has 16 open episodes at most; the rest is counted and told once', async () => {
    await using harness = openAlerts();
    for (let number = 0; number < 1_000; number++) harness.alerts.raise(condition({ key: `function ${number}` }));
    harness.alerts.raise(condition({ targetId: 't2' }));
    expect(harness.told).toHaveLength(17);
    expect(harness.alerts.refused).toBe(984);
    expect(harness.logged).toHaveLength(1);
    expect(harness.logged[0]).toContain('too many alerts are open');
  });

  test('a hundred episodes are open at most, and two hundred are kept', async () => {
    await using harness = openAlerts();
    for (let target = 0; target < 300; target++) harness.alerts.raise(condition({ targetId: `t${target}` }));
    expect(harness.alerts.openAlerts()).toHaveLength(100);
    for (let round = 0; round < 3; round++) {
      for (const alert of harness.alerts.openAlerts()) harness.alerts.settle(alert, 'better');
      harness.pass(minute);
      for (let target = 0; target < 100; target++) harness.alerts.raise(condition({ targetId: `t${round}-${target}` }));
    }
    expect(harness.alerts.list({ limit: 1_000 }).alerts).toHaveLength(200);
  });

  test('an absurd report is cut to what is stored', async () => {
    await using harness = openAlerts();
    harness.alerts.raise(
      condition({
        title: 't'.repeat(10_000),
        text: 'x'.repeat(100_000),
        facts: Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`f${index}`, 'v'.repeat(2_000)])),
        profileIds: Array.from({ length: 100 }, (_, index) => `p${index}`),
      }),
    );
    const [alert] = harness.alerts.list({}).alerts;
    expect([alert?.title.length, alert?.text?.length, Object.keys(alert?.facts ?? {}).length]).toEqual([
      500, 8_000, 64,
    ]);
    expect(alert?.profileIds).toHaveLength(20);
  });
});

describe('the list', () => {
  test('is filtered by target, problem, state and time, and paged, newest first', async () => {
    await using harness = openAlerts();
    const { alerts, clock } = harness;
    for (const [index, problem] of (['stall', 'memory-leak', 'stall', 'rule'] as const).entries()) {
      alerts.raise(condition({ problem, key: String(index), targetId: index === 2 ? 't2' : 't1' }));
      clock.advance(1_000);
    }
    alerts.settle({ problem: 'rule', targetId: 't1', key: '3' }, 'done');
    harness.pass(minute);
    const keys = (query: Parameters<typeof alerts.list>[0]) =>
      alerts
        .list(query)
        .alerts.map(({ key }) => key)
        .join();
    expect(keys({})).toBe('3,2,1,0');
    expect(keys({ targetId: 't2' })).toBe('2');
    expect(keys({ problem: 'stall' })).toBe('2,0');
    expect(keys({ state: 'closed' })).toBe('3');
    expect(keys({ state: 'open', problem: 'stall', targetId: 't1' })).toBe('0');
    expect(keys({ since: new Date(start + 2_000).toISOString() })).toBe('3,2');
    const first = alerts.list({ limit: 3 });
    expect(first.alerts.map(({ key }) => key)).toEqual(['3', '2', '1']);
    expect(keys({ limit: 3, cursor: first.nextCursor ?? '' })).toBe('0');
    expect(() => alerts.list({ cursor: 'nonsense' })).toThrow(expect.objectContaining({ code: 'invalid-request' }));
  });
});

describe('after a restart of the agent', () => {
  test('an open episode goes on without being told again when the problem is still there', async () => {
    using index = indexInMemory();
    const clock = new TestClock();
    {
      await using before = openAlerts({ index, clock });
      before.alerts.raise(condition());
    }
    clock.advance(5 * minute);
    await using after = openAlerts({ index, clock });
    after.alerts.raise(condition());
    after.pass(20 * minute);
    expect(after.told).toEqual([]);
    expect(after.alerts.list({}).alerts).toMatchObject([{ state: 'open', reports: 2 }]);
  });

  test('an open episode is closed after a quarter of an hour when nobody reports it any more', async () => {
    using index = indexInMemory();
    const clock = new TestClock();
    {
      await using before = openAlerts({ index, clock });
      before.alerts.raise(condition());
    }
    await using after = openAlerts({ index, clock });
    after.pass(14 * minute);
    expect(after.told).toEqual([]);
    after.pass(minute);
    expect(after.told).toEqual(['closed memory-limit/heap']);
    expect(after.alerts.list({}).alerts[0]?.closeReason).toBe(
      'the agent ended meanwhile, and the problem was not seen again',
    );
  });

  test('one that was closed just before is opened again, not doubled', async () => {
    using index = indexInMemory();
    const clock = new TestClock();
    {
      await using before = openAlerts({ index, clock });
      before.alerts.raise(condition());
      before.alerts.settle(condition(), 'better');
      before.pass(minute);
    }
    clock.advance(5 * minute);
    await using after = openAlerts({ index, clock });
    after.alerts.raise(condition());
    expect(after.told).toEqual(['reopened memory-limit/heap']);
    expect(after.alerts.list({}).alerts).toHaveLength(1);
  });
});

test('a history that cannot be written stops no alert, and is told once', async () => {
  const { SidescopeError } = await import('../../protocol/error.ts');
  using memory = indexInMemory();
  let isFull = false;
  const index: typeof memory = {
    ...memory,
    inIndex(attempt, work) {
      if (isFull) throw new SidescopeError('disk-full', 'no space left');
      return memory.inIndex(attempt, work);
    },
    [Symbol.dispose]: () => undefined,
  };
  await using harness = openAlerts({ index });
  isFull = true;
  for (let key = 0; key < 5; key++) harness.alerts.raise(condition({ key: String(key) }));
  expect(harness.told).toHaveLength(5);
  expect(harness.logged).toHaveLength(1);
  expect(harness.logged[0]).toContain('no space left');
});
