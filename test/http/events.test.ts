import { request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { describe, expect, test, vi } from 'vitest';
import { createAdminApp } from '../../agent/http/app.ts';
import { openAdminServer } from '../../agent/http/admin-server.ts';
import { EventStream, eventFrame } from '../../agent/http/event-stream.ts';
import { OperationPacer } from '../../agent/http/operation-pacer.ts';
import { eventSchema } from '../../protocol/rest/event.ts';
import type { SidescopeEvent } from '../../protocol/rest/event.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import { problemSchema } from '../../protocol/rest/problem.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import { sampleRegression } from '../page/regression-samples.ts';
import { waitFor } from '../support/wait-for.ts';
import { fakeOperation, fakeServices, fakeTarget } from './fakes.ts';

async function serve() {
  const services = await fakeServices();
  const server = await openAdminServer(services, { host: '127.0.0.1', port: 0 });
  const connect = async (token = services.adminToken) => {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const headers = { authorization: `Bearer ${token}` };
    httpRequest(`${server.url}${apiPath}/events`, { headers, agent: false }, resolve).on('error', reject).end();
    return promise;
  };
  return { services, server, connect, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** Everything that a response has sent, as events; comments are left out. */
function reading(response: IncomingMessage) {
  let text = '';
  let isEnded = false;
  response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  response.on('close', () => (isEnded = true));
  const events = () =>
    text
      .split('\n\n')
      .slice(0, -1)
      .filter((block) => !block.startsWith(':'))
      .map((block) => {
        const fields = new Map(block.split('\n').map((line) => [line.split(': ', 1)[0], line.replace(/^\w+: /, '')]));
        const event = eventSchema.parse(JSON.parse(fields.get('data') ?? ''));
        expect(fields.get('event')).toBe(event.type);
        return event;
      });
  return { events, types: () => events().map(({ type }) => type), isEnded: () => isEnded };
}

describe('the stream', () => {
  test('says hello, then everything that changes', async () => {
    await using served = await serve();
    const response = await served.connect();
    expect(response.headers).toMatchObject({ 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    const { events, types } = reading(response);
    await waitFor(() => types().length === 1, { message: 'hello' });
    served.services.targets.emit('change', fakeTarget('t2'));
    served.services.captures.emit('change', fakeOperation('op-1'));
    const profile = served.services.store.add('p1', { kind: 'cpu', plain: Buffer.from('{}') });
    served.services.store.emit('deleted', 'p1');
    served.services.store.emit('storage', served.services.store.usage());
    await waitFor(() => types().length === 6, { message: () => `six events, got ${types().join()}` });
    expect(types()).toEqual(['hello', 'target', 'operation', 'profile', 'profile-deleted', 'storage']);
    expect(events()[3]).toEqual({ type: 'profile', profile });
    response.destroy();
    const gauge = async () => (await served.services.metrics.eventStreams.get()).values[0]?.value === 0;
    await waitFor(gauge, { message: 'the stream to be counted out' });
  });

  test('tells regressions as they begin and end, with all that is known of them', async () => {
    await using served = await serve();
    const { events, types } = reading(await served.connect());
    await waitFor(() => types().length === 1, { message: 'hello' });
    const regression = sampleRegression();
    served.services.regressions.emit('finding', { change: 'opened', regression });
    const ended = { ...regression, state: 'ended' as const, endReason: 'it is as before' };
    served.services.regressions.emit('finding', { change: 'ended', regression: ended });
    await waitFor(() => types().length === 3, { message: 'two regressions' });
    expect(events().slice(1)).toEqual([
      { type: 'regression', change: 'opened', regression },
      { type: 'regression', change: 'ended', regression: ended },
    ]);
  });

  test('ends with its credential', async () => {
    await using served = await serve();
    const { token } = served.services.tokens.mint({ name: 'short', scopes: ['view'], ttlMs: 300 });
    const { isEnded, types } = reading(await served.connect(token));
    await waitFor(isEnded, { message: 'the stream to end' });
    expect(types()).toEqual(['hello']);
  });

  test('beats while its credential is right, and ends when that is taken back', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] });
    try {
      const services = await fakeServices();
      using admin = createAdminApp(services);
      const headers = { authorization: `Bearer ${services.adminToken}` };
      const response = await admin.app.request(`http://localhost${apiPath}/events`, { headers });
      const reader = (response.body ?? new ReadableStream<Uint8Array>()).getReader();
      const next = async () => Buffer.from((await reader.read()).value ?? new Uint8Array()).toString();
      expect(await next()).toMatch(/^event: hello\n/);
      vi.advanceTimersByTime(15_000);
      expect(await next()).toBe(': heartbeat\n\n');
      services.tokens.isCurrent = () => Promise.resolve(false);
      vi.advanceTimersByTime(15_000);
      expect((await reader.read()).done).toBe(true);
    } finally {
      vi.useRealTimers();
    }
  });

  test('ends when the server closes, which does not wait for the grace', async () => {
    await using served = await serve();
    const { isEnded, types } = reading(await served.connect());
    await waitFor(() => types().length === 1, { message: 'hello' });
    await served.server.close({ graceMs: 3_600_000 });
    await waitFor(isEnded, { message: 'the stream to end' });
  });

  test('is refused beyond 64, until one ends', async () => {
    await using served = await serve();
    const responses = await Promise.all(Array.from({ length: 64 }, () => served.connect()));
    const refused = await served.connect();
    expect([refused.statusCode, refused.headers['retry-after']]).toEqual([429, '15']);
    const body: unknown = JSON.parse(
      String(await refused.setEncoding('utf8').reduce((all, part) => `${all}${part}`, '')),
    );
    expect(problemSchema.parse(body).code).toBe('too-many-streams');
    responses[0]?.destroy();
    await waitFor(async () => (await served.connect()).statusCode === 200, { message: 'room for one' });
    for (const response of responses) response.destroy();
  });

  test('of a client that does not read is bounded: it loses events and is told to read again', async () => {
    await using served = await serve();
    const slow = await served.connect();
    slow.pause();
    const { types: quickTypes } = reading(await served.connect());
    const big = { ...fakeTarget(), warnings: ['x'.repeat(100_000)] };
    const dropped = async () => (await served.services.metrics.eventsDroppedTotal.get()).values[0]?.value ?? 0;
    let sent = 0;
    await waitFor(
      async () => {
        served.services.targets.emit('change', big);
        sent += 1;
        // The quick one keeps up with each event, so that only the slow one can lose any.
        await waitFor(() => quickTypes().length === sent + 1, { message: 'the quick reader' });
        return (await dropped()) > 0;
      },
      { deadlineMs: 25_000, message: 'events to be dropped' },
    );
    const { events } = reading(slow);
    slow.resume();
    await waitFor(() => events().some(({ type }) => type === 'resync'), { message: 'resync' });
    const seen = events();
    const resync = seen.find((event): event is Extract<SidescopeEvent, { type: 'resync' }> => event.type === 'resync');
    expect(resync?.dropped).toBe(await dropped());
    expect(seen.filter(({ type }) => type === 'target')).toHaveLength(sent - (resync?.dropped ?? 0));
    expect(quickTypes()).not.toContain('resync');

    served.services.store.emit('deleted', 'after');
    await waitFor(() => events().at(-1)?.type === 'profile-deleted', { message: 'the stream to go on' });
    slow.destroy();
  });

  test('HEAD opens none', async () => {
    await using served = await serve();
    const headers = { authorization: `Bearer ${served.services.adminToken}` };
    const response = await fetch(`${served.server.url}${apiPath}/events`, { method: 'HEAD', headers });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect((await served.services.metrics.eventStreams.get()).values[0]?.value).toBe(0);
  });
});

describe('what waits for a reader', () => {
  const frame = eventFrame({ type: 'profile-deleted', profileId: 'p' });
  const makeStream = () => {
    const dropped: number[] = [];
    const stream = new EventStream({ onDropped: (events) => dropped.push(events), onEnd: () => {} });
    const reader = stream.body.getReader();
    const read = async () => {
      const { value, done } = await reader.read();
      return done ? undefined : Buffer.from(value).toString();
    };
    return { stream, read, dropped };
  };

  test('is at most 256 events: then all of them go, and resync says how many', async () => {
    const { stream, read, dropped } = makeStream();
    for (let count = 0; count < 256; count++) stream.push(frame);
    expect(dropped).toEqual([]);
    stream.push(frame);
    stream.push(frame);
    expect(dropped).toEqual([257, 1]);
    expect(await read()).toBe('event: resync\ndata: {"type":"resync","dropped":258}\n\n');
    stream.push(frame);
    expect(await read()).toBe(frame.toString());
  });

  test('is at most 1 MiB', () => {
    const { stream, dropped } = makeStream();
    for (let count = 0; count < 4; count++) stream.push(Buffer.alloc(256 * 1024));
    expect(dropped).toEqual([]);
    stream.push(Buffer.alloc(1));
    expect(dropped).toEqual([5]);
  });

  test('goes out before the end, and nothing comes after it', async () => {
    const { stream, read } = makeStream();
    stream.push(frame);
    stream.end();
    stream.push(frame);
    expect(await read()).toBe(frame.toString());
    expect(await read()).toBeUndefined();
  });

  test('is kept alive by comments while nothing else is to be said', async () => {
    const { stream, read } = makeStream();
    stream.beat();
    stream.beat();
    stream.push(frame);
    expect(await read()).toBe(`: heartbeat\n\n${frame.toString()}`);
  });
});

describe('progress', () => {
  test('of one operation goes out at most four times a second, the newest at last, states at once', async () => {
    const sent: Operation[] = [];
    using pacer = new OperationPacer((operation) => sent.push(operation));
    const at = (id: string, fraction: number, state: Operation['state'] = 'running') =>
      pacer.push(fakeOperation(id, { state, progress: { phase: '', fraction, bytes: 0 } }));
    const fractions = () => sent.map(({ id, progress }) => `${id} ${progress.fraction}`);

    at('a', 0, 'queued');
    for (let step = 1; step <= 50; step++) at('a', step / 100);
    at('b', 0.1);
    expect(fractions()).toEqual(['a 0', 'a 0.01', 'b 0.1']);
    await waitFor(() => sent.length === 4, { message: 'the newest progress' });
    expect(fractions()[3]).toBe('a 0.5');
    at('a', 0.6);
    at('a', 1, 'succeeded');
    expect(fractions().slice(4)).toEqual(['a 1']);
  });
});
