import net from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { openAdminServer } from '../../agent/http/admin-server.ts';
import { openListener } from '../../agent/http/listener.ts';
import { openOpsServer } from '../../agent/http/ops-server.ts';
import { problemSchema } from '../../protocol/rest/problem.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import { waitFor } from '../support/wait-for.ts';
import { fakeServices } from './fakes.ts';

const local = { host: '127.0.0.1', port: 0 };

/** Sends bytes as they are and gives back everything until the server closes. */
async function raw(port: number, bytes: string): Promise<string> {
  const socket = net.connect({ port, host: '127.0.0.1' });
  socket.write(bytes);
  return text(socket);
}

describe('the admin listener', () => {
  test('answers where its url says, over IPv4 and IPv6', async () => {
    const services = await fakeServices();
    for (const host of ['127.0.0.1', '::1']) {
      await using server = await openAdminServer(services, { host, port: 0 });
      expect(server.url).toBe(host === '::1' ? `http://[::1]:${server.port}` : `http://127.0.0.1:${server.port}`);
      const headers = { authorization: `Bearer ${services.adminToken}` };
      expect((await fetch(`${server.url}${apiPath}/targets`, { headers })).status).toBe(200);
    }
  });

  test('names a port that is taken', async () => {
    const services = await fakeServices();
    await using first = await openAdminServer(services, local);
    await expect(openAdminServer(services, { host: '127.0.0.1', port: first.port })).rejects.toMatchObject({
      code: 'address-in-use',
      message: `the admin listener cannot use 127.0.0.1:${first.port}: EADDRINUSE`,
    });
  });

  test('names an address that is not of this machine', async () => {
    const services = await fakeServices();
    await expect(openAdminServer(services, { host: '192.0.2.1', port: 0 })).rejects.toMatchObject({
      code: 'invalid-option',
      message: 'the admin listener cannot use 192.0.2.1:0: EADDRNOTAVAIL',
    });
  });

  test("takes curl's own shape of a start: no body, no content type", async () => {
    const services = await fakeServices();
    await using server = await openAdminServer(services, local);
    const answer = await raw(
      server.port,
      `POST ${apiPath}/cpu/start?duration=500 HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nUser-Agent: curl/8\r\n` +
        `Accept: */*\r\nAuthorization: Bearer ${services.adminToken}\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 202 Accepted\r\n/);
    expect(answer).toContain(`location: ${apiPath}/operations/op-1\r\n`);
  });

  test.each([
    ['a foreign Host', 'GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n', 403, 'forbidden-host'],
    [
      'a foreign absolute target',
      'GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
      403,
      'forbidden-host',
    ],
    [
      'a foreign Host beside a good target',
      'GET http://localhost/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n',
      403,
      'forbidden-host',
    ],
    ['a Host with a blank', 'GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n', 400, 'invalid-request'],
    ['no Host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'invalid-request'],
    ['no Host in HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n', 400, 'invalid-request'],
    [
      'two Hosts',
      'GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n',
      403,
      'forbidden-host',
    ],
    ['a backslash', 'GET \\x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', 400, 'invalid-request'],
    [
      'headers over 16 KiB',
      `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(17_000)}\r\n\r\n`,
      431,
      'headers-too-large',
    ],
    ['a method that HTTP does not have', 'FOO / HTTP/1.1\r\nHost: localhost\r\n\r\n', 400, 'invalid-request'],
    [
      'an expectation, before the credential is asked for',
      `GET ${apiPath}/info HTTP/1.1\r\nHost: localhost\r\nExpect: tea\r\nConnection: close\r\n\r\n`,
      401,
      'unauthorized',
    ],
    ['no HTTP at all', 'nonsense\r\n\r\n', 400, 'invalid-request'],
  ])('%s is answered before any route', async (...row) => {
    const [, request, status, code] = row;
    const services = await fakeServices();
    await using server = await openAdminServer(services, local);
    const [head = '', body = ''] = (await raw(server.port, request)).split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(head.toLowerCase()).toContain('content-type: application/problem+json');
    expect(problemSchema.parse(JSON.parse(body))).toMatchObject({ status, code });
  });

  test.each(['%2e%2e', '..', '%2e%2e%2f%2e%2e', '%00', '%c0%ae'])('the id %s gets nowhere', async (id) => {
    const services = await fakeServices();
    await using server = await openAdminServer(services, local);
    const answer = await raw(
      server.port,
      `GET ${apiPath}/profiles/${id} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${services.adminToken}\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 404 /);
  });

  test('bounds a body by the bytes that come, not by what was promised', async () => {
    const services = await fakeServices();
    await using server = await openAdminServer(services, local);
    const chunk = `8000\r\n${'x'.repeat(0x8000)}\r\n`;
    const answer = await raw(
      server.port,
      `PATCH ${apiPath}/profiles/p1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${services.adminToken}\r\n` +
        `Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n${chunk.repeat(3)}0\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });

  test('lets a request under way end when it closes, and cuts it after the grace', async () => {
    const services = await fakeServices();
    const server = await openAdminServer(services, local);
    const url = `${server.url}${apiPath}/cpu/start?wait=true`;
    const post = () => fetch(url, { method: 'POST', headers: { authorization: `Bearer ${services.adminToken}` } });
    const ends = post();
    const isCut = expect(post()).rejects.toThrow();
    await waitFor(() => services.captures.operations.length === 2, { message: 'both starts' });
    const closing = server.close({ graceMs: 300 });
    services.captures.end('op-1');
    expect(await (await ends).json()).toMatchObject({ id: 'op-1', state: 'succeeded' });
    await closing;
    await isCut;
    await expect(fetch(server.url)).rejects.toThrow();
    await server.close();
  });

  test('a client that leaves while it waits ends the wait, and the capture goes on', async () => {
    const services = await fakeServices();
    await using server = await openAdminServer(services, local);
    const aborter = new AbortController();
    const headers = { authorization: `Bearer ${services.adminToken}` };
    const asked = fetch(`${server.url}${apiPath}/cpu/start?wait=true`, {
      method: 'POST',
      headers,
      signal: aborter.signal,
    });
    await waitFor(() => services.captures.listenerCount('change') > 1, { message: 'the wait' });
    aborter.abort();
    await expect(asked).rejects.toThrow();
    await waitFor(() => services.audited.length === 1, { message: 'the audit line' });
    expect(services.captures.get('op-1').state).toBe('running');
  });
});

test('connections beyond the bound are closed at once and counted', async () => {
  const services = await fakeServices();
  let dropped = 0;
  await using listener = await openListener({
    name: 'small',
    ...local,
    maxConnections: 2,
    log: services.log,
    onDropped: () => (dropped += 1),
    fetch: () => new Response('ok'),
  });
  const open = () => net.connect({ port: listener.port, host: listener.host });
  const held = [open(), open()];
  await Promise.all(held.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
  expect(await text(open().on('error', () => {}))).toBe('');
  expect(dropped).toBe(1);
  for (const socket of held) socket.destroy();
  await waitFor(async () => (await fetch(listener.url).catch(() => undefined))?.status === 200, { message: 'room' });
});

describe('the ops listener', () => {
  test('tells health, readiness with what is off, and metrics; without a credential, to any Host', async () => {
    const services = await fakeServices();
    services.targets.all[0] = {
      ...services.targets.view('t1'),
      state: { state: 'connecting', attempts: 3, nextAttemptAt: null, lastFailure: null },
    };
    const features = () => services.info().features;
    await using server = await openOpsServer({ ...services, features }, local);
    const ask = (path: string, init?: RequestInit) => fetch(server.url + path, init);
    const live = await ask('/livez');
    expect([live.status, await live.text()]).toEqual([200, 'ok\n']);
    expect(live.headers.get('x-content-type-options')).toBe('nosniff');
    const ready = await ask('/readyz');
    expect(ready.status).toBe(200);
    expect(await ready.json()).toEqual({
      status: 'ready',
      features: [{ name: 'storage', state: 'failed', reason: 'read-only file system', remedy: null }],
      targets: [{ id: 't1', state: 'connecting' }],
    });
    const metrics = await ask('/metrics');
    expect(metrics.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(await metrics.text()).toContain('sidescope_build_info{version="0.1.0"');
    expect(await raw(server.port, 'GET /livez HTTP/1.1\r\nHost: 10.0.0.5:7778\r\nConnection: close\r\n\r\n')).toContain(
      ' 200 ',
    );
  });

  test.each(['/', '/ui', '/target-metrics/x', `${apiPath}/targets`, `${apiPath}/info`, '/livez/x'])(
    'has no %s',
    async (path) => {
      const services = await fakeServices();
      await using server = await openOpsServer({ ...services, features: () => [] }, local);
      const response = await fetch(server.url + path, { headers: { authorization: `Bearer ${services.adminToken}` } });
      expect([response.status, problemSchema.parse(await response.json()).code]).toEqual([404, 'not-found']);
    },
  );

  test('changes nothing: other methods are 405', async () => {
    const services = await fakeServices();
    await using server = await openOpsServer({ ...services, features: () => [] }, local);
    const response = await fetch(`${server.url}/metrics`, { method: 'POST' });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  test('names a port that is taken', async () => {
    const services = await fakeServices();
    await using first = await openOpsServer({ ...services, features: () => [] }, local);
    await expect(
      openOpsServer({ ...services, features: () => [] }, { host: '127.0.0.1', port: first.port }),
    ).rejects.toMatchObject({ code: 'address-in-use' });
  });
});
