import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import type { AlertDesk, Condition } from '../../agent/alerts/condition.ts';
import { reportStalls } from '../../agent/alerts/report-stalls.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';

function open() {
  const monitor = new EventEmitter<{ stall: [Stall]; 'stall-ended': [Stall] }>();
  const raised: Condition[] = [];
  const settled: string[] = [];
  const desk: AlertDesk = {
    raise: (condition) => void raised.push(condition),
    settle: ({ key = '' }, why) => void settled.push(`${key}: ${why}`),
  };
  const reports = reportStalls(monitor, desk);
  const end = (stall: Stall): void => {
    monitor.emit('stall', stall);
    monitor.emit('stall-ended', stall);
  };
  return { monitor, raised, settled, reports, end };
}

function stallOf(functionName: string, changes: Partial<Stall> = {}): Stall {
  const frame = { functionName, url: 'file:///app/a.js', lineNumber: 7, columnNumber: 1, original: null };
  return {
    id: `stall of ${functionName}`,
    targetId: 't1',
    instanceId: '1-1',
    thread: 'main',
    kind: 'blocked',
    state: 'ended',
    startedAt: '2026-01-31T12:00:00.000Z',
    noticedAt: '2026-01-31T12:00:01.000Z',
    endedAt: '2026-01-31T12:00:02.000Z',
    durationMs: 2_000,
    verdict: 'javascript',
    summary: `blocked in ${functionName}`,
    dominant: { ...frame, share: 0.9, from: 'stacks' },
    samples: { asked: 20, running: 20, idle: 0, longestAnswerMs: 3 },
    tree: [
      { ...frame, functionName: 'main', parent: -1, samples: 20, self: 2 },
      { ...frame, parent: 0, samples: 18, self: 18 },
    ],
    span: null,
    gcMs: 0,
    throttledMs: null,
    waitedMs: null,
    cpuOperationId: null,
    cpuProfileAgrees: null,
    ...changes,
  };
}

test('a stall that is over is reported once, with its stacks, and settled', () => {
  const { end, raised, settled } = open();
  end(stallOf('parse', { span: { traceId: 'ab', spanId: 'c', name: 'GET /', sampled: true, route: '/', share: 1 } }));
  expect(raised).toHaveLength(1);
  expect(raised[0]).toMatchObject({
    problem: 'stall',
    severity: 'warning',
    key: 'parse file:///app/a.js',
    title: 'blocked in parse',
    traceId: 'ab',
    facts: { function: 'parse', line: 7, durationMs: 2_000, span: 'GET /' },
  });
  expect(raised[0]?.evidence?.[0]?.text.split('\n').slice(-3)).toEqual([
    '  20    2  main file:///app/a.js:7:1',
    '  18   18    parse file:///app/a.js:7:1',
    '',
  ]);
  expect(settled).toEqual(['parse file:///app/a.js: the event loop turns again']);
});

test('one that lasts is reported while it lasts, and stays one when another function becomes its hottest', () => {
  const { monitor, raised, settled, end } = open();
  const ongoing = (durationMs: number, name: string) => stallOf(name, { id: 's1', state: 'ongoing', durationMs });
  monitor.emit('stall', ongoing(1_000, 'first'));
  expect(raised).toEqual([]);
  monitor.emit('stall', ongoing(5_000, 'first'));
  monitor.emit('stall', ongoing(31_000, 'second'));
  end(stallOf('second', { id: 's1', durationMs: 40_000 }));
  expect(raised.map(({ key, severity }) => `${key} ${severity}`)).toEqual([
    'first file:///app/a.js warning',
    'first file:///app/a.js critical',
    'first file:///app/a.js critical',
  ]);
  expect(settled).toEqual(['first file:///app/a.js: the event loop turns again']);
});

test('saturation is a problem of its own; without a function the verdict tells episodes apart', () => {
  const { end, raised } = open();
  end(stallOf('busy', { kind: 'saturated', durationMs: 45_000 }));
  end(stallOf('x', { dominant: null, verdict: 'stopped', tree: [] }));
  end(stallOf('', { state: 'cut' }));
  expect(raised.map(({ problem, key, severity }) => `${problem} ${key} ${severity}`)).toEqual([
    'saturation busy file:///app/a.js warning',
    'stall stopped warning',
    'stall file:///app/a.js:7 warning',
  ]);
  expect(raised[1]?.evidence).toEqual([]);
});

test('names are those of the source, where a source map says so', () => {
  const { end, raised } = open();
  const original = { functionName: 'parseOrder', url: 'src/order.ts', lineNumber: 70, columnNumber: 3 };
  const stall = stallOf('p', { durationMs: 60_000 });
  const [main, parse] = stall.tree;
  if (main === undefined || parse === undefined || stall.dominant === null) throw new Error('the sample has no tree');
  end({ ...stall, dominant: { ...stall.dominant, original }, tree: [main, { ...parse, original }] });
  expect(raised[0]).toMatchObject({
    key: 'parseOrder src/order.ts',
    severity: 'critical',
    facts: { function: 'parseOrder', line: 70 },
  });
  expect(raised[0]?.evidence?.[0]?.text).toContain('  18   18    parseOrder src/order.ts:70:3\n');
});

test('a worker that computes without a pause alerts nobody', () => {
  const { monitor, end, raised, settled } = open();
  const stall = stallOf('compress', { thread: 'worker-1', durationMs: 60_000 });
  monitor.emit('stall', { ...stall, state: 'ongoing', endedAt: null });
  end(stall);
  expect([raised, settled]).toEqual([[], []]);
});

test('a main thread that got no CPU alerts nobody, until it lasts so long that probes give up', () => {
  const { monitor, end, raised, settled } = open();
  const stall = stallOf('parse', { verdict: 'starved', waitedMs: 6_000, durationMs: 6_500 });
  monitor.emit('stall', { ...stall, state: 'ongoing', endedAt: null });
  end(stall);
  expect([raised, settled]).toEqual([[], []]);
  end({ ...stall, id: 'long', waitedMs: 39_500, durationMs: 40_000 });
  expect(raised.map(({ key, severity, facts }) => [key, severity, facts?.['waitedMs']])).toEqual([
    ['starved', 'warning', 39_500],
  ]);
});

test('after its end nothing is listened for', () => {
  const { monitor, reports, raised, end } = open();
  reports[Symbol.dispose]();
  end(stallOf('parse'));
  expect([raised.length, monitor.listenerCount('stall')]).toEqual([0, 0]);
});
