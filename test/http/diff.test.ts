import { expect, test } from 'vitest';
import { createAdminApp } from '../../agent/http/app.ts';
import { profileDiffSchema } from '../../protocol/rest/diff.ts';
import { problemSchema } from '../../protocol/rest/problem.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import { fakeServices } from './fakes.ts';

async function makeApi() {
  const services = await fakeServices();
  const { app } = createAdminApp(services);
  services.store.add('first', { kind: 'cpu', plain: Buffer.from('{}'), startedAt: '2026-01-31T11:00:00.000Z' });
  services.store.add('later', { kind: 'cpu', plain: Buffer.from('{}'), startedAt: '2026-01-31T12:00:00.000Z' });
  services.store.add('heap', { kind: 'heap-snapshot', plain: Buffer.from('{}') });
  const get = (path: string, token = services.adminToken) =>
    app.request(`http://localhost:7777${apiPath}${path}`, { headers: { authorization: `Bearer ${token}` } });
  return { services, get };
}

test('two profiles are compared from the earlier to the later one, whichever is named first', async () => {
  const { get } = await makeApi();
  for (const path of ['first/diff/later', 'later/diff/first']) {
    const { before, after } = profileDiffSchema.parse(await (await get(`/profiles/${path}?limit=5`)).json());
    expect([before, after]).toEqual(['first', 'later']);
  }
});

test.each([
  ['first/diff/none', 404, 'unknown-profile', /none/],
  ['first/diff/heap', 400, 'unsupported-format', /a cpu and a heap-snapshot profile/],
  ['first/diff/later?limit=0', 400, 'invalid-request', /./],
])('%s is refused with %i %s', async (path, ...[status, code, detail]) => {
  const { get } = await makeApi();
  const answer = await get(`/profiles/${path}`);
  const problem = problemSchema.parse(await answer.json());
  expect([answer.status, problem.code]).toEqual([status, code]);
  expect(problem.detail).toMatch(detail);
});

test('whoever may not read heaps learns nothing of one by comparing it', async () => {
  const { services, get } = await makeApi();
  expect((await get('/profiles/first/diff/heap', services.tokenWith('view'))).status).toBe(403);
  expect((await get('/profiles/first/diff/later', services.tokenWith('view'))).status).toBe(200);
});
