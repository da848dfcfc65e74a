import { expect, test } from 'vitest';
import { createAdminApp } from '../../agent/http/app.ts';
import type { AlertList } from '../../protocol/rest/alerts.ts';
import { alertListSchema } from '../../protocol/rest/alerts.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import { sampleAlert } from '../page/incident-samples.ts';
import { fakeServices } from './fakes.ts';

test('leaves the texts of the evidence out of a list when asked to', async () => {
  const services = await fakeServices();
  services.alerts.list = () => ({ alerts: [sampleAlert()], nextCursor: null });
  const { app } = createAdminApp(services);
  const headers = { authorization: `Bearer ${services.adminToken}` };
  const list = async (query: string): Promise<AlertList> => {
    const answer = await app.request(`http://localhost:7777${apiPath}/alerts${query}`, { headers });
    expect(answer.status).toBe(200);
    return alertListSchema.parse(await answer.json());
  };
  expect((await list('')).alerts[0]?.evidence.length).toBe(1);
  expect((await list('?evidence=true')).alerts[0]?.evidence.length).toBe(1);
  const [bare] = (await list('?evidence=false')).alerts;
  expect(bare).toMatchObject({ id: 'a-1', facts: { pool: 'heap' }, evidence: [] });
});
