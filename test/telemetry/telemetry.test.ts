import { describe, expect, test } from 'vitest';
import { createAudit } from '../../agent/telemetry/audit.ts';
import { createLog, prettyLine } from '../../agent/telemetry/log.ts';
import { createMetrics } from '../../agent/telemetry/metrics.ts';
import { observe } from '../../agent/telemetry/observe.ts';
import type { Feature } from '../../protocol/rest/info.ts';
import { FakeCaptures, FakeMonitor, FakeStore, FakeTargets, fakeOperation, fakeTarget, time } from '../http/fakes.ts';

function lines() {
  const written: string[] = [];
  return { written, destination: { write: (line: string) => written.push(line) } };
}

describe('the log', () => {
  test('is one JSON document per line with time and level by name', () => {
    const { written, destination } = lines();
    const log = createLog({ level: 'info', destination });
    log.info({ target: 't1' }, 'attached');
    log.debug('not at this level');
    expect(written).toHaveLength(1);
    expect(JSON.parse(written[0] ?? '')).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
      target: 't1',
      msg: 'attached',
    });
  });

  test('hides credentials wherever a known field would carry one', () => {
    const { written, destination } = lines();
    const log = createLog({ level: 'info', destination });
    const secret = 'sst_secret';
    log.info(
      { authorization: secret, headers: { authorization: secret }, request: { headers: { authorization: secret } } },
      'a',
    );
    log.info({ token: secret, query: { ticket: secret }, options: { password: secret } }, 'b');
    expect(written.join('')).not.toContain(secret);
    expect(written.join('').match(/\[hidden\]/g)).toHaveLength(6);
  });

  test('is one readable line on a terminal, and nothing in it moves the cursor', () => {
    const { written, destination } = lines();
    const log = createLog({ level: 'info', destination, isPretty: true });
    log.warn({ target: 't1', title: 'two words', threads: 2, state: { a: 1 } }, 'hello \u001b[2J\nworld');
    expect(written[0]?.slice(13)).toBe('WARN  hello ?[2J?world target=t1 title="two words" threads=2 state={"a":1}\n');
    const stack = prettyLine(JSON.stringify({ level: 'error', time, msg: 'no', err: { stack: 'Error: x\n    at y' } }));
    expect(stack).toBe('12:00:00.000 ERROR no\nError: x\n    at y');
  });
});

test('the audit log is written whatever the level of the log is', () => {
  const { written, destination } = lines();
  createAudit(destination).write({
    requestId: 'r',
    subject: 'alice',
    scopes: ['admin'],
    credential: 'jwt',
    action: 'cpu.start',
    parameters: { duration: '500' },
    result: 'ok',
    status: 202,
    durationMs: 3,
  });
  expect(JSON.parse(written[0] ?? '')).toMatchObject({
    audit: true,
    subject: 'alice',
    credential: 'jwt',
    action: 'cpu.start',
    status: 202,
  });
});

describe('the metrics', () => {
  const build = { version: '1.2.3', nodeVersion: 'v24' };

  test('have names as promlint wants them', () => {
    const names = createMetrics(build)
      .registry.getMetricsAsArray()
      .filter(({ name }) => name.startsWith('sidescope_'))
      .map(({ name, type, help }) => ({ name, type: String(type), help }));
    expect(names.length).toBeGreaterThan(15);
    for (const { name, type, help } of names) {
      expect([name, /^[a-z][a-z0-9_]*$/.test(name)]).toEqual([name, true]);
      expect([name, help.endsWith('.')]).toEqual([name, true]);
      expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter']);
      expect([name, /_(ms|milliseconds|kb|mb|percent|count|sum|bucket)(_|$)/.test(name)]).toEqual([name, false]);
      if (type === 'histogram') expect(name).toMatch(/_(seconds|bytes)$/);
    }
  });

  test('are two registries when there are two agents in one process', async () => {
    const [first, second] = [createMetrics(build), createMetrics(build)];
    first.downloadsFailedTotal.inc();
    expect(await first.registry.metrics()).toContain('sidescope_downloads_failed_total 1');
    expect(await second.registry.metrics()).toContain('sidescope_downloads_failed_total 0');
  });

  test('follow what the parts tell', async () => {
    const metrics = createMetrics(build);
    const targets = new FakeTargets();
    const captures = new FakeCaptures();
    const store = Object.assign(new FakeStore(), {
      stats: () => ({ evictedByBudget: 2, evictedByCount: 0, evictedByAge: 1, omittedSourceLines: 7 }),
    });
    const monitor = new FakeMonitor();
    const features: Feature[] = [{ name: 'storage', state: 'failed', reason: 'x', remedy: null }];
    const observed = observe(metrics, { targets, captures, monitor, store, features: () => features });
    const connecting = (attempts: number) =>
      targets.emit('change', {
        ...fakeTarget(),
        state: { state: 'connecting', attempts, nextAttemptAt: null, lastFailure: null },
      });
    connecting(1);
    connecting(3);
    targets.emit('change', fakeTarget());
    connecting(1);

    captures.emit('change', fakeOperation('a'));
    const ended = fakeOperation('a', { state: 'partial', endedAt: '2026-01-31T12:00:02.000Z' });
    captures.emit('change', ended);
    captures.emit('change', ended);
    const profile = store.add('p1', { kind: 'cpu', plain: Buffer.alloc(1000) });
    store.emit('profile', { ...profile, pinned: true });
    store.emit('profile', { ...profile, id: 'p2', cost: { ...profile.cost, pauseMs: 40 } });

    const text = async () => await metrics.registry.metrics();
    const seen = await text();
    for (const line of [
      'sidescope_target_attached{target="t1"} 0',
      'sidescope_attach_attempts_total{target="t1"} 4',
      'sidescope_captures_total{kind="cpu",result="partial"} 1',
      'sidescope_capture_duration_seconds_sum{kind="cpu"} 2',
      'sidescope_artifact_bytes_total{kind="cpu"} 2000',
      'sidescope_target_pause_seconds_sum{kind="cpu"} 0.04',
      'sidescope_evictions_total{reason="budget"} 2',
      'sidescope_evictions_total{reason="age"} 1',
      'sidescope_storage_used_bytes 1',
      'sidescope_feature_up{feature="storage"} 0',
      'sidescope_build_info{version="1.2.3",node="v24"} 1',
    ])
      expect(seen).toContain(line);
    expect((await text()).match(/sidescope_evictions_total\{reason="budget"\} 2/g)).toHaveLength(1);
    expect(seen).toMatch(/^process_resident_memory_bytes \d+/m);

    observed[Symbol.dispose]();
    expect([targets, captures, monitor, store].map((emitter) => emitter.eventNames())).toEqual([[], [], [], []]);
  });
});
