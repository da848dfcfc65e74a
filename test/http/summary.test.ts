import { expect, test } from 'vitest';
import { createAdminApp } from '../../agent/http/app.ts';
import { problemSchema } from '../../protocol/rest/problem.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import { fakeServices } from './fakes.ts';

async function makeApi() {
  const services = await fakeServices();
  const { app } = createAdminApp(services);
  const headers = { authorization: `Bearer ${services.adminToken}` };
  const get = (path: string) => app.request(`http://localhost:7777${apiPath}${path}`, { headers });
  return { services, get };
}

test('a profile is summed up as JSON, and as text for a person', async () => {
  const { services, get } = await makeApi();
  services.store.add('p1', { kind: 'cpu', plain: Buffer.from('{}') });
  const json = await get('/profiles/p1/summary');
  expect([json.status, json.headers.get('content-type')]).toEqual([200, 'application/json']);
  expect(await json.json()).toEqual({ kind: 'heap-sampling', sampledBytes: 0, samples: 0, functions: [], stacks: [] });
  const text = await get('/profiles/p1/summary?format=text&limit=100');
  expect([text.status, text.headers.get('content-type')]).toEqual([200, 'text/plain; charset=utf-8']);
  expect(await text.text()).toMatch(/^Heap sampling: 0 B by V8's estimate, from 0 samples\n/);
});

test('a snapshot that was not analysed is told to be so', async () => {
  const { services, get } = await makeApi();
  services.store.add('p2', { kind: 'heap-snapshot', plain: Buffer.from('{}') });
  const answer = await get('/profiles/p2/summary');
  const { code, detail } = problemSchema.parse(await answer.json());
  expect([answer.status, code]).toEqual([404, 'not-analysed']);
  expect(detail).toContain('was not analysed');
});

test.each(['format=html', 'format=', 'limit=0', 'limit=101', 'limit=x', 'other=1'])('refuses %s', async (query) => {
  const { services, get } = await makeApi();
  services.store.add('p1', { kind: 'cpu', plain: Buffer.from('{}') });
  expect((await get(`/profiles/p1/summary?${query}`)).status).toBe(400);
});
