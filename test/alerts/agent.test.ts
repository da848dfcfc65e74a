import { createHmac } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startAgent } from '../../agent/agent.ts';
import { resolveOptions } from '../../agent/options.ts';
import { createLog } from '../../agent/telemetry/log.ts';
import type { Alert, AlertList } from '../../protocol/rest/alerts.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import type { Info } from '../../protocol/rest/info.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import { openAgent } from '../support/agent.ts';
import type { RunningAgent } from '../support/agent.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';
import { openReceiver, parseEnvelope } from './receiver.ts';

const key = 'a1b2c3d4e5f60718293a4b5c6d7e8f90';
const secret = 'a webhook secret, long enough';

async function json<T>({ url, token }: Pick<RunningAgent, 'url' | 'token'>, path: string, method = 'GET'): Promise<T> {
  const answer = await fetch(`${url}${apiPath}${path}`, { method, headers: { authorization: `Bearer ${token}` } });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}

test('a stall of a real target is told to GET /alerts, the log, Sentry, the webhook and as a span; no secret is shown', async () => {
  await using receiver = await openReceiver();
  const folder = await mkdtemp(join(tmpdir(), 'sidescope-alerts-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rm(folder, { recursive: true }));
  const secretFile = join(folder, 'secret');
  await writeFile(secretFile, secret);
  await using target = await startTarget('blocks-the-loop');
  const args = [
    ...['--sentry-dsn', `http://${key}@127.0.0.1:${receiver.port}/42`, '--service-name', 'shop'],
    ...['--webhook-url', `${receiver.url}/hook?key=hunter2`, '--webhook-secret-file', secretFile],
    ...['--telemetry-endpoint', `${receiver.url}/otlp?token=hunter3`],
    ...['--stall-threshold', '1s', '--stall-interval', '100ms', '--vitals-interval', '1s'],
  ];
  await using agent = await openAgent({ targets: [target.inspectorAddress], args });
  const attached = async () =>
    (await json<{ targets: { state: { state: string } }[] }>(agent, '/targets')).targets[0]?.state.state === 'attached';
  await waitFor(attached, { message: 'the target' });
  await waitFor(async () => (await json<{ latest: unknown }>(agent, '/vitals')).latest !== null, {
    message: 'a reading',
  });
  // Of its own, also where others have the processors for most of the time.
  await target.send({ cpuMs: 2_000 });
  const alert = await waitFor(
    async () =>
      (await json<AlertList>(agent, '/alerts?problem=stall')).alerts.find(({ key: at }) => at.includes('spinUntil')),
    { message: 'the alert', deadlineMs: 25_000 },
  );
  expect(alert).toMatchObject({
    problem: 'stall',
    state: 'open',
    severity: 'warning',
    service: { name: 'shop', source: 'option' },
    facts: { verdict: 'javascript', function: 'spinUntil' },
  });
  expect(alert.key).toMatch(/^spinUntil .*blocks-the-loop\.mjs$/);
  expect(alert.title).toMatch(/spinUntil \(blocks-the-loop\.mjs:\d\)/);
  expect(alert.evidence.map(({ name }) => name).toSorted()).toEqual(['memory.json', 'stacks.txt']);
  expect(alert.evidence.find(({ name }) => name === 'stacks.txt')?.text).toMatch(/\d+ +\d+ +spinUntil file:/);

  await json<Operation>(agent, '/cpu/start?duration=200&wait=true', 'POST');
  await waitFor(() => new Set(receiver.received.map(({ path }) => path.split('?')[0])).size === 3, {
    deadlineMs: 15_000,
    message: () => `all three receivers; there came ${receiver.received.map(({ path }) => path).join()}`,
  });
  const envelope = receiver.received.find(({ path }) => path.includes('/envelope/'));
  const items = parseEnvelope(envelope?.body ?? Buffer.alloc(0)).items;
  expect(items.map(({ header }) => `${String(header['type'])} ${String(header['filename'])}`).toSorted()).toEqual([
    'attachment memory.json',
    'attachment stacks.txt',
    'event undefined',
  ]);
  const event = JSON.parse(items.find(({ header }) => header['type'] === 'event')?.payload.toString() ?? '') as unknown;
  expect(event).toMatchObject({
    fingerprint: ['sidescope', 'stall', 'shop', alert.key],
    contexts: { memory: { heapLimitBytes: expect.any(Number) as number } },
  });
  const hook = receiver.received.find(({ path }) => path.startsWith('/hook'));
  if (hook === undefined) throw new Error('the webhook got nothing');
  const signed = createHmac('sha256', secret)
    .update(`${String(hook.headers['x-sidescope-timestamp'])}.`)
    .update(hook.body);
  expect(hook.headers['x-sidescope-signature']).toBe(`v1=${signed.digest('hex')}`);

  const lines = agent.logged.map((line) => JSON.parse(line) as { alert?: string; change?: string; msg: string });
  expect(lines.filter((line) => line.alert === alert.id).map(({ change }) => change)).toEqual(['opened']);
  const info = await json<Info>(agent, '/info');
  expect(info.features.filter(({ name }) => ['sentry', 'webhook', 'own-spans'].includes(name))).toEqual(
    ['sentry', 'webhook', 'own-spans'].map((name) => ({ name, state: 'on', reason: null, remedy: null })),
  );
  let metrics = '';
  const isCounted = async (): Promise<boolean> => {
    metrics = await (await fetch(`${agent.opsUrl}/metrics`)).text();
    // The one, and what a busy machine added to it.
    const { length } = (await json<AlertList>(agent, '/alerts?problem=stall')).alerts;
    return [
      `sidescope_alerts_total{problem="stall",severity="warning"} ${length}`,
      `sidescope_alerts_open{severity="warning"} ${length}`,
      `sidescope_alert_deliveries_total{sink="sentry",result="delivered"} ${length}`,
      'sidescope_alert_queue_length{sink="webhook"} 0',
    ].every((line) => metrics.includes(`${line}\n`));
  };
  await waitFor(isCounted, {
    message: () => `each alert to be counted; there is ${metrics.match(/^sidescope_alert.*$/gm)?.join('\n')}`,
  });
  const shown = [...agent.logged, JSON.stringify(info), metrics].join('\n');
  for (const hidden of [key, secret, 'hunter2', 'hunter3', agent.token]) expect(shown).not.toContain(hidden);
}, 60_000);

test('sinks that cannot work are a feature that is failed or off, and the agent runs', async () => {
  await using agent = await openAgent({
    targets: ['127.0.0.1:1'],
    args: ['--webhook-url', 'http://127.0.0.1:1/', '--webhook-secret-file', '/nonexistent/secret'],
  });
  const { features } = await json<Info>(agent, '/info');
  expect(features.filter(({ name }) => ['sentry', 'webhook', 'own-spans'].includes(name))).toMatchObject([
    { name: 'sentry', state: 'off', remedy: 'Set --sentry-dsn to send alerts to Sentry.' },
    { name: 'webhook', state: 'failed', reason: "the webhook's secret /nonexistent/secret cannot be read (ENOENT)" },
    { name: 'own-spans', state: 'off' },
  ]);
  expect(await json<AlertList>(agent, '/alerts')).toEqual({ alerts: [], nextCursor: null });
});

test('a webhook without a secret works, and says that nothing is signed', async () => {
  await using agent = await openAgent({ targets: ['127.0.0.1:1'], args: ['--webhook-url', 'http://127.0.0.1:1/'] });
  const { features } = await json<Info>(agent, '/info');
  expect(features.find(({ name }) => name === 'webhook')).toEqual({
    name: 'webhook',
    state: 'on',
    reason: 'its messages are not signed: the receiver cannot tell them from forged ones',
    remedy: 'Set --webhook-secret-file.',
  });
});

test(
  'an agent whose webhook hangs ends in its grace, and the next one has the open episode',
  { timeout: 60_000 },
  async () => {
    await using receiver = await openReceiver();
    receiver.answerWith('hang');
    const dataDirectory = await mkdtemp(join(tmpdir(), 'sidescope-alerts-'));
    await using stack = new AsyncDisposableStack();
    stack.defer(() => rm(dataDirectory, { recursive: true }));
    await using target = await startTarget('blocks-the-loop');
    const start = async () => {
      const resolved = await resolveOptions({
        argv: [
          ...['--target', target.inspectorAddress, '--data-dir', dataDirectory, '--webhook-url', receiver.url],
          ...['--admin-address', '127.0.0.1:0', '--ops-address', 'off', '--otlp-address', 'off'],
          ...['--stall-threshold', '500ms', '--stall-interval', '100ms'],
        ],
        environment: {},
        readFile: () => Promise.reject(new Error('there is none')),
        isTerminal: false,
      });
      const logged: string[] = [];
      const log = createLog({ level: 'info', destination: { write: (line) => logged.push(line) } });
      const agent = await startAgent(resolved, { log, environment: {}, audit: { write: () => undefined } });
      const running = { url: agent.admin?.url ?? '', token: agent.takeToken() ?? '' };
      const alerts = async () => (await json<AlertList>(running, '/alerts?problem=stall')).alerts;
      return { agent, logged, alerts, [Symbol.asyncDispose]: () => agent.close({ graceMs: 0 }) };
    };
    let before: Alert[] = [];
    {
      await using first = await start();
      await waitFor(() => first.logged.some((line) => line.includes('attached to')), { message: 'the target' });
      await target.send({ cpuMs: 1_200 });
      // One that goes on is told again at its end.
      await waitFor(async () => (await first.alerts()).some(({ facts }) => facts['ongoing'] === false), {
        message: 'the alert',
        deadlineMs: 25_000,
      });
      await waitFor(() => receiver.received.length > 0, { message: 'the first attempt' });
      // The one, and what a busy machine added to it.
      before = await first.alerts();
      await first.agent.close({ graceMs: 200 });
      const lost = `${before.length} changes of alerts were not delivered`;
      expect(first.logged).toContainEqual(expect.stringContaining(lost));
    }
    await using second = await start();
    expect(await second.alerts()).toEqual(before);
  },
);
