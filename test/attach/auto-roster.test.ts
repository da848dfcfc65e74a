import { expect, it } from 'vitest';
import { parseInspectorAddress } from '../../agent/attach/address.ts';
import type { AutoTarget } from '../../agent/attach/auto-targets.ts';
import { Targets } from '../../agent/attach/targets.ts';
import { observe } from '../../agent/telemetry/observe.ts';
import { createMetrics } from '../../agent/telemetry/metrics.ts';
import { FakeCaptures, FakeMonitor } from '../http/fakes.ts';
import { AutoRoster, type RosterChange } from '../../agent/attach/auto-roster.ts';

const minuteMs = 60_000;
const ofPid = (pid: number, startTicks = 1) => ({ spec: { pid }, key: `${pid} ${startTicks}` });
const atPort = (port: number) => ({ spec: { host: '127.0.0.1', port }, key: `127.0.0.1 ${port}` });

function roster({ room = 32, isKnown = (): boolean => false, isLost = (): boolean => true } = {}) {
  const one = new AutoRoster();
  return (minutes: number, ...found: ReturnType<typeof ofPid | typeof atPort>[]): RosterChange =>
    one.next({ found, nowMs: minutes * minuteMs, room, isKnown, isLost });
}
const nothing: RosterChange = { add: [], leave: [], forget: [], omitted: 0 };

it('lets go of a process a minute after it ended, and of its id half an hour later', () => {
  const next = roster();
  expect(next(0, ofPid(1), ofPid(2))).toEqual({ ...nothing, add: [{ pid: 1 }, { pid: 2 }] });
  expect(next(1, ofPid(1))).toEqual(nothing);
  expect(next(2, ofPid(1))).toEqual({ ...nothing, leave: ['pid-2'] });
  expect(next(31, ofPid(1))).toEqual(nothing);
  expect(next(32, ofPid(1))).toEqual({ ...nothing, forget: ['pid-2'] });
});

it('follows a backend through a hundred restarts, one every five seconds', () => {
  const next = roster({ room: 4 });
  const watched = new Set<string>();
  const known = new Set<string>();
  for (let pid = 1; pid <= 100; pid++) {
    const { add, leave, forget, omitted } = next(pid / 12, ofPid(pid));
    for (const id of leave) watched.delete(id);
    for (const id of forget) known.delete(id);
    for (const spec of add) watched.add(`pid-${'pid' in spec ? spec.pid : ''}`);
    for (const id of watched) known.add(id);
    expect([...watched], `after restart ${pid}`).toContain(`pid-${pid}`);
    expect(omitted).toBe(0);
    expect(watched.size).toBeLessThanOrEqual(4);
  }
  expect(known.size).toBeLessThanOrEqual(4 + 32);
});

it('counts what there is no room for, and takes it when there is', () => {
  const next = roster({ room: 2 });
  const all = [1, 2, 3, 4].map((pid) => ofPid(pid));
  expect(next(0, ...all)).toEqual({ ...nothing, add: [{ pid: 1 }, { pid: 2 }], omitted: 2 });
  expect(next(1, ...all).omitted).toBe(2);
  expect(next(2, ...all.slice(1))).toEqual({ ...nothing, add: [{ pid: 3 }], leave: ['pid-1'], omitted: 1 });
});

it('waits for the end of what is under way in a process that has ended', () => {
  let isLost = false;
  const next = roster({ isLost: () => isLost });
  next(0, ofPid(1));
  expect(next(1)).toEqual(nothing);
  expect(next(5)).toEqual(nothing);
  expect(next(6, ofPid(1, 2))).toEqual(nothing);
  isLost = true;
  expect(next(7)).toEqual({ ...nothing, leave: ['pid-1'] });
});

it('takes another process with the same pid for another one', () => {
  const next = roster();
  next(0, ofPid(1));
  expect(next(0.1, ofPid(1, 2))).toEqual({ add: [{ pid: 1 }], leave: ['pid-1'], forget: ['pid-1'], omitted: 0 });
  next(3);
  expect(next(4)).toEqual({ ...nothing, leave: ['pid-1'] });
  expect(next(5, ofPid(1, 3))).toEqual({ ...nothing, add: [{ pid: 1 }], forget: ['pid-1'] });
});

it('keeps an address whose container restarts within a minute', () => {
  const next = roster();
  next(0, atPort(9229));
  expect(next(0.1)).toEqual(nothing);
  expect(next(0.9, atPort(9229))).toEqual(nothing);
  expect(next(1.8)).toEqual(nothing);
  expect(next(2, atPort(9229))).toEqual(nothing);
  next(3);
  expect(next(4)).toEqual({ ...nothing, leave: ['127.0.0.1-9229'] });
});

it('leaves alone what is watched by another name, and forgets the oldest ids above 32', () => {
  expect(roster({ isKnown: () => true })(0, ofPid(1))).toEqual(nothing);
  const next = roster();
  next(0, ...Array.from({ length: 32 }, (_, index) => ofPid(index + 1)));
  next(1);
  expect(next(2).leave).toHaveLength(32);
  next(3, ofPid(40), ofPid(41));
  next(4);
  expect(next(5)).toEqual({ ...nothing, leave: ['pid-40', 'pid-41'], forget: ['pid-1', 'pid-2'] });
});

it('a target that has left is still known by its id for a while, and then in no metric either', async () => {
  let round: ((found: readonly AutoTarget[]) => void) | undefined;
  const scan = (onRound: typeof round): Promise<void> => {
    round = onRound;
    return Promise.resolve();
  };
  await using targets = new Targets([parseInspectorAddress('127.0.0.1:1'), 'auto'], { scan });
  const metrics = createMetrics({ version: '1', nodeVersion: 'v24', pod: {} });
  const observed = { targets, captures: new FakeCaptures(), monitor: new FakeMonitor(), store: undefined };
  using _observing = observe(metrics, { ...observed, features: () => [] });
  targets.start();
  // Nothing listens there: they are connecting, and lost when they are found no more.
  const ports = (from: number) => Array.from({ length: 31 }, (_, index) => atPort(from + index));
  round?.([...ports(100), atPort(99)]);
  expect([targets.list().length, targets.gone().length, targets.omitted]).toEqual([32, 0, 1]);
  metrics.targetAttached.set({ target: '127.0.0.1-100' }, 0);
  round?.(ports(200));
  expect([targets.list().length, targets.gone().length, targets.omitted]).toEqual([32, 31, 0]);
  expect(targets.list()[0]?.id).toBe('127.0.0.1-1');
  expect(targets.view('127.0.0.1-100').address).toBe('127.0.0.1:100');
  round?.(ports(300));
  expect(() => targets.view('127.0.0.1-100')).toThrow('there is no target "127.0.0.1-100"');
  expect(targets.view('127.0.0.1-230').id).toBe('127.0.0.1-230');
  expect(await metrics.registry.metrics()).not.toContain('target="127.0.0.1-100"');
});
