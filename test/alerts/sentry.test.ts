import { expect, test } from 'vitest';
import { DeliveryQueue } from '../../agent/alerts/delivery-queue.ts';
import type { DeliveryOptions } from '../../agent/alerts/delivery-queue.ts';
import { sentry } from '../../agent/alerts/sentry.ts';
import type { SentryOptions } from '../../agent/alerts/sentry.ts';
import { createLog } from '../../agent/telemetry/log.ts';
import { waitFor } from '../support/wait-for.ts';
import { notice } from './harness.ts';
import { openReceiver, parseEnvelope } from './receiver.ts';
import type { Receiver } from './receiver.ts';

const key = 'a1b2c3d4e5f60718293a4b5c6d7e8f90';

function openSentry(receiver: { port: number }, options: Partial<DeliveryOptions & SentryOptions> = {}) {
  const logged: string[] = [];
  const log = createLog({ level: 'trace', destination: { write: (line) => logged.push(line) } });
  const sink = sentry({
    dsn: `http://${key}@127.0.0.1:${receiver.port}/42`,
    environment: 'staging',
    release: undefined,
    agentVersion: '0.1.0',
    surroundings: { pod: 'shop-1', namespace: 'shops', node: 'n1' },
    ...options,
  });
  const queue = new DeliveryQueue(sink, { log, firstPauseMs: 5, ...options });
  return { queue, logged, [Symbol.asyncDispose]: () => queue.close(AbortSignal.timeout(0)) };
}

interface Event {
  event_id: string;
  message: string;
  fingerprint: string[];
  tags: Record<string, string>;
  contexts: Record<string, Record<string, unknown>>;
}

function eventsOf(receiver: Receiver): { event: Event; attachments: Record<string, string> }[] {
  return receiver.received.map(({ body }) => {
    const { items } = parseEnvelope(body);
    const event = items.find(({ header }) => header['type'] === 'event')?.payload.toString() ?? '';
    const attachments = items.filter(({ header }) => header['type'] === 'attachment');
    return {
      event: JSON.parse(event) as Event,
      attachments: Object.fromEntries(
        attachments.map(({ header, payload }) => [String(header['filename']), payload.toString()]),
      ),
    };
  });
}

// First: the SDK is not yet loaded then.
test('the SDK changes nothing in the process: no global client, no listeners, nothing patched', async () => {
  const before = globalFacts();
  await using receiver = await openReceiver();
  {
    await using sink = openSentry(receiver);
    sink.queue.push(notice());
    await waitFor(() => sink.queue.stats().delivered === 1, { message: 'the event' });
    const { getClient } = await import('@sentry/node');
    expect(getClient()).toBeUndefined();
  }
  expect(globalFacts()).toEqual(before);
});

test('the SDK sends one event per episode, with tags, fingerprint, memory statistics and the evidence attached', async () => {
  await using receiver = await openReceiver();
  await using sink = openSentry(receiver);
  const memory = { rssBytes: 412, heapLimitBytes: 2_147, spaces: [{ name: 'old_space', usedBytes: 77 }] };
  const sites = `keep (leak.js:12) 12 MB/min\n${'x'.repeat(60_000)}`;
  const alert = {
    facts: { slopeBytesPerHour: 120_000_000, pool: 'heap' },
    traceId: '0af7651916cd43dd8448eb211c80319c',
    profileIds: ['p1'],
    evidence: [
      { name: 'sites.txt', mediaType: 'text/plain' as const, text: sites },
      { name: 'memory.json', mediaType: 'application/json' as const, text: JSON.stringify(memory) },
    ],
  };
  sink.queue.push(notice(alert));
  sink.queue.push(notice(alert, 'reopened'));
  sink.queue.push(notice({ ...alert, state: 'closed' }, 'closed'));
  await waitFor(() => sink.queue.stats().delivered === 1, { message: 'the event' });
  expect(receiver.received).toHaveLength(1);
  expect(receiver.received[0]?.path).toContain('/api/42/envelope/');
  const [{ event, attachments } = { event: undefined, attachments: {} }] = eventsOf(receiver);
  expect(event).toMatchObject({
    message: 'the heap grows by 120 MB/h',
    level: 'warning',
    environment: 'staging',
    release: 'shop@1.2.3',
    fingerprint: ['sidescope', 'memory-leak', 'shop', 'heap'],
    timestamp: Date.parse('2026-01-31T12:00:00Z') / 1000,
    tags: {
      problem: 'memory-leak',
      severity: 'warning',
      service: 'shop',
      version: '1.2.3',
      pod: 'shop-1',
      namespace: 'shops',
      node: 'n1',
      target: 't1',
      key: 'heap',
    },
    contexts: {
      memory,
      facts: { slopeBytesPerHour: 120_000_000, pool: 'heap' },
      alert: { change: 'opened', links: ['/api/v1/profiling/profiles/p1'], open: 'sidescope open pod/shop-1 -n shops' },
      'target trace': { trace_id: '0af7651916cd43dd8448eb211c80319c' },
    },
  });
  expect(attachments).toEqual({ 'sites.txt': sites, 'memory.json': JSON.stringify(memory) });
  // Nothing of the agent's own process: its host name, modules, breadcrumbs, environment.
  expect(
    Object.keys(event ?? {}).filter((name) =>
      ['server_name', 'modules', 'breadcrumbs', 'request', 'user'].includes(name),
    ),
  ).toEqual([]);
});

test('getting worse is a second event of the same issue; two problems are two issues', async () => {
  await using receiver = await openReceiver();
  await using sink = openSentry(receiver, { release: 'r7' });
  sink.queue.push(notice());
  sink.queue.push(notice({ severity: 'critical', reports: 4 }, 'escalated'));
  sink.queue.push(notice({ severity: 'info' }));
  sink.queue.push(notice({ id: '01kgagqr00000000000000000b', problem: 'stall', key: 'parse file:///app/a.js' }));
  await waitFor(() => sink.queue.stats().delivered === 3, { message: 'three events' });
  const events = eventsOf(receiver).map(({ event }) => event);
  expect(new Set(events.map(({ event_id }) => event_id)).size).toBe(3);
  expect(events.map(({ fingerprint }) => fingerprint.join('/'))).toEqual([
    'sidescope/memory-leak/shop/heap',
    'sidescope/memory-leak/shop/heap',
    'sidescope/stall/shop/parse file:///app/a.js',
  ]);
  expect(events[1]).toMatchObject({ level: 'fatal', release: 'r7' });
});

test.for<[string, Parameters<Receiver['answerWith']>]>([
  ['500', [{ status: 500 }, { status: 200 }]],
  ['no answer at all', ['hang', { status: 200 }]],
])('after %s the same event is sent again', async ([, answers]) => {
  await using receiver = await openReceiver();
  receiver.answerWith(...answers);
  await using sink = openSentry(receiver, { attemptTimeoutMs: 300 });
  sink.queue.push(notice());
  await waitFor(() => sink.queue.stats().delivered === 1, { message: 'the event' });
  const ids = eventsOf(receiver).map(({ event }) => event.event_id);
  // A busy machine may be late with an answer once more.
  expect(ids.length).toBeGreaterThanOrEqual(answers.length);
  expect(new Set(ids).size).toBe(1);
});

test('after 429 nothing is sent until Retry-After is over, and nothing is lost', async () => {
  await using receiver = await openReceiver();
  receiver.answerWith({ status: 429, headers: { 'retry-after': '1' } }, { status: 200 });
  await using sink = openSentry(receiver);
  const startedMs = performance.now();
  for (const id of ['a', 'b', 'c']) sink.queue.push(notice({ id: `01kgagqr0000000000000000${id}0` }));
  await waitFor(() => sink.queue.stats().delivered === 3, { message: 'the events' });
  expect(performance.now() - startedMs).toBeGreaterThan(990);
  expect(receiver.received).toHaveLength(4);
});

test('a Sentry that refuses connections keeps the events until it is back', async () => {
  const gone = await openReceiver();
  await gone[Symbol.asyncDispose]();
  await using sink = openSentry(gone);
  for (const id of ['a', 'b', 'c']) sink.queue.push(notice({ id: `01kgagqr0000000000000000${id}0` }));
  await waitFor(() => sink.queue.stats().failed > 2, { message: 'attempts' });
  expect(sink.queue.problem).toBe(`Sentry at 127.0.0.1:${gone.port} cannot be reached (ECONNREFUSED)`);
  await using back = await openReceiver({ port: gone.port });
  await waitFor(() => sink.queue.stats().delivered === 3, { message: 'the events' });
  expect(back.received).toHaveLength(3);
  expect(sink.logged.join('')).not.toContain(key);
});

test('events that Sentry refuses for good are counted; the key is in no message', async () => {
  await using receiver = await openReceiver();
  receiver.answerWith({ status: 403 });
  await using sink = openSentry(receiver);
  sink.queue.push(notice());
  await waitFor(() => sink.queue.stats().dropped === 1, { message: 'the refusal' });
  expect(sink.logged.join('')).toContain('answered 403');
  expect(sink.logged.join('')).not.toContain(key);
});

function globalFacts() {
  return {
    listeners: Object.fromEntries(
      process.eventNames().map((name) => [String(name), process.listenerCount(name)] as const),
    ),
    functions: [globalThis.fetch, console.log, console.error, globalThis.setTimeout, JSON.parse],
  };
}
