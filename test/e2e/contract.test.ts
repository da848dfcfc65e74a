import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { runTimes } from '../../agent/baseline/run.ts';
import type { AlertList } from '../../protocol/rest/alerts.ts';
import type { LeakList } from '../../protocol/rest/leaks.ts';
import type { DeathList } from '../../protocol/rest/deaths.ts';
import type { BaselineView } from '../../protocol/rest/baseline.ts';
import type { RegressionCheck, RegressionList } from '../../protocol/rest/regressions.ts';
import { eventSchema } from '../../protocol/rest/event.ts';
import type { DeletedProfiles, OperationList, ProfileList, TargetList } from '../../protocol/rest/lists.ts';
import type { Operation } from '../../protocol/rest/operation.ts';
import { problemSchema } from '../../protocol/rest/problem.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import { apiPath, routes } from '../../protocol/rest/routes.ts';
import type { Route } from '../../protocol/rest/route.ts';
import type { ProfileMetrics, SeriesList } from '../../protocol/rest/series.ts';
import type { Recorder } from '../../protocol/rest/recorder.ts';
import type { Catch, RuleExplanation, RuleFiring, Rules } from '../../protocol/rest/rules.ts';
import type { Stacks } from '../../protocol/rest/stacks.ts';
import type { StallList } from '../../protocol/rest/stalls.ts';
import type { HotFunctions } from '../../protocol/rest/hot-functions.ts';
import type { RequestHistoryList } from '../../protocol/rest/request-history.ts';
import type { RouteList, TimelineDetail, TimelineList } from '../../protocol/rest/timelines.ts';
import type { Ticket } from '../../protocol/rest/ticket.ts';
import type { VitalsHistory } from '../../protocol/rest/vitals.ts';
import { openAgent } from '../support/agent.ts';
import type { RunningAgent } from '../support/agent.ts';
import { curl } from '../support/curl.ts';
import { openMetricsPage } from '../support/metrics-page.ts';
import { writeConfigFile } from '../support/config-file.ts';
import { startTarget } from '../support/target.ts';
import { waitFor } from '../support/wait-for.ts';

const rows = Object.entries<Route>(routes);

/** A client that knows the route table only: every answer must have a status and a shape that its row names. */
function clientOf({ url, token }: RunningAgent) {
  const authorization = { Authorization: `Bearer ${token}` };
  const asked = new Set<string>();
  const call = async (line: string, init: { body?: string; headers?: Record<string, string> } = {}) => {
    const [method = '', path = ''] = line.split(' ');
    const { name, route } = rowOf(method, path);
    asked.add(name);
    const answer = await curl(`${url}${apiPath}${path}`, {
      method,
      ...init,
      headers: { ...(route.scope === 'public' ? {} : authorization), ...init.headers },
    });
    const row = route.answers.find(({ status }) => status === answer.status);
    if (row === undefined) throw new Error(`${line}: ${answer.status} ${answer.body.toString().slice(0, 500)}`);
    if (row.schema !== undefined) row.schema.parse(JSON.parse(answer.body.toString()));
    return answer;
  };
  const json = async <Value>(...request: Parameters<typeof call>) =>
    JSON.parse((await call(...request)).body.toString()) as Value;
  return { call, json, asked };
}

function rowOf(method: string, path: string): { name: string; route: Route } {
  const [plain = ''] = path.split('?');
  for (const [name, route] of rows) {
    const pattern = new RegExp(`^${route.path.replace(/:\w+/g, '[^/]+').replace('*', '.*')}$`);
    if (route.method === method && pattern.test(plain)) return { name, route };
  }
  throw new Error(`no row for ${method} ${path}`);
}

async function attached({ json }: ReturnType<typeof clientOf>) {
  return await waitFor(
    async () => {
      const { targets } = await json<TargetList>('GET /targets');
      return targets.every(({ state }) => state.state === 'attached') ? targets : undefined;
    },
    { message: 'all targets to be attached' },
  );
}

test('every route answers what the contract says, asked as curl asks', { timeout: 60_000 }, async () => {
  await using target = await startTarget('busy');
  await using rules = await writeConfigFile('rules: [{ name: hot, when: { metric: utilization, below: 0 } }]\n');
  await using page = await openMetricsPage('# TYPE jobs_total counter\njobs_total{queue="mail"} 3\n');
  await using agent = await openAgent({
    targets: [target.inspectorAddress],
    // Without the wait for late spans: there are none.
    regressionTimes: { ...runTimes(1_000), lateMs: 0 },
    args: [
      '--metrics-url',
      page.url,
      '--vitals-interval',
      '1s',
      '--regression-interval',
      '1s',
      '--heap-analysis',
      '--config',
      rules.path,
    ],
  });
  const client = clientOf(agent);
  const { call, json } = client;

  const events = readEvents(agent);
  expect((await call('GET /ui')).body.toString()).toContain('<!doctype html>');
  expect((await call('GET /ui/deep/link')).status).toBe(200);
  expect(JSON.parse((await call('GET /openapi.json')).body.toString())).toMatchObject({ openapi: '3.1.0' });
  expect((await call('GET /ui/docs')).headers.get('content-type')).toContain('text/html');
  expect((await curl(agent.url)).headers.get('location')).toBe(`${apiPath}/ui`);
  expect(await json('GET /info')).toMatchObject({ name: 'sidescope', you: { name: 'default', scopes: ['admin'] } });
  const [view] = await attached(client);
  expect(view?.identity?.pid).toBe(target.pid);

  const started = await call('POST /cpu/start?duration=30000');
  const operation = JSON.parse(started.body.toString()) as Operation;
  expect(started.headers.get('location')).toBe(`${apiPath}/operations/${operation.id}`);
  expect(operation).toMatchObject({ startedBy: 'default', parameters: { durationMs: 30_000 } });
  const fraction = async () => (await json<Operation>(`GET /operations/${operation.id}`)).progress.fraction ?? 0;
  await waitFor(async () => (await fraction()) > 0.02, { message: '0.6 s of samples' });
  expect(await json('POST /cpu/stop?wait=true')).toMatchObject({ id: operation.id, state: 'succeeded' });

  const cancelled = await json<Operation>('POST /cpu/start');
  await waitFor(async () => (await json<Operation>(`GET /operations/${cancelled.id}`)).progress.phase === 'sampling', {
    message: 'the capture to sample',
  });
  await json(`DELETE /operations/${cancelled.id}`);
  const after = () => json<Operation>(`GET /operations/${cancelled.id}`);
  await waitFor(async () => (await after()).state === 'cancelled', { message: 'the capture to be cancelled' });

  expect(await json('GET /heap/snapshot/forecast')).toMatchObject({ targetId: view?.id, verdict: 'allow' });
  const snapshot = await json<Operation>('POST /heap/snapshot?wait=true');
  expect(snapshot).toMatchObject({ kind: 'heap-snapshot', state: 'succeeded' });
  const { operations } = await json<OperationList>('GET /operations?state=ended');
  expect(operations.map(({ id }) => id)).toEqual([snapshot.id, cancelled.id, operation.id]);

  const { profiles } = await json<ProfileList>('GET /profiles');
  expect(profiles.map(({ kind }) => kind)).toEqual(['heap-snapshot', 'cpu', 'cpu']);
  const first = await json<ProfileList>('GET /profiles?limit=1');
  const second = await json<ProfileList>(`GET /profiles?limit=1&cursor=${first.nextCursor}`);
  expect([first, second].flatMap((page) => page.profiles.map(({ id }) => id))).toEqual(
    profiles.slice(0, 2).map(({ id }) => id),
  );
  const [heap, cancelledCpu, cpu] = profiles;
  if (heap === undefined || cpu === undefined) throw new Error('there are fewer profiles than the list had');
  expect(await json(`GET /profiles/${cpu.id}`)).toEqual(cpu);
  expect(await json(`GET /profiles/${cpu.id}/requests`)).toMatchObject({ profileId: cpu.id });
  expect(await json(`GET /profiles/${cpu.id}/source`)).toMatchObject({ profileId: cpu.id, reason: null });
  expect(await json(`GET /profiles/${cancelledCpu?.id}/diff/${cpu.id}`)).toMatchObject({ kind: 'cpu', before: cpu.id });

  await checkDownloads({ client, cpu, heap });
  const body = '{"pinned":true,"labels":{"why":"slow"}}';
  const headers = { 'Content-Type': 'application/json' };
  expect(await json(`PATCH /profiles/${cpu.id}`, { body, headers })).toMatchObject({ pinned: true });
  const later = encodeURIComponent(new Date(Date.now() + 1000).toISOString());
  const { deleted, kept } = await json<DeletedProfiles>(`DELETE /profiles?before=${later}&kind=cpu`);
  expect([deleted.length, kept]).toEqual([1, { pinned: 1, inUse: 0 }]);
  expect((await call(`DELETE /profiles/${heap.id}`)).body).toHaveLength(0);

  await checkHeapSampling(client);
  const stacks = await json<Stacks>('POST /stacks');
  expect(stacks).toMatchObject({ targetId: view?.id, threads: [{ thread: 'main', error: null }], omittedThreads: 0 });

  expect(await json('GET /memory/stats')).toMatchObject({ targetId: view?.id, instanceId: view?.identity?.instanceId });
  await waitFor(async () => (await json<VitalsHistory>('GET /vitals')).points.length > 0, { message: 'a reading' });
  expect(await json('GET /memory/history?step=60000')).toMatchObject({ targetId: view?.id, stepMs: 60_000 });
  expect(await json<StallList>('GET /stalls')).toMatchObject({ nextCursor: null });
  await waitFor(async () => (await json<SeriesList>('GET /series')).total > 0, { message: 'the page to be read' });
  const { series } = await json<SeriesList>('GET /series?name=jobs_*&match=%7Bqueue%3D%22mail%22%7D');
  expect(series).toMatchObject([{ name: 'jobs_total', labels: { queue: 'mail' }, values: [3], rates: [null] }]);
  const around = await json<ProfileMetrics>(`GET /profiles/${cpu.id}/metrics?limit=5`);
  expect(around).toMatchObject({ profileId: cpu.id, targetId: view?.id });
  expect(await json<AlertList>('GET /alerts')).toMatchObject({ nextCursor: null });
  await waitFor(async () => (await json<BaselineView>('GET /baseline')).windows >= 3, {
    deadlineMs: 20_000,
    message: 'three windows',
  });
  expect(await json<BaselineView>('POST /baseline')).toMatchObject({ state: 'settled', settled: { kind: 'manual' } });
  // Of windows that follow each other without a gap, which a busy machine makes.
  const check = await waitFor(
    async () => {
      const seen = await json<RegressionCheck>('GET /regressions/check');
      return seen.comparisons.length > 0 ? seen : undefined;
    },
    { deadlineMs: 20_000, message: 'a comparison' },
  );
  expect(check).toMatchObject({ comparisons: [{ measures: {} }] });
  expect(await json<RegressionList>('GET /regressions?state=open&limit=5')).toMatchObject({ nextCursor: null });
  expect(await json<DeathList>('GET /deaths?limit=5')).toEqual({ deaths: [], nextCursor: null });
  const search = await json<Operation>('POST /memory/leaks/investigate?duration=1000&settle=0&wait=true');
  expect(search).toMatchObject({ kind: 'leak-search', state: 'succeeded', error: null });
  expect(await json<LeakList>('GET /memory/leaks')).toMatchObject({ earlier: [], investigations: [{ id: search.id }] });

  await checkTimelines(client, agent);
  await checkRules(client);
  await waitFor(() => events.types.includes('profile-deleted'), { message: 'the events' });
  await waitFor(() => events.types.includes('requests'), { message: 'the count of requests' });
  expect(events.types[0]).toBe('hello');
  // On a machine that is busy enough there may be a stall as well, or one window be slower than the others.
  expect(new Set([...events.types, 'stall', 'alert', 'regression'])).toEqual(
    new Set([
      'hello',
      'target',
      'operation',
      'profile',
      'profile-deleted',
      'storage',
      'vitals',
      'stall',
      'alert',
      'regression',
      'requests',
      'scrape',
    ]),
  );
  await events.stop();
  expect(agent.audited.filter(({ result }) => result !== 'ok')).toEqual([]);
  expect(new Set(agent.audited.map(({ action }) => action))).toEqual(
    new Set(rows.flatMap(([, { action }]) => (action === undefined ? [] : [action]))),
  );
  expect(agent.logged.length).toBeGreaterThan(0);
  expect(agent.logged.join('') + JSON.stringify(agent.audited)).not.toContain(agent.token);
  client.asked.add('events');
  expect(rows.map(([name]) => name).filter((name) => !client.asked.has(name))).toEqual([]);
});

async function checkTimelines({ json }: ReturnType<typeof clientOf>, { otlpUrl }: RunningAgent) {
  const traceId = '5b8efff798038103d269b633813fc60c';
  const span = {
    traceId,
    spanId: 'eee19b7ec3c1b174',
    name: 'GET',
    kind: 2,
    startTimeUnixNano: `${BigInt(Date.now() - 100) * 1_000_000n}`,
    endTimeUnixNano: `${BigInt(Date.now()) * 1_000_000n}`,
    attributes: [
      { key: 'http.request.method', value: { stringValue: 'GET' } },
      { key: 'http.route', value: { stringValue: '/users/:id' } },
    ],
  };
  const body = JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
  const headers = { 'Content-Type': 'application/json' };
  expect((await curl(`${otlpUrl}/v1/traces`, { method: 'POST', headers, body })).status).toBe(200);
  await waitFor(async () => (await json<TimelineList>('GET /timelines?order=slowest')).total > 0, {
    message: 'the request in the list',
  });
  const detail = await json<TimelineDetail>(`GET /timelines/${traceId}`);
  expect(detail).toMatchObject({ name: 'GET /users/:id', isWhole: true, summary: 'server 100 %', cpu: null });
  expect((await json<RouteList>('GET /routes')).routes).toMatchObject([{ name: 'GET /users/:id', count: 1 }]);
  expect(await json<RequestHistoryList>('GET /requests/history')).toMatchObject({ stepMs: 15_000, targetId: null });
  const hot = await json<HotFunctions>('GET /hot-functions?limit=5');
  expect(hot.spans?.items).toMatchObject([{ kind: 'server', name: 'GET /users/:id', count: 1 }]);
  expect(hot.cpu?.items[0]?.selfMs).toBeGreaterThan(0);
}

async function checkRules({ json }: ReturnType<typeof clientOf>) {
  expect(await json<RuleFiring>('POST /rules/hot/fire')).toMatchObject({ rule: 'hot', by: 'default', state: 'told' });
  expect(await json<RuleExplanation>('GET /rules/hot/explain')).toMatchObject({ rule: 'hot', wouldHaveFired: [] });
  expect(await json<Recorder>('GET /recorder')).toMatchObject({
    isOn: false,
    targets: [{ state: 'off', windows: [] }],
  });
  expect(await json('GET /egress')).toEqual({ destinations: [], problems: [], deliveries: [] });
  const waiting = await json<Catch>('POST /rules/catch?event=latency&for=30s');
  expect(waiting).toMatchObject({ event: 'latency', state: 'waiting', above: 1_000 });
  const { rules, catches } = await json<Rules>('GET /rules');
  expect(rules).toMatchObject([{ name: 'hot', targets: [{ total: 1 }] }]);
  expect(catches).toMatchObject([{ id: waiting.id }]);
  expect(await json<Catch>(`DELETE /rules/catch/${waiting.id}`)).toMatchObject({ state: 'cancelled' });
}

async function checkHeapSampling({ call, json }: ReturnType<typeof clientOf>) {
  const started = await call('POST /heap/sampling/start?duration=60000');
  const { id, parameters } = JSON.parse(started.body.toString()) as Operation;
  expect([started.status, started.headers.get('location')]).toEqual([202, `${apiPath}/operations/${id}`]);
  expect(parameters).toEqual({ durationMs: 60_000, mode: 'live', intervalBytes: 524_288 });
  await waitFor(async () => (await json<Operation>(`GET /operations/${id}`)).progress.phase === 'sampling', {
    message: 'the heap to be sampled',
  });
  const { state, profileIds } = await json<Operation>(`DELETE /operations/${id}`);
  expect([state, profileIds.length]).toEqual(['cancelled', 1]);
  const file = await call(`GET /profiles/${profileIds[0]}/download`);
  expect(file.headers.get('content-disposition')).toMatch(/\.heapprofile"$/);
  expect(JSON.parse(file.body.toString())).toHaveProperty('head.callFrame.functionName', '(root)');
  expect(await json(`GET /profiles/${profileIds[0]}/summary`)).toMatchObject({ kind: 'heap-sampling' });
}

async function checkDownloads(tested: { client: ReturnType<typeof clientOf>; cpu: Profile; heap: Profile }) {
  const { client, cpu, heap } = tested;
  const file = await client.call(`GET /profiles/${cpu.id}/download`);
  expect(createHash('sha256').update(file.body).digest('hex')).toBe(cpu.sha256);
  expect(JSON.parse(file.body.toString())).toHaveProperty('nodes');
  const collapsed = await client.call(`GET /profiles/${cpu.id}/download?format=collapsed`);
  // No name of the target's own: V8 may have put `burn` into its caller before the profile began.
  const lines = collapsed.body.toString().trimEnd().split('\n');
  expect(lines.filter((line) => !/^\S.* [1-9]\d*$/.test(line))).toEqual([]);
  expect(lines.length).toBeGreaterThan(1);
  const pprof = await client.call(`GET /profiles/${cpu.id}/download?format=pprof`);
  expect(pprof.headers.get('content-disposition')).toMatch(/\.pb(\.gz)?"$/);
  expect(await client.json(`GET /profiles/${cpu.id}/summary?limit=3`)).toMatchObject({ kind: 'cpu' });

  expect(await client.json(`POST /profiles/${heap.id}/analyse?wait=true`)).toMatchObject({ state: 'succeeded' });
  expect(await client.json(`GET /profiles/${heap.id}/classes?limit=1`)).toMatchObject({ profileId: heap.id });
  expect(await client.json(`GET /profiles/${heap.id}/summary`)).toMatchObject({ kind: 'heap-snapshot' });

  const { url } = await client.json<Ticket>(`POST /profiles/${heap.id}/ticket`);
  const path = url.slice(apiPath.length);
  const part = await client.call(`GET ${path}`, { headers: { Range: 'bytes=0-11' } });
  expect([part.status, part.body.toString()]).toEqual([206, '{"snapshot":']);
  const whole = await client.call(`GET ${path}`);
  expect(createHash('sha256').update(whole.body).digest('hex')).toBe(heap.sha256);
}

function readEvents({ url, token }: RunningAgent) {
  const types: string[] = [];
  const aborter = new AbortController();
  const read = async () => {
    const headers = { authorization: `Bearer ${token}` };
    const response = await fetch(`${url}${apiPath}/events`, { headers, signal: aborter.signal });
    let rest = '';
    for await (const text of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + text).split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) {
        const data = /^data: (.*)$/m.exec(block)?.[1];
        if (data !== undefined) types.push(eventSchema.parse(JSON.parse(data)).type);
      }
    }
  };
  const reading = read().catch((error: unknown) => {
    if (!aborter.signal.aborted) throw error;
  });
  const stop = async () => {
    aborter.abort();
    await reading;
  };
  return { types, stop };
}

describe('while the target is gone', () => {
  test('starts are refused with the reason, the rest works, and the ops listener stays ready', async () => {
    await using target = await startTarget('busy');
    await using agent = await openAgent({ targets: [target.inspectorAddress] });
    const client = clientOf(agent);
    await attached(client);
    target.kill('SIGKILL');
    await target.exited;
    const headers = { Authorization: `Bearer ${agent.token}` };
    await waitFor(
      async () => {
        const { status, body } = await curl(`${agent.url}${apiPath}/cpu/start`, { method: 'POST', headers });
        return status === 409 && problemSchema.parse(JSON.parse(body.toString())).code === 'target-not-attached';
      },
      { message: 'the refusal' },
    );
    expect((await client.call('GET /profiles')).status).toBe(200);
    const ready = await curl(`${agent.opsUrl}/readyz`);
    expect([ready.status, JSON.parse(ready.body.toString())]).toMatchObject([200, { status: 'ready' }]);
    const metrics = (await curl(`${agent.opsUrl}/metrics`)).body.toString();
    expect(metrics).toContain('sidescope_refusals_total{code="target-not-attached"}');
    expect(metrics).toMatch(/sidescope_target_attached\{target="[^"]+"\} 0/);
  });
});

test('several targets: a start that names none is refused, one that names a wrong one too', async () => {
  await using first = await startTarget('busy');
  await using second = await startTarget('busy');
  await using agent = await openAgent({ targets: [first.inspectorAddress, second.inspectorAddress] });
  const client = clientOf(agent);
  const targets = await attached(client);
  expect(targets).toHaveLength(2);
  const headers = { Authorization: `Bearer ${agent.token}` };
  const refusal = async (query: string) => {
    const answer = await curl(`${agent.url}${apiPath}/cpu/start${query}`, { method: 'POST', headers });
    return problemSchema.parse(JSON.parse(answer.body.toString())).code;
  };
  expect(await refusal('')).toBe('target-required');
  expect(await refusal('?target=nobody')).toBe('unknown-target');
  expect(await refusal(`?target=${targets[0]?.id}&thread=worker-99`)).toBe('unknown-thread');
  const operation = await client.json<Operation>(`POST /cpu/start?duration=100&wait=1&target=${targets[1]?.id}`);
  expect(operation).toMatchObject({ targetId: targets[1]?.id, state: 'succeeded' });
});
