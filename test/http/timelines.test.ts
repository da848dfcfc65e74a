import { describe, expect, test } from 'vitest';
import { createAdminApp } from '../../agent/http/app.ts';
import { problemSchema } from '../../protocol/rest/problem.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import { fakeServices } from './fakes.ts';

async function makeApi() {
  const services = await fakeServices();
  const { app } = createAdminApp(services);
  const get = (path: string, token = services.adminToken) =>
    app.request(`http://localhost:7777${apiPath}${path}`, { headers: { authorization: `Bearer ${token}` } });
  return { services, get };
}

describe('timelines, routes and hot functions', () => {
  test('are handed what was asked for, as values', async () => {
    const { services, get } = await makeApi();
    const since = '2026-01-31T12:00:00Z';
    const query = `?order=slowest&route=GET%20%2Fa&status=5xx&minDuration=100&since=${since}&limit=5&target=t1`;
    expect((await get(`/timelines${query}`)).status).toBe(200);
    expect((await get('/routes?limit=3')).status).toBe(200);
    expect((await get('/hot-functions?source=cpu')).status).toBe(200);
    expect((await get('/requests/history?step=60000')).status).toBe(200);
    expect(services.timelines.asked).toEqual([
      { order: 'slowest', route: 'GET /a', status: '5xx', minDuration: 100, since, limit: 5, target: 't1' },
      { limit: 3 },
      { source: 'cpu' },
      { step: 60_000 },
    ]);
  });

  test.each([
    ['/timelines?order=fastest', 'order'],
    ['/timelines?status=600', 'status'],
    ['/timelines?status=bad', 'status'],
    ['/timelines?minDuration=-1', 'minDuration'],
    ['/timelines?limit=201', 'limit'],
    ['/timelines?since=yesterday', 'since'],
    ['/timelines?cursor=a%20b', 'cursor'],
    ['/timelines?route=', 'route'],
    ['/routes?limit=0', 'limit'],
    ['/hot-functions?source=guess', 'source'],
    ['/hot-functions?limit=1e3', 'limit'],
    ['/requests/history?step=4999', 'step'],
    ['/requests/history?from=yesterday', 'from'],
  ])('%s names the parameter', async (path, parameter) => {
    const { services, get } = await makeApi();
    const answer = await get(path);
    const { code, errors = [] } = problemSchema.parse(await answer.json());
    expect([answer.status, code, errors.map((error) => error.parameter)]).toEqual([
      400,
      'invalid-request',
      [parameter],
    ]);
    expect(services.timelines.asked).toEqual([]);
  });

  test('need the scope view, and an id that can be one', async () => {
    const { services, get } = await makeApi();
    const heap = services.tokenWith('heap');
    for (const path of ['/timelines', '/timelines/00', '/routes', '/requests/history', '/hot-functions'])
      expect((await get(path, heap)).status).toBe(403);
    for (const id of ['00', 'x'.repeat(65), '%2e%2e'])
      expect(problemSchema.parse(await (await get(`/timelines/${id}`)).json()).code).toMatch(
        /^(unknown-trace|not-found)$/,
      );
  });
});
