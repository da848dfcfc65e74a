import { describe, expect, test } from 'vitest';
import { reportStalls } from '../../agent/alerts/report-stalls.ts';
import type { Waits } from '../../agent/vitals/cpu-wait.ts';
import type { Session } from '../../agent/attach/session.ts';
import { StallRecord } from '../../agent/vitals/stall-record.ts';
import { StallWatch } from '../../agent/vitals/stall-watch.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import { starve } from '../support/starve.ts';
import { startTarget } from '../support/target.ts';
import { openMonitored } from './harness.ts';

test('a loop that is late because its thread gets no CPU is told so, and alerts nobody', async () => {
  await using target = await startTarget('computes');
  await using monitored = await openMonitored([target.inspectorAddress], { stallIntervalMs: 100 });
  await monitored.reading(({ gc, cpu }) => gc !== null && cpu.starvedRatio !== null, 'two readings with the probe');
  const raised: string[] = [];
  using _reports = reportStalls(monitored.monitor, {
    raise: ({ title }) => void raised.push(title),
    settle: () => undefined,
  });
  {
    await using _hog = await starve(target.pid);
    // Some 0.3 s of a whole CPU.
    await target.send({ hash: 600_000 });
    const stall = await monitored.stall(({ state }) => state === 'ended', 'the end of the stall');
    expect(stall).toMatchObject({ kind: 'blocked', verdict: 'starved' });
    expect(stall.waitedMs).toBeGreaterThan(stall.durationMs / 2);
    expect(stall.summary).toMatch(/^the event loop was late by \d+\.\d s, \d+\.\d s of it waiting for a CPU/);
    const starved = await monitored.reading(({ cpu }) => (cpu.starvedRatio ?? 0) > 0.5, 'a starved reading');
    expect(starved.error).toBeNull();
  }
  expect(raised).toEqual([]);
});

describe('of a record, what was waited for a CPU', () => {
  const about: Pick<Stall, 'targetId' | 'instanceId' | 'thread' | 'kind'> = {
    targetId: 't',
    instanceId: '1-1',
    thread: 'main',
    kind: 'blocked',
  };
  const viewOf = (
    waits: Waits,
    { lastedMs = 3_200, ...changes }: Partial<Pick<Stall, 'thread' | 'kind'>> & { lastedMs?: number },
  ) => {
    const record = new StallRecord({ ...about, ...changes }, { startMs: 0, thresholdMs: 1_000 });
    record.noteWaits(waits);
    return record.view('ended', { nowMs: lastedMs, endMs: lastedMs });
  };

  test('excuses a block whose rest is none, and a loop without idle time that had no CPU for half of it', () => {
    const late = viewOf({ targetMs: 2_400, passingMs: 0 }, {});
    expect(late).toMatchObject({ verdict: 'starved', waitedMs: 2_400 });
    expect(late.summary).toBe('the event loop was late by 3.2 s, 2.4 s of it waiting for a CPU');
    const saturated = viewOf({ targetMs: 18_600, passingMs: 0 }, { kind: 'saturated', lastedMs: 31_000 });
    expect(saturated).toMatchObject({ verdict: 'starved', waitedMs: 18_600 });
    expect(saturated.summary).toBe('no idle time for 31.0 s, 18.6 s of it waiting for a CPU');
  });

  test('does not excuse a block that would be one by itself, and says what it waited', () => {
    const long = viewOf({ targetMs: 6_000, passingMs: 100 }, { lastedMs: 10_000 });
    expect(long).toMatchObject({ verdict: 'unknown', waitedMs: 6_000 });
    expect(long.summary).toMatch(/; 6\.0 s of it waiting for a CPU$/);
    expect(viewOf({ targetMs: 640, passingMs: 0 }, {}).summary).not.toContain('CPU');
  });

  test('is that of the agent where that waited longer and saw no stack: it may not have heard the answer', () => {
    expect(viewOf({ targetMs: null, passingMs: 2_560 }, {})).toMatchObject({ verdict: 'starved', waitedMs: 2_560 });
  });

  test('is not known of workers, nor where the kernel does not show it', () => {
    expect(viewOf({ targetMs: null, passingMs: null }, {})).toMatchObject({ verdict: 'unknown', waitedMs: null });
    expect(viewOf({ targetMs: 9_000, passingMs: 9_000 }, { thread: 'worker-1' })).toMatchObject({ waitedMs: null });
  });

  test('stays what it was when the target is gone', () => {
    const record = new StallRecord(about, { startMs: 0, thresholdMs: 1_000 });
    record.noteWaits({ targetMs: 1_800, passingMs: 0 });
    record.noteWaits({ targetMs: null, passingMs: 0 });
    expect(record.view('cut', { nowMs: 2_000, endMs: 2_000 })).toMatchObject({ verdict: 'starved', waitedMs: 1_800 });
  });
});

test('of a block that follows on another, what was waited for a CPU is its own', async () => {
  const stop = new AbortController();
  const stalls: Stall[] = [];
  const told = new Set<string>();
  let [turns, waitedMs] = [0, 0];
  // Turns, is blocked and waits for a CPU, turns once, is blocked and waits no more, turns; each block is over when it was told.
  const tick = () => {
    const isBlocked = turns === 3 + told.size && told.size < 2;
    if (isBlocked && told.size === 0) waitedMs = 10_000;
    if (!isBlocked) turns++;
    return Promise.resolve({ turns, idleMs: turns * 10, activeMs: 0 });
  };
  const stack = { frames: [['spin', 'file:///srv/spin.js', 3, 1]], hasMore: false, span: null };
  const watch = new StallWatch({
    session: { evaluate: () => Promise.resolve(stack), ended: stop.signal } as unknown as Session,
    probe: { tick, gcPauseMs: () => Promise.resolve(null) },
    about: { targetId: 't', instanceId: '1-1', thread: 'main' },
    thresholdMs: 50,
    intervalMs: 10,
    surroundings: {
      imposed: () => ({ now: false, lastMs: -Infinity }),
      cpuOperationId: () => null,
      isSampling: () => false,
      processState: () => Promise.resolve('R'),
      throttledMs: () => Promise.resolve(null),
      schedules: () => ({ main: { ranMs: 0, waitedMs }, inspector: undefined }),
    },
    onStall: (stall) => {
      told.add(stall.id);
      if (stall.state === 'ended' && stalls.push(stall) === 2) stop.abort();
    },
    signal: stop.signal,
  });
  await watch.run();
  expect(stalls.map(({ verdict }) => verdict)).toEqual(['starved', 'javascript']);
  expect(stalls[1]?.waitedMs).toBe(0);
});
