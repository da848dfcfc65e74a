import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Operation } from '../../protocol/rest/operation.ts';
import type { ProfileRequests } from '../../protocol/rest/profile-requests.ts';
import type { HotFunctions } from '../../protocol/rest/hot-functions.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import type { TargetList } from '../../protocol/rest/lists.ts';
import type { VitalsHistory } from '../../protocol/rest/vitals.ts';
import type { StallList } from '../../protocol/rest/stalls.ts';
import type { RouteList, TimelineDetail, TimelineList } from '../../protocol/rest/timelines.ts';
import { launchBrowser } from '../page/browser.ts';
import { openAgent } from '../support/agent.ts';
import type { RunningAgent } from '../support/agent.ts';
import { startDemo } from '../support/demo.ts';
import { waitFor } from '../support/wait-for.ts';
import { freeAddress } from './agent.ts';
import type { Backend } from './backend.ts';

let shop: Backend;
let agent: RunningAgent;
beforeAll(async () => {
  const otlpAddress = await freeAddress();
  shop = await startDemo({ load: false, otlpEndpoint: `http://${otlpAddress}` });
  agent = await openAgent({
    targets: [shop.inspectorAddress],
    args: ['--otlp-address', otlpAddress, '--vitals-interval', '1s'],
  });
  // With the probe, so that it is watched for stalls.
  await waitFor(async () => ((await get<VitalsHistory>('/vitals')).latest?.gc ?? null) !== null, {
    message: 'a whole reading',
    deadlineMs: 30_000,
  });
}, 60_000);
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
  await shop[Symbol.asyncDispose]();
});

it('shows real requests of Express and Postgres as waterfalls, and which route is slow in the database', async () => {
  await visit('/search?q=lamp');
  await visit('/products?after=40');
  await visit('/products/17/report');
  await visit('/nowhere', 404);
  const timelines = await waitFor(
    async () => {
      const list = await get<TimelineList>('/timelines');
      // The pool's first connection is a trace of its own.
      const served = list.timelines.filter(({ kind }) => kind === 'server');
      return served.length >= 4 ? served : undefined;
    },
    { message: 'four requests' },
  );
  expect(timelines.map(({ name }) => name)).toEqual([
    'GET (no route)',
    'GET /products/:id/report',
    'GET /products',
    'GET /search',
  ]);
  const [, report, , search] = timelines;
  const waterfall = await get<TimelineDetail>(`/timelines/${search?.traceId}`);
  const lines = waterfall.rows.map(({ depth, kind, operation }) => `${'  '.repeat(depth)}${kind} ${operation}`);
  expect(lines.map((line) => line.replace(/ p\.id, .*/, ' …'))).toEqual([
    'server GET /search',
    '  middleware observeRequests',
    '  middleware jsonParser',
    '  handler /search',
    '    database pg-pool.connect',
    '    database select …',
  ]);
  expect(waterfall.summary).toMatch(/^database \d+ %/);
  expect(waterfall).toMatchObject({ isWhole: true, missingParents: 0, serviceName: 'shop', statusCode: 200 });
  expect(waterfall.targetId).not.toBeNull();
  expect(report?.summary).toMatch(/^handler \d+ %/);

  const { routes } = await get<RouteList>('/routes');
  const byDatabase = routes.toSorted((a, b) => b.databaseShare - a.databaseShare);
  expect(byDatabase[0]?.name).toBe('GET /search');
  expect(routes.find(({ name }) => name === 'GET /products/:id/report')?.databaseShare).toBe(0);
  const hot = await get<HotFunctions>('/hot-functions?source=spans&limit=3');
  expect(hot.spans?.items.map(({ kind }) => kind)).toContain('database');
});

it('names the request of a stall by its route, when its span has come', async () => {
  await visit('/invoices/7?ms=2500');
  const { stalls } = await waitFor(
    async () => {
      const list = await get<StallList>('/stalls');
      return list.stalls.some(({ span }) => typeof span?.route === 'string') ? list : undefined;
    },
    { message: 'the route of the stall' },
  );
  // A busy machine may add one of its own.
  const stall = stalls.find(({ span }) => span !== null);
  expect(stall?.span?.route).toBe('/invoices/:id');
  const path = `/timelines/${stall?.span?.traceId}`;
  const isThere = async () => (await ask(path)).ok;
  await waitFor(isThere, { message: 'the spans of the stalled request' });
  const waterfall = await get<TimelineDetail>(path);
  expect(waterfall.stalls).toContainEqual(expect.objectContaining({ id: stall?.id, kind: 'blocked' }));
});

it('names the function of the CPU-bound route under its own trace, with the profile that was taken meanwhile', async () => {
  await waitFor(async () => (await get<TargetList>('/targets')).targets[0]?.state.state === 'attached', {
    message: 'the shop attached',
  });
  const { id } = await post<Operation>('/cpu/start?duration=60000');
  await waitFor(async () => (await get<Operation>(`/operations/${id}`)).progress.phase === 'sampling', {
    message: 'sampling',
  });
  const slow = Array.from({ length: 8 }, () => visit('/search?q=oak'));
  for (let product = 1; product <= 6; product++) await visit(`/products/${product}/report`);
  await Promise.all(slow);
  await post<Operation>('/cpu/stop?wait=true');
  const [profileId = ''] = (await get<Operation>(`/operations/${id}`)).profileIds;
  const found = await waitFor(
    async () => {
      const answer = await get<ProfileRequests>(`/profiles/${profileId}/requests`);
      const reports = answer.requests.filter(({ name, startedAt }) => name.endsWith('/report') && startedAt !== null);
      return reports.length >= 6 ? { answer, reports } : undefined;
    },
    { message: 'the requests of the profile', deadlineMs: 20_000 },
  );
  const { answer, reports } = found;
  expect(answer.requests[0]?.route).toBe('/products/:id/report');
  expect(answer.readings.problem).toBeNull();
  const names = ['trigramsOf', 'similarity', 'scoreProducts', '(anonymous)', 'renderReport'];
  for (const { topFunction } of reports) expect(names).toContain(topFunction?.name);
  const waterfall = await get<TimelineDetail>(`/timelines/${answer.requests[0]?.traceId}`);
  expect(waterfall.cpu?.profileIds).toEqual([profileId]);
  expect(waterfall.cpu?.functions.map(({ where }) => where?.file.split('/').at(-1))).toContain('report.ts');
  expect(waterfall.cpu?.cpuMs).toBeGreaterThan(20);
  expect(waterfall.rows[0]?.attributes).toMatchObject({
    'sidescope.profile.id': profileId,
    'sidescope.operation.id': id,
  });
}, 60_000);

it('shows them on the page', async () => {
  await visit('/search?q=walnut');
  await using browser = await launchBrowser();
  const page = await browser.open(`${agent.url}${apiPath}/ui#/requests?token=${agent.token}`);
  const section = page.getByRole('region', { name: 'Requests' });
  await section.getByRole('button', { name: 'Waterfall of GET /search' }).first().click();
  await section.getByRole('button', { name: /database select p/ }).waitFor();
  await section.getByRole('radio', { name: 'Hot functions' }).check();
  await section.getByRole('row').filter({ hasText: 'select p' }).first().waitFor();
  expect(browser.complaints.join('\n')).toBe('');
});

async function visit(path: string, status = 200): Promise<void> {
  const answer = await fetch(shop.shopUrl + path);
  await answer.arrayBuffer();
  expect(answer.status).toBe(status);
}

async function post<Value>(path: string): Promise<Value> {
  const headers = { authorization: `Bearer ${agent.token}` };
  const answer = await fetch(`${agent.url}${apiPath}${path}`, { method: 'POST', headers });
  expect(answer.status).toBeLessThan(300);
  return (await answer.json()) as Value;
}

function ask(path: string): Promise<Response> {
  return fetch(`${agent.url}${apiPath}${path}`, { headers: { authorization: `Bearer ${agent.token}` } });
}

async function get<Value>(path: string): Promise<Value> {
  const answer = await ask(path);
  expect(answer.status).toBe(200);
  return (await answer.json()) as Value;
}
