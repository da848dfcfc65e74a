import { describe, expect, it } from 'vitest';
import { readCpuChoice } from '../../dashboard/model/cpu-choice.ts';
import { readLabels, writeLabels } from '../../dashboard/model/labels.ts';
import type { PageState } from '../../dashboard/model/page-state.ts';
import { emptyState } from '../../dashboard/model/page-state.ts';
import { catchStatus } from '../../dashboard/model/rule-words.ts';
import { headline, operationStatus, startObstacle, targetStatus } from '../../dashboard/model/words.ts';
import { sampleCatch } from './rule-samples.ts';
import {
  connectingTarget,
  detachedTarget,
  sampleInfo,
  sampleOperation,
  sampleStorage,
  sampleTarget,
} from './samples.ts';

const live: PageState = {
  ...emptyState,
  connection: { state: 'live' },
  info: sampleInfo(),
  storage: sampleStorage,
  targets: [sampleTarget()],
};

describe('a target in words', () => {
  it('tells attempts, the next one and the last failure while connecting', () => {
    const status = targetStatus(connectingTarget, Date.parse(nextAttempt()) - 7200);
    expect(status.sentence).toBe('7 attempts, next in 8 s. Nothing listens at billing:9229 (ECONNREFUSED).');
    expect(status).toMatchObject({ label: 'Connecting', tone: 'warn', code: 'inspector-unreachable' });
  });

  it('tells why and since when it is detached', () => {
    const { state } = detachedTarget;
    const since = state.state === 'detached' ? Date.parse(state.since) : Number.NaN;
    expect(targetStatus(detachedTarget, since + 184_000).sentence).toBe(
      '3 min ago: The process ended with its connection. The agent attaches again when it is back.',
    );
  });

  function nextAttempt(): string {
    const { state } = connectingTarget;
    return (state.state === 'connecting' ? state.nextAttemptAt : null) ?? '';
  }
});

it.each([
  [sampleOperation(), 'Running: Sampling.'],
  [
    sampleOperation({ state: 'queued', queuePosition: 2 }),
    'Queued: Starts when the capture before it has ended. Place 2 in the queue.',
  ],
  [sampleOperation({ state: 'cancelled', profileIds: ['p'] }), 'Cancelled: What was sampled is kept.'],
  [sampleOperation({ state: 'cancelled' }), 'Cancelled: Nothing was kept.'],
  [sampleOperation({ state: 'succeeded', profileIds: ['a', 'b'] }), 'Done: 2 profiles kept.'],
  [
    sampleOperation({ state: 'failed', error: { code: 'disk-full', message: 'no space left' } }),
    'Failed: No space left.',
  ],
])('tells an operation as its state and a sentence', (operation, words) => {
  const status = operationStatus(operation);
  expect(`${status.label}: ${status.sentence}`).toBe(words);
});

describe('the headline', () => {
  const cut = { state: 'reconnecting', attempt: 1, retryAtMs: 0, reason: 'gone' } as const;
  it.each<[Partial<PageState>, number, string]>([
    [{}, 0, 'shop is attached and nothing is being captured. A CPU profile of 30 seconds is a good first look.'],
    [{}, 1, 'shop is attached; 1 capture under way.'],
    [{ connection: cut }, 1, 'No connection to the agent: what stands below is from before.'],
    [{ targets: [] }, 0, 'No target is configured. Start the agent with --target host:port.'],
    [
      { targets: [connectingTarget] },
      0,
      'billing:9229 is not attached. The agent keeps trying; the card below says what it met.',
    ],
    [{ targets: [sampleTarget(), connectingTarget] }, 2, '1 of 2 targets attached; 2 captures under way.'],
  ])('says what is going on', (over, activeCount, text) => {
    expect(headline({ ...live, ...over }, activeCount).text).toBe(text);
  });
});

describe('what stands in the way of a start', () => {
  it.each<[what: string, over: Partial<PageState>, reason: RegExp]>([
    ['no target', { targets: [] }, /no target/],
    ['a lost connection', { connection: { state: 'connecting' } }, /no connection to the agent/],
    [
      'a token for viewing',
      { info: sampleInfo({ you: { name: 'v', scopes: ['view'], expiresAt: null } }) },
      /lacks the scope “capture”: it has view/,
    ],
    ['a target that is not attached', { targets: [connectingTarget] }, /not attached \(connecting\)/],
    ['storage that is off', { storage: null }, /Storage is off/],
  ])('is said for %s', (_what, over, reason) => {
    const state = { ...live, ...over };
    expect(startObstacle(state, state.targets[0], 'capture')).toMatch(reason);
  });

  it('is nothing for an attached target and a sufficient token', () => {
    const narrow = sampleInfo({ you: { name: 'c', scopes: ['view', 'capture'], expiresAt: null } });
    expect(startObstacle(live, live.targets[0], 'heap')).toBeNull();
    expect(startObstacle({ ...live, info: narrow }, live.targets[0], 'capture')).toBeNull();
  });
});

describe('the CPU form', () => {
  it.each([
    ['30', '', { durationMs: 30_000, intervalUs: undefined, error: null }],
    ['0.1', '50', { durationMs: 100, intervalUs: 50, error: null }],
    ['2,5', ' 1000 ', { durationMs: 2500, intervalUs: 1000, error: null }],
    ['3600', '', { durationMs: 3_600_000, intervalUs: undefined, error: null }],
  ])('takes %s s every "%s" µs', (durationSeconds, intervalUs, request) => {
    expect(readCpuChoice({ durationSeconds, intervalUs })).toEqual(request);
  });

  it.each([
    ['0', '', 'The duration must be between 0.1 s and 1 d.'],
    ['-1', '', 'The duration must be between 0.1 s and 1 d.'],
    ['abc', '', 'The duration must be between 0.1 s and 1 d.'],
    ['1e99', '', 'The duration must be between 0.1 s and 1 d.'],
    ['', '', 'The duration must be between 0.1 s and 1 d.'],
    ['86401', '', 'The duration must be between 0.1 s and 1 d.'],
    ['30', '49', 'The interval must be a whole number of microseconds between 50 and 1,000,000.'],
    ['30', '99.5', 'The interval must be a whole number of microseconds between 50 and 1,000,000.'],
    ['3600', '100', 'That is 36,000,000 samples; one profile holds 15,000,000. Sample less often.'],
  ])('says why it refuses %s s every "%s" µs', (durationSeconds, intervalUs, error) => {
    expect(readCpuChoice({ durationSeconds, intervalUs })).toEqual({ error });
  });
});

describe('labels', () => {
  it('reads what it writes', () => {
    const labels = { ticket: 'OPS-12', 'before-fix': '', 'a/b.c': 'x: y' };
    expect(writeLabels(labels)).toBe('ticket: OPS-12, before-fix, a/b.c: x: y');
    expect(readLabels(writeLabels(labels))).toEqual({ value: labels, error: null });
    expect(readLabels(' , ')).toEqual({ value: {}, error: null });
  });

  it.each([
    ['<b>: x', /“<b>”: a name has letters/],
    [': x', /a name has letters/],
    [`${'n'.repeat(65)}`, /a name has letters/],
    [`a: ${'v'.repeat(257)}`, /256 characters at most/],
    [Array.from({ length: 33 }, (_, index) => `l${index}`).join(','), /32 labels at most/],
  ])('refuses what the agent would refuse', (text, error) => {
    expect(readLabels(text).error).toMatch(error);
  });
});

it('counts down what is waited for, from no more than was asked, and says what came', () => {
  const waiting = sampleCatch();
  const startMs = Date.parse(waiting.startedAt);
  // The page's time is read every few seconds: it may be from before.
  expect(catchStatus(waiting, startMs - 3_000).sentence).toBe('For 30 min more.');
  expect(catchStatus(waiting, startMs + 60_000).sentence).toBe('For 29 min more.');
  const caught = sampleCatch({ state: 'caught', why: 'the event loop was late' });
  expect(catchStatus(caught, startMs).sentence).toBe('The event loop was late.');
});
