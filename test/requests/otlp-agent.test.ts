import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { fixture } from '../otlp/fixtures.ts';
import { openAgent } from '../support/agent.ts';
import { startAgentProcess } from '../support/agent-process.ts';
import type { AgentProcess } from '../support/agent-process.ts';
import { waitFor } from '../support/wait-for.ts';
import { openUpstream, protobuf } from './otlp-harness.ts';

const nobody = '127.0.0.1:1';

async function takePort(): Promise<AsyncDisposable & { port: number }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { port, [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) };
}

async function otlpUrlOf(agent: AgentProcess): Promise<string> {
  const [, url = ''] = await waitFor(() => /"urls":\["([^"]+)"/.exec(agent.log), { message: 'the OTLP listener' });
  return url;
}

const send = (url: string, body: Buffer): Promise<Response> =>
  fetch(`${url}/v1/traces`, { method: 'POST', headers: protobuf, body: new Uint8Array(body) });

test('a port that a collector has: the feature is failed and says what to set, the rest runs', async () => {
  await using taken = await takePort();
  await using running = await openAgent({ targets: [nobody], args: ['--otlp-address', `127.0.0.1:${taken.port}`] });
  const otlp = running.agent.features().find(({ name }) => name === 'otlp');
  expect(otlp).toMatchObject({
    state: 'failed',
    reason: `the otlp listener cannot use 127.0.0.1:${taken.port}: EADDRINUSE`,
    remedy: expect.stringContaining('Set --otlp-address to a free address') as string,
  });
  expect((await fetch(`${running.opsUrl}/readyz`)).status).toBe(200);
});

test('off, and an upstream that is the agent itself, are told as such', async () => {
  await using off = await openAgent({ targets: [nobody], args: ['--otlp-address', 'off'] });
  expect(off.agent.features().find(({ name }) => name === 'otlp')).toMatchObject({
    state: 'off',
    reason: '--otlp-address is off',
  });
  await using taken = await takePort();
  const { port } = taken;
  await taken[Symbol.asyncDispose]();
  const args = ['--otlp-address', `127.0.0.1:${port}`, '--otlp-forward', `http://localhost:${port}`];
  await using loop = await openAgent({ targets: [nobody], args });
  expect(loop.agent.features().find(({ name }) => name === 'otlp-forward')).toMatchObject({
    state: 'off',
    reason: expect.stringContaining('this agent itself') as string,
  });
});

test('what comes is counted in the metrics and shown as timelines', async () => {
  await using upstream = await openUpstream();
  await using running = await openAgent({
    targets: [nobody],
    args: ['--otlp-address', '127.0.0.1:0', '--otlp-forward', upstream.url.href],
  });
  const { url = '' } = running.agent.otlp ?? {};
  expect((await send(url, fixture('small-express4.pb'))).status).toBe(200);
  expect((await send(url, Buffer.from('?'))).status).toBe(400);
  await waitFor(() => upstream.received.length === 1, { message: 'the request to go on' });
  const lines = await waitFor(
    async () => {
      const text = await (await fetch(`${running.opsUrl}/metrics`)).text();
      return text.includes('sidescope_otlp_forwarded_spans_total 49') && text.split('\n');
    },
    { message: 'the forwarded spans to be counted' },
  );
  expect(lines).toEqual(
    expect.arrayContaining([
      'sidescope_otlp_requests_total{signal="traces",status="200"} 1',
      'sidescope_otlp_requests_total{signal="traces",status="400"} 1',
      'sidescope_otlp_spans_total{result="accepted"} 49',
      'sidescope_otlp_forward_queue_bytes 0',
      'sidescope_otlp_forward_dropped_spans_total{reason="queue-full"} 0',
      'sidescope_otlp_held_bytes 0',
      'sidescope_otlp_cut_total{what="strings"} 0',
      'sidescope_otlp_cut_total{what="values"} 0',
    ]),
  );
  const timelines = await waitFor(
    async () => {
      const answer = await fetch(`${running.url}/api/v1/profiling/timelines`, {
        headers: { authorization: `Bearer ${running.token}` },
      });
      const list = (await answer.json()) as { timelines: { route: string | null }[] };
      return list.timelines.length === 5 && list.timelines;
    },
    { message: 'five timelines' },
  );
  expect(new Set(timelines.map(({ route }) => route))).toContain('/api/users/:id');
});

test('SIGTERM with a full queue sends what waits when the upstream takes it', async () => {
  await using upstream = await openUpstream();
  let isOpen = false;
  upstream.answer = (response) => void response.writeHead(isOpen ? 200 : 503, { 'retry-after': '60' }).end();
  await using agent = await startAgentProcess({
    targets: [nobody],
    args: ['--otlp-address', '127.0.0.1:0', '--otlp-forward', upstream.url.href],
  });
  const url = await otlpUrlOf(agent);
  for (let index = 0; index < 20; index++) expect((await send(url, fixture('small-express4.pb'))).status).toBe(200);
  await waitFor(() => upstream.received.length > 0, { message: 'an attempt' });
  isOpen = true;
  upstream.received.length = 0;
  agent.kill('SIGTERM');
  expect(await agent.exited).toEqual({ code: 0, signal: null });
  expect(upstream.received.length).toBe(20);
});

test('SIGTERM with an upstream that hangs ends within the grace and says what is lost', async () => {
  await using upstream = await openUpstream();
  upstream.answer = () => undefined;
  await using agent = await startAgentProcess({
    targets: [nobody],
    args: ['--otlp-address', '127.0.0.1:0', '--otlp-forward', upstream.url.href],
  });
  const url = await otlpUrlOf(agent);
  for (let index = 0; index < 10; index++) await send(url, fixture('small-express4.pb'));
  await waitFor(() => upstream.received.length > 0, { message: 'an attempt' });
  agent.kill('SIGTERM');
  expect(await agent.exited).toEqual({ code: 0, signal: null });
  expect(agent.log).toContain('telemetry that the upstream did not take is lost');
});
