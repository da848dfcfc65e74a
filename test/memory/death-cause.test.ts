import { describe, expect, it } from 'vitest';
import { deathCondition } from '../../agent/memory/death-alert.ts';
import { judgeDeath, type DeathFacts } from '../../agent/memory/death-cause.ts';
import type { ExitEvidence } from '../../agent/memory/exit-watch.ts';
import type { Death } from '../../protocol/rest/deaths.ts';

const time = '2026-01-31T12:00:00.000Z';
const identity: Death['identity'] = {
  instanceId: '42-1',
  pid: 42,
  ppid: 1,
  startedAt: time,
  nodeVersion: 'v24.0.0',
  v8Version: '13.6',
  arch: 'x64',
  platform: 'linux',
  hostname: 'pod',
  title: 'node',
  mainScript: '/app/main.js',
  appName: 'shop',
  appVersion: '1.0.0',
};

type Facts = Partial<ExitEvidence> & { heap?: number; container?: number; heapAtEnd?: number };

/** A process that is gone without a word, unless told. */
function judged({ heap, container, heapAtEnd, ...exit }: Facts) {
  const uses = [
    ...(heap === undefined ? [] : [{ pool: 'heap' as const, share: heap }]),
    ...(container === undefined ? [] : [{ pool: 'container' as const, share: container }]),
  ].map(({ pool, share }) => ({ pool, share, pressure: share, usedBytes: share * 1e9, limitBytes: 1e9 }));
  const facts: DeathFacts = {
    exit: {
      sign: { kind: 'cut' },
      end: { state: 'gone', status: undefined },
      newOomKills: 0,
      blindness: null,
      ...exit,
    },
    uses,
    lastReadingAgoMs: 1_200,
    heapShareAtEnd: heapAtEnd ?? null,
  };
  return judgeDeath(facts);
}

const gone = (status: { exitCode: number } | { signal: 'SIGKILL' | 'SIGABRT' | 'SIGSEGV' | 'SIGTERM' }) => ({
  end: { state: 'gone' as const, status },
});
const error = {
  origin: 'uncaughtException',
  name: 'Error',
  message: 'x',
  stack: 'Error: x\n    at f (/a.js:1:2)',
} as const;

describe('the cause', () => {
  it.each<[string, Facts, string]>([
    [
      'SIGKILL and an OOM kill counted',
      { ...gone({ signal: 'SIGKILL' }), newOomKills: 1 },
      'container-memory-limit certain',
    ],
    ['cut and an OOM kill counted', { newOomKills: 2, heap: 0.95 }, 'container-memory-limit likely'],
    [
      'cut at the container limit, counters not readable',
      { newOomKills: null, container: 0.96 },
      'container-memory-limit guess',
    ],
    ['cut at the container limit, and no OOM kill', { newOomKills: 0, container: 0.96 }, 'killed guess'],
    ['cut near the heap limit', { heap: 0.93 }, 'v8-out-of-memory likely'],
    ['cut, and at its pace at the heap limit', { heap: 0.5, heapAtEnd: 1.4 }, 'v8-out-of-memory likely'],
    ['SIGABRT near the heap limit', { ...gone({ signal: 'SIGABRT' }), heap: 0.93 }, 'v8-out-of-memory certain'],
    ['SIGABRT at a tenth of it', { ...gone({ signal: 'SIGABRT' }), heap: 0.1 }, 'crashed certain'],
    ['SIGKILL near the heap limit', { ...gone({ signal: 'SIGKILL' }), heap: 0.93 }, 'killed certain'],
    ['SIGSEGV', gone({ signal: 'SIGSEGV' }), 'crashed certain'],
    ['SIGTERM', gone({ signal: 'SIGTERM' }), 'killed certain'],
    ['an exit code without the exit event', gone({ exitCode: 7 }), 'exit certain'],
    ['nothing known', {}, 'killed guess'],
    ['the exit event, silent', { sign: { kind: 'silent' } }, 'unknown likely'],
    [
      'the exit event and a code from the kernel',
      { sign: { kind: 'no-code' }, ...gone({ exitCode: 5 }) },
      'exit certain',
    ],
    ['a signal to itself', { sign: { kind: 'no-code' }, ...gone({ signal: 'SIGTERM' }) }, 'killed certain'],
    ['out of work', { sign: { kind: 'natural' } }, 'exit likely'],
    [
      'out of work, and a code from the kernel',
      { sign: { kind: 'natural' }, ...gone({ exitCode: 4 }) },
      'exit certain',
    ],
    ['an exception', { sign: { kind: 'exit', exitCode: 1, error } }, 'uncaught-exception certain'],
  ])('%s', (_, facts, expected) => {
    const { cause, confidence, evidence, summary } = judged(facts);
    expect(`${cause} ${confidence}`).toBe(expected);
    expect(evidence.length).toBeGreaterThan(0);
    expect(summary).not.toBe('');
  });

  it('says what cannot be known, and why', () => {
    expect(judged({ end: { state: 'hidden' }, blindness: 'the watch for exceptions had not begun' }).unknown).toEqual([
      'whether an exception ended it: the watch for exceptions had not begun',
      'its exit code or signal: the process is not in our PID namespace (`shareProcessNamespace` would show it)',
      'from outside SIGKILL, SIGTERM without a handler, a crash and a cut network look the same',
    ]);
  });

  it('names where the exception was thrown, and not what it said', () => {
    const { summary } = judged({
      sign: { kind: 'exit', exitCode: 1, error: { ...error, message: 'password hunter2' } },
    });
    expect(summary).toBe('ended by an uncaught exception: Error at f (/a.js:1:2) with code 1');
  });
});

describe('the alert', () => {
  const severity = (facts: Facts): string | undefined => {
    const death: Death = {
      id: '1',
      targetId: 't1',
      targetName: 'shop',
      instanceId: identity.instanceId,
      identity,
      at: time,
      uptimeMs: 1,
      ...judged(facts),
      memory: { pool: null, grownBytes: null, limit: null },
      sampling: null,
      stall: null,
      stacks: null,
      alerts: [],
      lastReading: null,
      vitals: [],
      next: null,
    };
    return deathCondition(death)?.severity;
  };

  it.each<[string, Facts, string | undefined]>([
    ['code 0', { sign: { kind: 'exit', exitCode: 0, error: null } }, undefined],
    ['out of work', { sign: { kind: 'natural' } }, undefined],
    ['the code of a handled SIGTERM', { sign: { kind: 'exit', exitCode: 143, error: null } }, undefined],
    ['SIGTERM without a handler', gone({ signal: 'SIGTERM' }), 'info'],
    ['gone without a word', {}, 'info'],
    ['code 3', { sign: { kind: 'exit', exitCode: 3, error: null } }, 'warning'],
    ['SIGKILL', gone({ signal: 'SIGKILL' }), 'warning'],
    ['SIGSEGV', gone({ signal: 'SIGSEGV' }), 'critical'],
    ['an exception', { sign: { kind: 'exit', exitCode: 1, error } }, 'critical'],
    ['V8 out of memory', { heap: 0.95 }, 'critical'],
    ['the container limit', { newOomKills: 1 }, 'critical'],
  ])('of a death by %s: %s', (_, facts, expected) => {
    expect(severity(facts)).toBe(expected);
  });
});
