import { createHmac } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DeliveryQueue } from '../../agent/alerts/delivery-queue.ts';
import type { DeliveryOptions } from '../../agent/alerts/delivery-queue.ts';
import { webhook } from '../../agent/alerts/webhook.ts';
import { createLog } from '../../agent/telemetry/log.ts';
import { waitFor } from '../support/wait-for.ts';
import { notice, openAlerts, condition } from './harness.ts';
import { openReceiver } from './receiver.ts';
import type { Received, Receiver } from './receiver.ts';

const secret = 'a secret of more than 16 bytes';

async function openWebhook(options: { url: string } & Partial<DeliveryOptions>) {
  const stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'sidescope-webhook-'));
  stack.defer(() => rm(folder, { recursive: true }));
  const secretFile = join(folder, 'secret');
  await writeFile(secretFile, `${secret}\n`);
  const logged: string[] = [];
  const log = createLog({ level: 'trace', destination: { write: (line) => logged.push(line) } });
  const { url, ...rest } = options;
  const agent = { version: '0.1.0', environment: { pod: 'shop-1' } };
  const queue = new DeliveryQueue(webhook({ url: new URL(url), secretFile, agent }), {
    log,
    firstPauseMs: 5,
    random: () => 0.5,
    ...rest,
  });
  stack.defer(() => queue.close(AbortSignal.timeout(0)));
  return { queue, logged, secretFile, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

function onlyMessage({ received }: Receiver): Received {
  const [message, ...others] = received;
  if (message === undefined || others.length > 0) throw new Error(`there are ${received.length} messages`);
  return message;
}

const titles = ({ received }: Receiver): string[] =>
  received.map(({ body }) => (JSON.parse(body.toString()) as { alert: { title: string } }).alert.title);

test('a webhook gets the alert as JSON, signed over timestamp and body', async () => {
  await using receiver = await openReceiver();
  await using hook = await openWebhook({ url: `${receiver.url}/hook?key=1` });
  const evidence = [{ name: 'sites.txt', mediaType: 'text/plain' as const, text: 'keep 12 MB/min' }];
  hook.queue.push(notice({ profileIds: ['p1'], evidence }));
  await waitFor(() => receiver.received.length === 1, { message: 'the message' });
  const { path, headers, body } = onlyMessage(receiver);
  expect(path).toBe('/hook?key=1');
  expect(headers).toMatchObject({ 'content-type': 'application/json', 'x-sidescope-event': 'alert.opened' });
  const timestamp = String(headers['x-sidescope-timestamp']);
  expect(Math.abs(Date.now() / 1000 - Number(timestamp))).toBeLessThan(60);
  const expected = createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest('hex');
  expect(headers['x-sidescope-signature']).toBe(`v1=${expected}`);
  expect(JSON.parse(body.toString())).toMatchObject({
    change: 'opened',
    agent: { version: '0.1.0', environment: { pod: 'shop-1' } },
    alert: { problem: 'memory-leak', service: { name: 'shop', version: '1.2.3' }, evidence },
    links: ['/api/v1/profiling/profiles/p1'],
    open: 'sidescope open pod/shop-1',
  });
});

test.for<[string, Parameters<Receiver['answerWith']>]>([
  ['500', [{ status: 500 }, { status: 503 }, { status: 200 }]],
  ['429', [{ status: 429, headers: { 'retry-after': '0' } }, { status: 200 }]],
  ['no answer at all', ['hang', { status: 200 }]],
])('after %s it is sent again, under the same delivery id, and the next ones wait their turn', async ([, answers]) => {
  await using receiver = await openReceiver();
  receiver.answerWith(...answers);
  // Short for what hangs only, and long enough for the answers of a busy machine.
  const hangs = answers.includes('hang');
  await using hook = await openWebhook({ url: receiver.url, ...(hangs && { attemptTimeoutMs: 700 }) });
  hook.queue.push(notice({ title: 'first' }));
  hook.queue.push(notice({ title: 'second' }));
  await waitFor(() => hook.queue.stats().delivered === 2, { message: 'both messages' });
  expect(titles(receiver)).toEqual([...answers.map(() => 'first'), 'second']);
  const ids = receiver.received.map(({ headers }) => headers['x-sidescope-delivery']);
  expect([new Set(ids.slice(0, -1)).size, new Set(ids).size]).toEqual([1, 2]);
  expect(hook.queue.stats()).toMatchObject({ queued: 0, delivered: 2, failed: answers.length - 1, dropped: 0 });
  expect(hook.logged.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual([
    expect.stringContaining('an alert could not be delivered: webhook 127.0.0.1'),
    'alerts are delivered again',
  ]);
});

test('Retry-After is waited for', async () => {
  await using receiver = await openReceiver();
  receiver.answerWith({ status: 429, headers: { 'retry-after': '1' } }, { status: 200 });
  await using hook = await openWebhook({ url: receiver.url });
  const startedMs = performance.now();
  hook.queue.push(notice());
  await waitFor(() => hook.queue.stats().delivered === 1, { message: 'the second attempt' });
  expect(performance.now() - startedMs).toBeGreaterThan(990);
});

test('a receiver that is away loses nothing there was room for, in order, when it is back', async () => {
  const gone = await openReceiver();
  const { port, url } = gone;
  await gone[Symbol.asyncDispose]();
  await using hook = await openWebhook({ url, maxNotices: 50 });
  for (let number = 0; number < 60; number++) hook.queue.push(notice({ title: String(number) }));
  await waitFor(() => hook.queue.stats().failed > 3, { message: 'some attempts' });
  expect(hook.queue.stats()).toMatchObject({ queued: 50, delivered: 0, dropped: 10 });
  await using back = await openReceiver({ port });
  await waitFor(() => hook.queue.stats().delivered === 50, { message: 'all of them' });
  expect(titles(back)).toEqual(Array.from({ length: 50 }, (_, number) => String(number)));
  expect(hook.logged.filter((line) => line.includes('the queue is full'))).toHaveLength(1);
});

test('a queue is bounded by bytes as well', async () => {
  await using receiver = await openReceiver();
  receiver.answerWith('hang');
  await using hook = await openWebhook({ url: receiver.url });
  const evidence = [{ name: 'a.txt', mediaType: 'text/plain' as const, text: 'x'.repeat(95_000) }];
  for (let number = 0; number < 100; number++) hook.queue.push(notice({ evidence }));
  const { queued, dropped } = hook.queue.stats();
  expect(queued * 99_096).toBeLessThanOrEqual(4 * 2 ** 20);
  expect([queued + dropped, queued > 30]).toEqual([100, true]);
});

test('a refusal for good is counted and told, and the next one is sent', async () => {
  await using receiver = await openReceiver();
  receiver.answerWith({ status: 401 }, { status: 200 });
  await using hook = await openWebhook({ url: `${receiver.url}/hook?key=hunter2` });
  hook.queue.push(notice({ title: 'first' }));
  hook.queue.push(notice({ title: 'second' }));
  await waitFor(() => hook.queue.stats().delivered === 1, { message: 'the second one' });
  expect(hook.queue.stats()).toMatchObject({ delivered: 1, failed: 1, dropped: 1 });
  expect(hook.logged.join('')).toContain('answered 401');
  expect(hook.logged.join('')).not.toContain('hunter2');
});

test('a redirect is not followed: the signature is for the address that was named', async () => {
  await using other = await openReceiver();
  await using receiver = await openReceiver();
  receiver.answerWith({ status: 307, headers: { location: other.url } });
  await using hook = await openWebhook({ url: receiver.url });
  hook.queue.push(notice());
  await waitFor(() => hook.queue.stats().dropped === 1, { message: 'the refusal' });
  expect(other.received).toEqual([]);
});

test('a secret that is gone for a while holds the messages back; unsigned ones are never sent instead', async () => {
  await using receiver = await openReceiver();
  await using hook = await openWebhook({ url: receiver.url });
  await rm(hook.secretFile);
  hook.queue.push(notice());
  await waitFor(() => hook.queue.stats().failed > 1, { message: 'attempts' });
  expect(receiver.received).toEqual([]);
  await writeFile(hook.secretFile, 'another secret, long enough');
  await waitFor(() => receiver.received.length === 1, { message: 'the message' });
  const { headers, body } = onlyMessage(receiver);
  const expected = createHmac('sha256', 'another secret, long enough')
    .update(`${String(headers['x-sidescope-timestamp'])}.${body.toString()}`)
    .digest('hex');
  expect(headers['x-sidescope-signature']).toBe(`v1=${expected}`);
});

test('at the end what is queued is delivered first, though a long pause was under way', async () => {
  await using receiver = await openReceiver();
  receiver.answerWith({ status: 500 }, { status: 200 });
  await using hook = await openWebhook({ url: receiver.url, firstPauseMs: 60_000 });
  for (const title of ['a', 'b', 'c']) hook.queue.push(notice({ title }));
  await waitFor(() => hook.queue.stats().failed === 1, { message: 'the first attempt' });
  await hook.queue.close(AbortSignal.timeout(5_000));
  expect(titles(receiver)).toEqual(['a', 'a', 'b', 'c']);
  expect(hook.queue.stats()).toMatchObject({ queued: 0, dropped: 0 });
});

test('at the end a receiver that hangs is given up at the deadline, and what is left is counted', async () => {
  await using receiver = await openReceiver();
  receiver.answerWith('hang');
  await using hook = await openWebhook({ url: receiver.url });
  for (const title of ['a', 'b', 'c']) hook.queue.push(notice({ title }));
  await waitFor(() => receiver.received.length === 1, { message: 'the first attempt' });
  await hook.queue.close(AbortSignal.timeout(100));
  expect(hook.queue.stats()).toMatchObject({ queued: 0, delivered: 0, dropped: 3 });
  expect(hook.logged.at(-1)).toContain('3 changes of alerts were not delivered');
});

test('ten targets that alert at once: each sink gets all of them, and one that hangs slows neither the other nor the desk', async () => {
  await using good = await openReceiver();
  await using bad = await openReceiver();
  bad.answerWith('hang');
  await using hook = await openWebhook({ url: good.url });
  await using stuck = await openWebhook({ url: bad.url });
  await using harness = openAlerts({ sinks: [stuck.queue, hook.queue] });
  for (let target = 0; target < 10; target++)
    harness.alerts.raise(condition({ problem: 'memory-leak', targetId: `t${target}`, title: `t${target} leaks` }));
  // Synchronously: nothing was waited for.
  expect(harness.told).toHaveLength(10);
  await waitFor(() => hook.queue.stats().delivered === 10, { message: 'ten messages' });
  expect(titles(good)).toEqual(Array.from({ length: 10 }, (_, target) => `t${target} leaks`));
  expect(stuck.queue.stats()).toMatchObject({ queued: 10, dropped: 0 });
  expect(harness.alerts.sinkStats().map(({ name, queued }) => `${name} ${queued}`)).toEqual([
    'webhook 10',
    'webhook 0',
  ]);
  await stuck.queue.close(AbortSignal.timeout(0));
});
