import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import type { AlertNotice } from '../../agent/alerts/alert-sink.ts';
import { OwnSpans } from '../../agent/telemetry/spans.ts';
import { createLog } from '../../agent/telemetry/log.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import { FakeCaptures, fakeOperation } from '../http/fakes.ts';
import { waitFor } from '../support/wait-for.ts';
import { notice } from './harness.ts';
import { openReceiver } from './receiver.ts';
import type { Receiver } from './receiver.ts';

interface SentSpan {
  name: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  status: { code?: number; message?: string };
  attributes: { key: string; value: Record<string, unknown> }[];
}

interface Sent {
  resourceSpans: { resource: { attributes: SentSpan['attributes'] }; scopeSpans: { spans: SentSpan[] }[] }[];
}

function open(endpoint: string | undefined) {
  const captures = new FakeCaptures();
  const alerts = new EventEmitter<{ change: [AlertNotice] }>();
  const logged: string[] = [];
  const log = createLog({ level: 'trace', destination: { write: (line) => logged.push(line) } });
  const spans = new OwnSpans({
    endpoint: endpoint === undefined ? undefined : new URL(endpoint),
    captures,
    alerts,
    environment: { pod: 'shop-1', namespace: 'shops' },
    log,
  });
  const capture = (id: string, changes: Partial<Operation> = {}): void => {
    captures.emit('change', fakeOperation(id));
    captures.emit('change', fakeOperation(id, { state: 'succeeded', endedAt: '2026-01-31T12:00:30.000Z', ...changes }));
  };
  return { spans, captures, alerts, capture, logged };
}

function sentSpans({ received }: Receiver): SentSpan[] {
  return received
    .flatMap(({ body }) => (JSON.parse(body.toString()) as Sent).resourceSpans)
    .flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans));
}

function attributesOf(list: SentSpan['attributes'] = []): Record<string, unknown> {
  return Object.fromEntries(list.map(({ key, value }) => [key, Object.values(value)[0]]));
}

test('captures and alerts arrive as spans by OTLP over HTTP, flushed at the end', async () => {
  await using receiver = await openReceiver();
  {
    const opened = open(`${receiver.url}/otlp`);
    opened.capture('op-1', { profileIds: ['p1'] });
    const error = { code: 'target-gone', message: 'the target ended' };
    opened.capture('op-2', { kind: 'heap-snapshot', state: 'failed', error });
    // An ended operation changes once more when it expires.
    opened.captures.emit('change', fakeOperation('op-1', { state: 'succeeded' }));
    opened.alerts.emit('change', notice({ evidence: [{ name: 'a.txt', mediaType: 'text/plain', text: 'evidence!' }] }));
    opened.alerts.emit('change', notice({}, 'updated'));
    opened.alerts.emit('change', notice({ state: 'closed', closedAt: '2026-01-31T13:00:00.000Z' }, 'closed'));
    await opened.spans.close({ graceMs: 5_000 });
    expect(opened.spans.counts).toEqual({ exported: 4, failed: 0, dropped: 0 });
  }
  expect(receiver.received.map(({ path }) => path)).toEqual(['/otlp/v1/traces']);
  const spans = sentSpans(receiver);
  expect(spans.map(({ name }) => name)).toEqual([
    'capture cpu',
    'capture heap-snapshot',
    'alert memory-leak opened',
    'alert memory-leak',
  ]);
  const durationsMs = spans.map(
    ({ startTimeUnixNano, endTimeUnixNano }) => Number(BigInt(endTimeUnixNano) - BigInt(startTimeUnixNano)) / 1e6,
  );
  expect(durationsMs).toEqual([30_000, 30_000, 0, 3_600_000]);
  expect(attributesOf(spans[0]?.attributes)).toMatchObject({
    'sidescope.operation.id': 'op-1',
    'sidescope.capture.state': 'succeeded',
    'sidescope.target': 't1',
  });
  expect(spans[1]?.status).toMatchObject({ code: 2, message: 'the target ended' });
  expect(attributesOf(spans[3]?.attributes)).toMatchObject({ 'sidescope.alert.problem': 'memory-leak' });
  const body = receiver.received[0]?.body.toString() ?? '';
  expect(attributesOf((JSON.parse(body) as Sent).resourceSpans[0]?.resource.attributes)).toMatchObject({
    'service.name': 'sidescope',
    'k8s.pod.name': 'shop-1',
    'k8s.namespace.name': 'shops',
  });
  expect(body).not.toContain('evidence!');
});

test('a collector that refuses is told once and counted; the agent ends in time though it hangs', async () => {
  await using receiver = await openReceiver();
  receiver.answerWith({ status: 400 }, 'hang');
  const opened = open(receiver.url);
  opened.capture('op-1');
  await waitFor(() => opened.spans.counts.failed === 1, { message: 'the refusal' });
  expect(opened.spans.feature()).toMatchObject({ state: 'on', reason: expect.stringContaining('not taken') as string });
  expect(opened.logged).toHaveLength(1);
  opened.capture('op-2');
  await opened.spans.close({ graceMs: 100 });
  opened.capture('op-3');
  expect(receiver.received.length).toBeLessThanOrEqual(2);
});

test('without an endpoint nothing is listened for', () => {
  const { spans, captures } = open(undefined);
  expect(captures.listenerCount('change')).toBe(0);
  expect(spans.feature()).toMatchObject({ state: 'off' });
});
