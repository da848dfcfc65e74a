import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAdminApp } from '../../agent/http/app.ts';
import { JwtAccess } from '../../agent/http/jwt.ts';
import { mountRoutes } from '../../agent/http/router.ts';
import type { Handlers } from '../../agent/http/router.ts';
import { SidescopeError } from '../../protocol/error.ts';
import { problemKinds, problemSchema } from '../../protocol/rest/problem.ts';
import { scopes } from '../../protocol/rest/route.ts';
import { apiPath, routes } from '../../protocol/rest/routes.ts';
import type { Route, Scope } from '../../protocol/rest/route.ts';
import { audience, issuer, makeKey, sign } from '../support/issuer.ts';
import { fakeOperation, fakeServices } from './fakes.ts';
import { Hono } from 'hono';

async function makeApp(overrides: Parameters<typeof fakeServices>[0] = {}) {
  const services = await fakeServices(overrides);
  const { app } = createAdminApp(services);
  const call = (method: string, path: string, init: { token?: string; headers?: object; body?: string } = {}) =>
    app.request(`http://localhost:7777${path}`, {
      method,
      headers: {
        ...(init.token === undefined ? {} : { authorization: `Bearer ${init.token}` }),
        ...init.headers,
      },
      ...(init.body === undefined ? {} : { body: init.body }),
    });
  const api = (method: string, path: string, init: { headers?: object; body?: string } = {}) =>
    call(method, apiPath + path, { token: services.adminToken, ...init });
  return { services, app, call, api };
}

async function problemOf(response: Response) {
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  return problemSchema.parse(await response.json());
}

const rows = Object.entries<Route>(routes);
const guarded = rows.filter(([, route]) => route.scope !== 'public');
const exampleOf = ({ path }: Route) => apiPath + path.replace(':id', 'p1').replace('*', 'x.js');
const bodyOf = (route: Route) =>
  route.body === undefined ? {} : { body: '{"pinned":true}', headers: { 'content-type': 'application/json' } };

/** One role for each scope, and one that gives nothing. */
const jwtOf = new Map<string, string>();
let jwt: JwtAccess;
/** For rows that leave nothing behind which the next one would see. */
let shared: Awaited<ReturnType<typeof makeApp>>;
const tokenOf = new Map<Scope, string>();
/** One for each way to be refused: a hundred tries are answered as such, which is room for every route. */
let closed: Record<'none' | 'wrong' | 'expired', typeof shared>;
let expiredToken: string;
let directory: string;
beforeAll(async () => {
  const key = await makeKey('k1');
  for (const scope of [...scopes, 'none']) jwtOf.set(scope, await sign(key, { claims: { roles: [`${scope}-role`] } }));
  directory = await mkdtemp(join(tmpdir(), 'sidescope-routes-'));
  await writeFile(join(directory, 'jwks.json'), JSON.stringify({ keys: [key.jwk] }));
  jwt = new JwtAccess({
    place: { path: join(directory, 'jwks.json') },
    credentials: { caFile: undefined, tokenFile: undefined },
    issuer,
    audiences: [audience],
    roleClaim: 'roles',
    roles: scopes.map((scope) => ({ role: `${scope}-role`, scopes: [scope] })),
    log: { info() {}, warn() {} },
  });
  shared = await makeApp({ jwt });
  closed = { none: await makeApp(), wrong: await makeApp(), expired: await makeApp() };
  expiredToken = closed.expired.services.tokens.mint({ name: 'old', scopes: ['admin'], ttlMs: -1 }).token;
  for (const scope of scopes) tokenOf.set(scope, shared.services.tokenWith(scope));
});
afterAll(async () => {
  jwt[Symbol.dispose]();
  await rm(directory, { recursive: true });
});

describe('every row of the route table', () => {
  test.each(guarded)('%s is refused without a credential', async (_name, route) => {
    const response = await closed.none.call(route.method, exampleOf(route));
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer realm="sidescope"');
    expect((await problemOf(response)).code).toBe('unauthorized');
  });

  test.each(guarded)('%s is refused with a wrong or an expired token', async (_name, route) => {
    const wrong = await closed.wrong.call(route.method, exampleOf(route), { token: 'sst_wrong' });
    expect((await problemOf(wrong)).code).toBe('unauthorized');
    const old = await closed.expired.call(route.method, exampleOf(route), { token: expiredToken });
    expect((await problemOf(old)).code).toBe('unauthorized');
  });

  test.each(guarded)('%s is open to its scope and to admin, and to no other', async (_name, route) => {
    for (const [scope, token] of tokenOf) {
      const response = await shared.call(route.method, exampleOf(route), { token, ...bodyOf(route) });
      await response.body?.cancel();
      const isOpen = scope === 'admin' || scope === route.scope;
      expect([scope, response.status === 403]).toEqual([scope, !isOpen]);
      expect(response.status).not.toBe(401);
    }
  });

  test.each(guarded)('%s is open to the roles of a JWT that give its scope, and to no other', async (_name, route) => {
    const { call } = shared;
    for (const scope of [...scopes, 'none'] as const) {
      const token = jwtOf.get(scope) ?? '';
      const response = await call(route.method, exampleOf(route), { token, ...bodyOf(route) });
      await response.body?.cancel();
      const isOpen = scope === 'admin' || scope === route.scope;
      expect([scope, response.status === 403]).toEqual([scope, !isOpen]);
      expect(response.status).not.toBe(401);
    }
    const forged = `${jwtOf.get('admin')?.slice(0, -4)}AAAA`;
    const wrong = await call(route.method, exampleOf(route), { token: forged });
    expect((await problemOf(wrong)).details).toEqual({ reason: 'signature' });
  });

  test.each(rows.filter(([, route]) => route.scope === 'public'))('%s is public', async (_name, route) => {
    const { call } = await makeApp();
    expect([200, 404, 503]).toContain((await call(route.method, exampleOf(route))).status);
  });

  test('has a handler, and every handler a row, or the application does not start', async () => {
    const services = await fakeServices();
    const gate = {} as Parameters<typeof mountRoutes>[1]['gate'];
    const mount = (handlers: object) => () =>
      mountRoutes(new Hono(), { services, gate, handlers: handlers as Handlers });
    const all = Object.fromEntries(Object.keys(routes).map((name) => [name, () => new Response()]));
    expect(mount(all)).not.toThrow();
    expect(mount({ ...all, extra: () => new Response() })).toThrow('the handler extra has no row in the route table');
    const { listTargets: _left, ...fewer } = all;
    expect(mount(fewer)).toThrow('the route listTargets has no handler');
  });

  test.each(rows)('%s answers with the security headers and a request id', async (_name, route) => {
    const { call, services } = shared;
    const response = await call(route.method, exampleOf(route), { token: services.adminToken, ...bodyOf(route) });
    await response.body?.cancel();
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(response.headers.get('referrer-policy')).toBe('no-referrer');
    expect(response.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    expect(response.headers.get('cross-origin-opener-policy')).toBe('same-origin');
    expect(response.headers.get('cache-control')).toMatch(/no-store|no-cache/);
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect([...response.headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([]);
  });
});

describe('methods and paths', () => {
  test.each(['PUT', 'OPTIONS', 'PATCH'])('%s on a known path is 405 with Allow', async (method) => {
    const { api } = await makeApp();
    const response = await api(method, '/profiles');
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('GET, HEAD, DELETE');
  });

  test('GET never starts a capture', async () => {
    const { api, services } = await makeApp();
    for (const path of ['/cpu/start', '/cpu/stop', '/heap/snapshot']) {
      const response = await api('GET', path);
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
    }
    expect(services.captures.asked).toEqual([]);
  });

  test('HEAD answers like GET without a body', async () => {
    const { api } = await makeApp();
    const response = await api('HEAD', '/targets');
    expect([response.status, await response.text()]).toEqual([200, '']);
  });

  test('an unknown path is 404, and the root leads to the page', async () => {
    const { api, call } = await makeApp();
    expect((await problemOf(await api('GET', '/nothing'))).code).toBe('not-found');
    const root = await call('GET', '/');
    expect([root.status, root.headers.get('location')]).toEqual([302, `${apiPath}/ui`]);
  });

  test.each(['%2e%2e%2fx', '%00', 'a%20b', 'x'.repeat(65), '..%2f..%2fetc%2fpasswd', 'a.b'])(
    'the id %s is unknown before any part sees it',
    async (id) => {
      const { api } = await makeApp();
      expect((await problemOf(await api('GET', `/profiles/${id}`))).code).toBe('unknown-profile');
      expect((await problemOf(await api('DELETE', `/profiles/${id}`))).code).toBe('unknown-profile');
      expect((await problemOf(await api('GET', `/profiles/${id}/download`))).code).toBe('unknown-profile');
      expect((await problemOf(await api('GET', `/operations/${id}`))).code).toBe('unknown-operation');
    },
  );
});

describe('requests of web pages', () => {
  test.each([
    ['host', 'evil.example'],
    ['host', 'evil.example:7777'],
    ['host', '10.0.0.5:7777'],
    ['host', 'localhost.evil.example'],
    ['host', 'localhost.'],
    ['host', '127.0.0.1:7777@evil.example'],
    ['host', '[::2]:7777'],
  ])('%s %s is refused', async (name, value) => {
    const { api, call } = await makeApp();
    for (const response of [await api('GET', '/targets', { headers: { [name]: value } }), await call('GET', '/')])
      expect(response.status === 302 || (await problemOf(response)).code === 'forbidden-host').toBe(true);
    expect((await api('GET', '/targets', { headers: { [name]: value } })).status).toBe(403);
  });

  test.each(['localhost', 'LOCALHOST:80', '127.0.0.1:17777', '[::1]:7777', 'pod.example:1'])(
    'host %s is allowed',
    async (host) => {
      const { api } = await makeApp({ allowedHosts: ['Pod.example'] });
      expect((await api('GET', '/targets', { headers: { host } })).status).toBe(200);
    },
  );

  test.each([
    [{ origin: 'http://evil.example' }, 403],
    [{ origin: 'null' }, 403],
    [{ origin: 'http://localhost:3000' }, 403],
    [{ origin: 'http://localhost:7777' }, 200],
    [{ origin: 'https://localhost:7777' }, 200],
    [{ 'sec-fetch-site': 'cross-site' }, 403],
    [{ 'sec-fetch-site': 'same-site' }, 403],
    [{ 'sec-fetch-site': 'same-origin' }, 200],
    [{ 'sec-fetch-site': 'none' }, 200],
    [{ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }, 403],
  ])('%j on an API route gives %i', async (headers, status) => {
    const { api } = await makeApp();
    const withHost = { host: 'localhost:7777', ...headers };
    expect((await api('GET', '/targets', { headers: withHost })).status).toBe(status);
  });

  test('a link in another page may open the dashboard, but not frame or fetch it', async () => {
    const { call } = await makeApp();
    const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
    expect((await call('GET', `${apiPath}/ui/docs`, { headers: link })).status).toBe(200);
    for (const headers of [
      { ...link, 'sec-fetch-dest': 'iframe' },
      { ...link, 'sec-fetch-mode': 'no-cors' },
    ])
      expect((await call('GET', `${apiPath}/ui/docs`, { headers })).status).toBe(403);
  });

  test('a form posted from elsewhere starts nothing, also with a right token', async () => {
    const { api, services } = await makeApp();
    for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
      const headers = { origin: 'http://evil.example', 'content-type': type };
      const response = await api('POST', '/cpu/start', { headers, body: 'a=b' });
      expect((await problemOf(response)).code).toBe('forbidden-origin');
    }
    expect(services.captures.asked).toEqual([]);
  });
});

describe('parameters', () => {
  test.each([
    ['duration=0', 'duration', 'must be between 100 and 86400000 milliseconds', '0'],
    ['duration=-1', 'duration', 'must be between 100 and 86400000 milliseconds', '-1'],
    ['duration=abc', 'duration', 'must be a whole number of milliseconds, 100 to 86400000', 'abc'],
    ['duration=1e99', 'duration', 'must be a whole number of milliseconds, 100 to 86400000', '1e99'],
    ['duration=', 'duration', 'must be a whole number of milliseconds, 100 to 86400000', ''],
    ['duration=%20500', 'duration', 'must be a whole number of milliseconds, 100 to 86400000', ' 500'],
    ['duration=86400001', 'duration', 'must be between 100 and 86400000 milliseconds', '86400001'],
    ['interval=49', 'interval', 'must be between 50 and 1000000 microseconds', '49'],
    ['thread=../main', 'thread', 'must be main, all, or the id of a thread', '../main'],
    ['wait=maybe', 'wait', 'must be true or false', 'maybe'],
    ['duratoin=500', 'duratoin', 'is not known here', '500'],
    ['__proto__=1', '__proto__', 'is not known here', '1'],
    ['duration=500&duration=600', 'duration', 'must be given once', '600'],
  ])('/cpu/start?%s names the parameter, the limit and the value', async (...row) => {
    const [query, parameter, message, value] = row;
    const { api, services } = await makeApp();
    const response = await api('POST', `/cpu/start?${query}`);
    expect(response.status).toBe(400);
    expect((await problemOf(response)).errors).toEqual([{ parameter, message, value }]);
    expect(services.captures.asked).toEqual([]);
  });

  test.each([
    ['GET', '/alerts?state=shut', 'state', 'must be open or closed', 'shut'],
    ['GET', '/rules?target=', 'target', 'must not be empty', ''],
    ['GET', `/rules?target=${'x'.repeat(201)}`, 'target', 'must have at most 200 characters', 'x'.repeat(100)],
    ['POST', '/rules/catch?event=cpu&for=99d', 'for', 'must be a time from 1s to 24h, such as 30m', '99d'],
    [
      'POST',
      '/rules/catch?event=stall&above=5',
      'above',
      'is for delay, cpu and latency: a stall and saturation have no bound',
      '5',
    ],
    ['GET', '/stalls?limit=many', 'limit', 'must be a whole number of stalls, 1 to 100', 'many'],
  ] as const)('%s %s is refused in plain words', async (...row) => {
    const [method, path, parameter, message, value] = row;
    const { api } = await makeApp();
    expect((await problemOf(await api(method, path))).errors).toEqual([{ parameter, message, value }]);
  });

  test.each([
    [{ pinned: 'yes' }, 'pinned', 'must be true or false', 'yes'],
    [{ labels: [] }, 'labels', 'must be an object', '[]'],
    [{ labels: { team: 7 } }, 'labels.team', 'must be a text', '7'],
    [{ labels: { 'a b': 'x' } }, 'labels.a b', 'must have a name of 1 to 64 letters, digits, and any of . _ / -', 'x'],
    [{ labels: { team: 'x'.repeat(257) } }, 'labels.team', 'must have at most 256 characters', 'x'.repeat(100)],
  ])('a body with %j is refused in plain words', async (...row) => {
    const [body, parameter, message, value] = row;
    const { api } = await makeApp();
    const headers = { 'content-type': 'application/json' };
    const answer = await api('PATCH', '/profiles/p1', { headers, body: JSON.stringify(body) });
    expect((await problemOf(answer)).errors).toEqual([{ parameter, message, value }]);
  });

  test('a label named __proto__ is refused, and others that every object has are kept', async () => {
    const { api, services } = await makeApp();
    const patch = (body: string) =>
      api('PATCH', '/profiles/p1', { headers: { 'content-type': 'application/json' }, body });
    for (const [body, parameter] of [
      ['{"labels":{"__proto__":"x"}}', 'labels.__proto__'],
      ['{"__proto__":{"pinned":true}}', '__proto__'],
    ] as const) {
      const { errors } = await problemOf(await patch(body));
      expect(errors).toEqual([{ parameter, message: 'is a name that is not taken' }]);
    }
    services.store.add('p1', { kind: 'cpu', plain: Buffer.from('{}') });
    const { labels } = (await (await patch('{"labels":{"constructor":"x"}}')).json()) as {
      labels: unknown;
    };
    expect(labels).toEqual({ constructor: 'x' });
    expect((await patch(`{"labels":${'['.repeat(30_000)}${']'.repeat(30_000)}}`)).status).toBe(400);
  });

  test('all problems are told at once, values are cut', async () => {
    const { api } = await makeApp();
    const query = `duration=0&interval=x&foo=${'y'.repeat(500)}&wait=1&wait=1`;
    const { errors = [] } = await problemOf(await api('POST', `/cpu/start?${query}`));
    expect(errors.map(({ parameter }) => parameter).sort()).toEqual(['duration', 'foo', 'interval', 'wait']);
    expect(Math.max(...errors.map(({ value }) => value?.length ?? 0))).toBe(100);
  });

  test('a route without parameters takes none', async () => {
    const { api } = await makeApp();
    expect((await problemOf(await api('GET', '/info?verbose=1'))).errors).toEqual([
      { parameter: 'verbose', message: 'is not a parameter of this route', value: '1' },
    ]);
  });

  test('DELETE /profiles without a filter deletes nothing', async () => {
    const { api, services } = await makeApp();
    for (const query of ['', '?target=t1'])
      expect((await problemOf(await api('DELETE', `/profiles${query}`))).code).toBe('invalid-request');
    expect(services.store.asked).toEqual([]);
    expect((await api('DELETE', '/profiles?kind=cpu&before=2026-01-01T01:00:00%2B01:00')).status).toBe(200);
    expect(services.store.asked).toEqual([{ targetId: undefined, before: '2026-01-01T00:00:00.000Z', kind: 'cpu' }]);
  });

  test('a ticket is never repeated in an answer', async () => {
    const { api } = await makeApp();
    const response = await api('GET', `/targets?ticket=${'s'.repeat(40)}`);
    expect(await response.text()).not.toContain('ssss');
  });
});

describe('bodies', () => {
  const json = { 'content-type': 'application/json' };

  test('a start takes neither body nor content type, and ignores a small one', async () => {
    const { api, services } = await makeApp();
    expect((await api('POST', '/cpu/start')).status).toBe(202);
    expect((await api('POST', '/cpu/start', { body: '{}', headers: json })).status).toBe(202);
    expect((await api('POST', '/cpu/start', { body: 'x'.repeat(1025) })).status).toBe(413);
    expect(services.captures.asked).toHaveLength(2);
  });

  test('PATCH pins and labels', async () => {
    const { api, services } = await makeApp();
    services.store.add('p1', { kind: 'cpu', plain: Buffer.from('{}') });
    const response = await api('PATCH', '/profiles/p1', {
      body: '{"pinned":true,"labels":{"why":"slow"}}',
      headers: json,
    });
    expect(await response.json()).toMatchObject({ pinned: true, labels: { why: 'slow' } });
  });

  test.each([
    ['text/plain', '{"pinned":true}', 415, 'unsupported-media-type'],
    ['application/x-www-form-urlencoded', 'pinned=true', 415, 'unsupported-media-type'],
    ['application/json', '{"pinned":', 400, 'invalid-request'],
    ['application/json', '[]', 400, 'invalid-request'],
    ['application/json', 'null', 400, 'invalid-request'],
    ['application/json', '{"pinned":"yes"}', 400, 'invalid-request'],
    ['application/json', '{"sha256":"x"}', 400, 'invalid-request'],
    ['application/json', '{"labels":{"a b":"x"}}', 400, 'invalid-request'],
    ['application/json', ' '.repeat(65_537), 413, 'body-too-large'],
  ])('PATCH with %s %.30s is refused with %i', async (...row) => {
    const [type, body, status, code] = row;
    const { api, services } = await makeApp();
    services.store.add('p1', { kind: 'cpu', plain: Buffer.from('{}') });
    const response = await api('PATCH', '/profiles/p1', { body, headers: { 'content-type': type } });
    expect([response.status, (await problemOf(response)).code]).toEqual([status, code]);
    expect(services.store.get('p1').pinned).toBe(false);
  });
});

describe('captures', () => {
  test('a start is 202 with the operation and its Location', async () => {
    const { api, services } = await makeApp();
    const response = await api('POST', '/cpu/start?duration=500&interval=200&thread=all&target=t1');
    expect([response.status, response.headers.get('location')]).toEqual([202, `${apiPath}/operations/op-1`]);
    expect(await response.json()).toEqual(fakeOperation('op-1'));
    expect(services.captures.asked).toEqual([
      { targetId: 't1', thread: 'all', durationMs: 500, intervalUs: 200, startedBy: 'admin' },
    ]);
  });

  test('wait=true holds the answer until the operation has ended', async () => {
    const { api, services } = await makeApp();
    const answer = api('POST', '/heap/snapshot?wait=true&force=1');
    await expect.poll(() => services.captures.listenerCount('change')).toBeGreaterThan(1);
    services.captures.end('op-1');
    const response = await answer;
    expect([response.status, response.headers.get('location')]).toEqual([200, null]);
    expect(await response.json()).toMatchObject({ id: 'op-1', state: 'succeeded' });
  });

  test('a refusal keeps its numbers, says when to come again, and is counted', async () => {
    const { api, services } = await makeApp();
    services.captures.refusal = new SidescopeError('too-many-captures', 'queue full', {
      details: { retryAfterSeconds: 12.3 },
    });
    const response = await api('POST', '/cpu/start');
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '13']);
    expect((await problemOf(response)).details).toEqual({ retryAfterSeconds: 12.3 });
    expect(await services.metrics.registry.metrics()).toContain('sidescope_refusals_total{code="too-many-captures"} 1');
  });

  test('operations are listed, filtered, read and cancelled', async () => {
    const { api, services } = await makeApp();
    await api('POST', '/cpu/start');
    await api('POST', '/cpu/start');
    services.captures.end('op-1');
    const ids = async (query: string) =>
      ((await (await api('GET', `/operations${query}`)).json()) as { operations: { id: string }[] }).operations.map(
        ({ id }) => id,
      );
    expect(await ids('')).toEqual(['op-2', 'op-1']);
    expect(await ids('?state=active')).toEqual(['op-2']);
    expect(await ids('?target=other')).toEqual([]);
    expect(await (await api('GET', '/operations/op-1')).json()).toMatchObject({ state: 'succeeded' });
    expect(await (await api('DELETE', '/operations/op-2')).json()).toMatchObject({ state: 'cancelled' });
    expect((await problemOf(await api('DELETE', '/operations/op-2'))).code).toBe('operation-ended');
  });
});

describe('faults', () => {
  test('an unexpected one is answered without a word of it, and logged under its request id', async () => {
    const { api, services } = await makeApp();
    services.targets.list = () => {
      throw new TypeError('secret /path/of/ours');
    };
    const response = await api('GET', '/targets');
    const text = await response.text();
    expect(response.status).toBe(500);
    expect(text).not.toMatch(/secret|TypeError|\.ts/);
    const line = services.logged.find((entry) => entry.includes('secret /path/of/ours')) ?? '';
    expect(line).toContain(response.headers.get('x-request-id'));
  });

  test('without storage its routes say why', async () => {
    const { api } = await makeApp({ store: undefined });
    for (const path of ['/profiles', '/profiles/p1', '/profiles/p1/download'])
      expect((await problemOf(await api('GET', path))).detail).toBe('storage is off: read-only file system');
  });

  test('every problem code has a status of its class', () => {
    for (const [code, { status }] of Object.entries(problemKinds))
      expect([code, status >= 400 && status < 600]).toEqual([code, true]);
  });
});

describe('the audit log', () => {
  test('has one line per action with who, what and how it ended, and none for reads', async () => {
    const { api, call, services } = await makeApp();
    services.store.add('p1', { kind: 'cpu', plain: Buffer.from('{}') });
    await api('GET', '/targets');
    await api('GET', '/operations');
    await api('POST', '/heap/snapshot?force=true');
    await api('POST', '/cpu/start?duration=0');
    await call('POST', `${apiPath}/cpu/start`, { token: services.tokenWith('view') });
    await call('POST', `${apiPath}/cpu/start`, { token: 'sst_guess' });
    await (await api('GET', '/profiles/p1/download')).text();
    await api('DELETE', '/profiles/p1');
    expect(services.audited.map(({ subject, action, result, status }) => [subject, action, result, status])).toEqual([
      ['admin', 'heap.snapshot', 'ok', 202],
      ['admin', 'cpu.start', 'invalid-request', 400],
      ['view', 'cpu.start', 'forbidden-scope', 403],
      [null, 'cpu.start', 'unauthorized', 401],
      ['admin', 'profile.download', 'ok', 200],
      ['admin', 'profile.delete', 'ok', 204],
    ]);
    expect(services.audited[0]).toMatchObject({ target: 't1', operationId: 'op-1', parameters: { force: 'true' } });
    expect(services.audited[4]).toMatchObject({ profileId: 'p1', bytes: 2, target: 't1' });
    const written = JSON.stringify(services.audited) + services.logged.join('');
    expect(written).not.toContain(services.adminToken);
    expect(written).not.toContain('sst_');
  });
});
