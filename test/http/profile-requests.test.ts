import { expect, it } from 'vitest';
import { createAdminApp } from '../../agent/http/app.ts';
import { problemSchema } from '../../protocol/rest/problem.ts';
import { profileRequestsSchema } from '../../protocol/rest/profile-requests.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import { fakeServices } from './fakes.ts';

it('answers with the requests of a profile, 50 unless told, and refuses what is no number of them', async () => {
  const services = await fakeServices();
  using admin = createAdminApp(services);
  const headers = { authorization: `Bearer ${services.tokenWith('view')}`, host: 'localhost' };
  const get = (query: string) => admin.app.request(`${apiPath}/profiles/p1/requests${query}`, { headers });
  const answer = await get('');
  expect(answer.status).toBe(200);
  expect(profileRequestsSchema.parse(await answer.json())).toMatchObject({ profileId: 'p1', requests: [] });
  await get('?limit=7');
  expect(services.joins).toMatchObject({
    asked: [
      { profileId: 'p1', limit: 50 },
      { profileId: 'p1', limit: 7 },
    ],
  });
  for (const query of ['?limit=0', '?limit=501', '?limit=x', '?order=newest']) {
    const refused = await get(query);
    expect(refused.status).toBe(400);
    expect(problemSchema.parse(await refused.json()).code).toBe('invalid-request');
  }
});

it('says why there are none when storage is off', async () => {
  const services = await fakeServices({ store: undefined });
  using admin = createAdminApp(services);
  const headers = { authorization: `Bearer ${services.adminToken}`, host: 'localhost' };
  const answer = await admin.app.request(`${apiPath}/profiles/p1/requests`, { headers });
  expect(problemSchema.parse(await answer.json()).code).toBe('data-directory-unusable');
});
