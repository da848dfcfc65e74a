import type { RequestListener } from 'node:http';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { TargetMetrics } from '../../agent/baseline/target-metrics.ts';
import type { TargetMetricsOptions } from '../../agent/baseline/target-metrics.ts';
import { openOpsServer } from '../../agent/http/ops-server.ts';
import { indexInMemory } from '../../agent/vitals/history.ts';
import { problemSchema } from '../../protocol/rest/problem.ts';
import { fakeServices } from '../http/fakes.ts';
import { openMetricsPage, text } from '../support/metrics-page.ts';
import { waitFor } from '../support/wait-for.ts';

const page = '# TYPE jobs_total counter\njobs_total 3\nnodejs_eventloop_lag_p99_seconds 0.8\n';
const target = { id: 't1' };

/** The ops listener with the page behind it. */
async function openOps(url: string, options: Partial<TargetMetricsOptions> & { tokenFile?: string } = {}) {
  const { tokenFile, ...rest } = options;
  await using stack = new AsyncDisposableStack();
  const services = await fakeServices();
  const metrics = stack.use(
    new TargetMetrics({
      source: { url: new URL(url), tokenFile, caFile: undefined },
      intervalMs: 60_000,
      targets: { list: () => [target], watcher: () => target },
      index: indexInMemory(),
      budgetBytes: 2 ** 30,
      version: '1.2.3',
      log: services.log,
      ...rest,
    }),
  );
  const ops = { ...services, features: () => [], targetMetrics: metrics };
  const server = stack.use(await openOpsServer(ops, { host: '127.0.0.1', port: 0 }));
  const resources = stack.move();
  return {
    metrics,
    ask: (init?: RequestInit) => fetch(`${server.url}/target-metrics`, init),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

const codeOf = async (response: Response) => [response.status, problemSchema.parse(await response.json()).code];

test('answers the bytes of the page, and reads them along', async () => {
  await using server = await openMetricsPage(page);
  await using ops = await openOps(server.url);
  const headers = { accept: 'text/plain;version=0.0.4', 'user-agent': 'Prometheus/3.0' };
  const answer = await ops.ask({ headers: { ...headers, 'x-prometheus-scrape-timeout-seconds': '10' } });
  expect([answer.status, answer.headers.get('content-type')]).toEqual([
    200,
    'text/plain; version=0.0.4; charset=utf-8',
  ]);
  expect(await answer.text()).toBe(page);
  expect(server.requests[0]?.headers).toMatchObject({
    accept: 'text/plain;version=0.0.4',
    'user-agent': 'Sidescope/1.2.3 Prometheus/3.0',
    'x-prometheus-scrape-timeout-seconds': '10',
  });
  await waitFor(() => ops.metrics.series.latest('t1') !== undefined, { message: 'the page to be kept' });
  expect(ops.metrics.series.latest('t1')?.scrape).toMatchObject({ by: 'pass-through', series: 2, error: null });
  expect(ops.metrics.passed).toEqual({ ok: 1, failed: 0, refused: 0 });
  // There is one reader: what it reads is set back for nobody else.
  expect(ops.metrics.feature()).toEqual({ name: 'metrics', state: 'on', reason: null, remedy: null });
});

test('the agent does not read the page itself while somebody else does', async () => {
  await using server = await openMetricsPage(page);
  await using ops = await openOps(server.url, { intervalMs: 1_000 });
  const readers = () => server.requests.map(({ headers }) => headers['user-agent']);
  ops.metrics.start();
  for (let round = 0; round < 6; round++) {
    await (await ops.ask({ headers: { 'user-agent': 'Prometheus' } })).text();
  }
  expect(readers()).toEqual(Array.from({ length: 6 }, () => 'Sidescope/1.2.3 Prometheus'));
  // Comes nothing more from there, it reads again.
  await waitFor(() => readers().at(-1) === 'Sidescope/1.2.3', { message: 'a reading of its own' });
});

test('pages that come often are passed on, and not all kept', async () => {
  await using server = await openMetricsPage(page);
  await using ops = await openOps(server.url);
  for (let round = 0; round < 5; round++) expect(await (await ops.ask()).text()).toBe(page);
  expect(ops.metrics.passed.ok).toBe(5);
  expect(ops.metrics.list({}).times).toHaveLength(1);
});

test('a compressed page is passed on as it is, and read', async () => {
  const body = gzipSync(page);
  await using server = await openMetricsPage((_, response) => {
    response.writeHead(200, { 'content-type': 'text/plain', 'content-encoding': 'gzip' }).end(body);
  });
  await using ops = await openOps(server.url);
  const response = await ops.metrics.passThrough({
    headers: new Headers(),
    signal: AbortSignal.timeout(5_000),
    destroySocket: () => false,
  });
  expect(response.headers.get('content-encoding')).toBe('gzip');
  expect(gunzipSync(Buffer.from(await response.arrayBuffer())).toString()).toBe(page);
  await waitFor(() => ops.metrics.series.latest('t1') !== undefined, { message: 'the page to be kept' });
});

test('what our parser has against a page is no matter of who reads it', async () => {
  await using server = await openMetricsPage(text('not metrics at all'));
  await using ops = await openOps(server.url);
  const answer = await ops.ask();
  expect([answer.status, await answer.text()]).toEqual([200, 'not metrics at all']);
  await waitFor(() => ops.metrics.feature().state === 'failed', { message: 'the problem' });
  expect(ops.metrics.series.lastScrape('t1')?.error?.code).toBe('unreadable-metrics');
  expect(ops.metrics.passed).toEqual({ ok: 1, failed: 0, refused: 0 });
});

test('our own token stays ours: the caller brings its own, or is refused by the page', async () => {
  await using server = await openMetricsPage((request, response) => {
    if (request.headers.authorization === 'Bearer theirs') text(page)(request, response);
    else response.writeHead(401, { 'content-type': 'text/plain', 'www-authenticate': 'Bearer' }).end('who?');
  });
  await using ops = await openOps(server.url.replace('//', '//user:pass@'), { tokenFile: '/nonexistent' });
  const refused = await ops.ask();
  expect([refused.status, refused.headers.get('www-authenticate'), await refused.text()]).toEqual([
    401,
    'Bearer',
    'who?',
  ]);
  expect((await ops.ask({ headers: { authorization: 'Bearer theirs' } })).status).toBe(200);
  expect(server.requests.map(({ headers }) => headers.authorization)).toEqual([undefined, 'Bearer theirs']);
});

describe('a page that cannot be passed on', () => {
  test('is a problem while nothing has been sent', async () => {
    const server = await openMetricsPage(page);
    await using ops = await openOps(server.url, { timeoutMs: 100 });
    server.answer = () => undefined;
    expect(await codeOf(await ops.ask())).toEqual([504, 'metrics-timeout']);
    await server[Symbol.asyncDispose]();
    expect(await codeOf(await ops.ask())).toEqual([502, 'metrics-unreachable']);
    expect(ops.metrics.passed).toEqual({ ok: 0, failed: 2, refused: 0 });
    expect(ops.metrics.feature().state).toBe('failed');
  });

  test('never looks whole when it is cut', async () => {
    const cut: RequestListener = (_, response) => {
      response.setHeader('content-type', 'text/plain');
      response.write('a 1\n'.repeat(20_000), () => response.destroy());
    };
    await using server = await openMetricsPage(cut);
    await using ops = await openOps(server.url);
    const reading = ops.ask().then((response) => response.text());
    await expect(reading).rejects.toThrow();
    await waitFor(() => ops.metrics.passed.failed === 1, { message: 'the failure to be counted' });
    expect(ops.metrics.series.latest('t1')).toBeUndefined();
  });

  test('is refused when four are under way, and again answered when they are over', async () => {
    await using server = await openMetricsPage(() => undefined);
    await using ops = await openOps(server.url);
    const readers = Array.from({ length: 4 }, () => new AbortController());
    const asked = readers.map(({ signal }) => ops.ask({ signal }).catch(() => undefined));
    await waitFor(() => server.requests.length === 4, { message: 'four readers' });
    const fifth = await ops.ask();
    expect([fifth.headers.get('retry-after'), ...(await codeOf(fifth))]).toEqual(['1', 429, 'metrics-busy']);
    for (const reader of readers) reader.abort();
    await Promise.all(asked);
    server.answer = text(page);
    await waitFor(async () => (await ops.ask()).status === 200, { message: 'room' });
    expect(ops.metrics.passed).toMatchObject({ failed: 4, refused: expect.any(Number) as number });
  });

  test('is refused to an agent: it would ask itself', async () => {
    await using server = await openMetricsPage(page);
    await using ops = await openOps(server.url);
    expect(await codeOf(await ops.ask({ headers: { 'user-agent': 'Sidescope/0.1.0' } }))).toEqual([
      400,
      'invalid-request',
    ]);
    expect(server.requests).toEqual([]);
  });

  test('is not there without an address', async () => {
    await using ops = await openOps('http://127.0.0.1:1/', { source: undefined });
    expect(await codeOf(await ops.ask())).toEqual([404, 'metrics-off']);
  });
});

test('a reader that leaves in the middle, or asks for the head only, leaves nothing open', async () => {
  let isClosed = false;
  await using server = await openMetricsPage((_, response) => {
    response.setHeader('content-type', 'text/plain');
    response.write('a 1\n'.repeat(30_000));
    response.on('close', () => (isClosed = true));
  });
  await using ops = await openOps(server.url);
  expect([(await ops.ask({ method: 'HEAD' })).status, server.requests.length]).toEqual([200, 0]);
  const reader = new AbortController();
  const answer = await ops.ask({ signal: reader.signal });
  await answer.body?.getReader().read();
  reader.abort();
  await waitFor(() => isClosed, { message: 'the request to the page to end' });
  await waitFor(() => ops.metrics.passed.failed === 1, { message: 'the answer to be counted' });
});
