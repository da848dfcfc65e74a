import { describe, expect, test } from 'vitest';
import { createAdminApp } from '../../agent/http/app.ts';
import { SidescopeError } from '../../protocol/error.ts';
import { problemSchema } from '../../protocol/rest/problem.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import { fakeServices } from './fakes.ts';

async function makeApi() {
  const services = await fakeServices();
  const { app } = createAdminApp(services);
  const headers = { authorization: `Bearer ${services.adminToken}` };
  const post = (path: string) => app.request(`http://localhost:7777${apiPath}${path}`, { method: 'POST', headers });
  return { services, post };
}

describe('POST /heap/sampling/start', () => {
  test('hands on what was asked for, and leaves the defaults to the capture', async () => {
    const { services, post } = await makeApi();
    const full = '?target=t1&thread=worker-2&duration=1000&mode=churn&interval=4096';
    expect((await post(`/heap/sampling/start${full}`)).status).toBe(202);
    expect((await post('/heap/sampling/start')).status).toBe(202);
    expect(services.captures.asked).toEqual([
      { targetId: 't1', thread: 'worker-2', durationMs: 1000, mode: 'churn', intervalBytes: 4096, startedBy: 'admin' },
      { startedBy: 'admin' },
    ]);
    expect(services.audited.map(({ action, result }) => [action, result])).toEqual([
      ['heap.sampling.start', 'ok'],
      ['heap.sampling.start', 'ok'],
    ]);
  });

  test.each([
    ['duration=999', 'duration'],
    ['duration=3600001', 'duration'],
    ['duration=abc', 'duration'],
    ['interval=4095', 'interval'],
    ['interval=67108865', 'interval'],
    ['interval=1e5', 'interval'],
    ['mode=dead', 'mode'],
    ['mode=', 'mode'],
    ['thread=../main', 'thread'],
    ['force=true', 'force'],
  ])('refuses %s by name', async (query, parameter) => {
    const { services, post } = await makeApi();
    const response = await post(`/heap/sampling/start?${query}`);
    expect(response.status).toBe(400);
    const { errors } = problemSchema.parse(await response.json());
    expect(errors?.map((error) => error.parameter)).toEqual([parameter]);
    expect(services.captures.asked).toEqual([]);
  });

  test.each(['profiler-active', 'unsupported-target', 'capture-conflict'] as const)(
    'answers and counts %s',
    async (code) => {
      const { services, post } = await makeApi();
      services.captures.refusal = new SidescopeError(code, 'no');
      const response = await post('/heap/sampling/start');
      expect([response.status, problemSchema.parse(await response.json()).code]).toEqual([409, code]);
      expect(await services.metrics.registry.metrics()).toContain(`sidescope_refusals_total{code="${code}"} 1`);
    },
  );
});

test('POST /stacks takes a target and nothing else, and leaves an audit line with it', async () => {
  const { services, post } = await makeApi();
  expect((await post('/stacks?target=t1')).status).toBe(200);
  expect(services.audited).toMatchObject([{ action: 'stacks', target: 't1', result: 'ok' }]);
  expect((await post('/stacks?thread=main')).status).toBe(400);
});
