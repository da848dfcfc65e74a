import { expect, test } from 'vitest';
import { createAdminApp } from '../../agent/http/app.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import { fakeServices } from './fakes.ts';

test.each([
  [['view', 'capture'], false],
  [['view', 'capture', 'heap'], true],
  [['admin'], true],
] as const)('leaks for a token with %j: what is in heaps is told: %s', async (scopes, mayReadHeap) => {
  const services = await fakeServices();
  const { app } = createAdminApp(services);
  const headers = { authorization: `Bearer ${services.tokenWith(...scopes)}` };
  const urlOf = (path: string) => `http://localhost:7777${apiPath}${path}`;
  expect((await app.request(urlOf('/memory/leaks'), { headers })).status).toBe(200);
  expect((await app.request(urlOf('/memory/leaks/investigate'), { method: 'POST', headers })).status).toBe(202);
  expect(services.leaks.asked).toMatchObject([{ mayReadHeap }, { mayReadHeap }]);
});
