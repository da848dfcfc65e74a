import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TargetMetrics } from '../../agent/baseline/target-metrics.ts';
import type { TargetMetricsOptions } from '../../agent/baseline/target-metrics.ts';
import { indexInMemory } from '../../agent/vitals/history.ts';
import { openMetricsPage, text } from '../support/metrics-page.ts';
import { waitFor } from '../support/wait-for.ts';

const page = '# TYPE jobs_total counter\njobs_total 3\n';
const target = { id: 't1' };
const fixtures = join(import.meta.dirname, '../fixtures/tls');

let directory = '';
beforeAll(async () => void (directory = await mkdtemp(join(tmpdir(), 'sidescope-metrics-'))));
afterAll(() => rm(directory, { recursive: true }));

function readerOf(url: string, options: Partial<TargetMetricsOptions> & { tokenFile?: string; caFile?: string } = {}) {
  const { tokenFile, caFile, ...rest } = options;
  const logged: string[] = [];
  const note = (_: object, message: string): void => void logged.push(message);
  const metrics = new TargetMetrics({
    source: { url: new URL(url), tokenFile, caFile },
    intervalMs: 60_000,
    targets: { list: () => [target], watcher: () => target },
    index: indexInMemory(),
    budgetBytes: 2 ** 30,
    version: '1.2.3',
    log: { info: note, warn: note, error: note },
    ...rest,
  });
  return Object.assign(metrics, { logged });
}

/** Reads the page once; what the last reading says. */
async function readOnce(url: string, options: Parameters<typeof readerOf>[1] = {}) {
  await using metrics = readerOf(url, options);
  await metrics.read();
  return { scrape: metrics.series.lastScrape('t1'), feature: metrics.feature(), pauseMs: metrics.pauseMs };
}

test('reads the page as itself, in either format, and says what it cost', async () => {
  await using server = await openMetricsPage(page);
  await using metrics = readerOf(server.url);
  expect(metrics.feature()).toMatchObject({ state: 'on', reason: `${server.url} was not read yet` });
  await metrics.read();
  expect(metrics.series.value({ targetId: 't1', name: 'jobs_total' })).toBe(3);
  expect(metrics.series.lastScrape('t1')).toMatchObject({
    by: 'agent',
    format: 'text',
    sizeBytes: page.length,
    series: 1,
    error: null,
  });
  expect(metrics.series.lastScrape('t1')?.durationMs).toBeGreaterThan(0);
  expect(metrics.feature()).toEqual({ name: 'metrics', state: 'on', reason: null, remedy: null });
  expect(server.requests[0]?.headers).toMatchObject({
    'user-agent': 'Sidescope/1.2.3',
    accept: expect.stringContaining('application/openmetrics-text') as string,
    'accept-encoding': 'identity',
  });
  server.answer = text('# TYPE jobs counter\njobs_total 5\n# EOF\n', 'application/openmetrics-text; version=1.0.0');
  await metrics.read();
  expect(metrics.series.latest('t1')).toMatchObject({
    scrape: { format: 'openmetrics' },
    samples: [{ value: 5, ratePerSecond: expect.any(Number) as number }],
  });
});

test('reads at its interval, also when an answer failed', async () => {
  await using server = await openMetricsPage((_, response) => void response.writeHead(503).end());
  await using metrics = readerOf(server.url, { intervalMs: 50 });
  metrics.start();
  await waitFor(() => server.requests.length >= 2, { message: 'two readings that fail' });
  expect(metrics.feature()).toMatchObject({ state: 'failed', reason: 'the page answers HTTP 503' });
  server.answer = text(page);
  await waitFor(() => metrics.feature().state === 'on', { message: 'a reading that does not' });
  expect(metrics.logged).toEqual([
    'the metrics page is not read: the page answers HTTP 503',
    'the metrics page can be read again',
  ]);
});

const endless: RequestListener = (_, response) => {
  response.setHeader('content-type', 'text/plain');
  const piece = `${'a'.repeat(60)} 1\n`.repeat(1_000);
  const write = (): void => {
    while (!response.destroyed && response.write(piece));
  };
  response.on('drain', write);
  write();
};

const huge: RequestListener = (_, response) => {
  response.writeHead(200, { 'content-type': 'text/plain', 'content-length': String(100 * 2 ** 20) });
  response.write('a 1\n');
};

const elsewhere: RequestListener = (_, response) => {
  response.writeHead(302, { location: 'http://127.0.0.1:1/metrics?token=secret' }).end();
};

const circle: RequestListener = (request, response) => {
  response.writeHead(302, { location: `${request.url}x` }).end();
};

const cut: RequestListener = (_, response) => {
  response.setHeader('content-type', 'text/plain');
  response.write('a 1\n', () => response.destroy());
};

const encoded =
  (encoding: string, body: Uint8Array | string): RequestListener =>
  (_, response) => {
    response.writeHead(200, { 'content-type': 'text/plain', 'content-encoding': encoding }).end(body);
  };

const bomb = gzipSync(`${'a'.repeat(60)} 1\n`.repeat(300_000));

describe('a page that cannot be used is a problem of its own, and nothing of it is kept:', () => {
  test.each<[string, RequestListener, string, string | RegExp]>([
    ['HTML', text('<html>', 'text/html'), 'not-a-metrics-page', /the page is "text\/html"/],
    ['HTML that says it is text', text('<!doctype html>'), 'unreadable-metrics', /^line 1: /],
    ['404', (_, response) => void response.writeHead(404).end('no'), 'metrics-http-error', 'the page answers HTTP 404'],
    ['endless', endless, 'metrics-too-large', /more than 8388608 bytes/],
    ['100 MB', huge, 'metrics-too-large', 'the page has 104857600 bytes; the limit is 8388608'],
    [
      'too many series',
      text(Array.from({ length: 50_001 }, (_, n) => `a${n} 1`).join('\n')),
      'metrics-too-large',
      /50000 series/,
    ],
    ['a bomb of gzip', encoded('gzip', bomb), 'metrics-too-large', /more than 8388608 bytes/],
    ['no gzip', encoded('gzip', 'a 1\n'), 'unreadable-metrics', /no gzip/],
    ['another encoding', encoded('br', 'a 1\n'), 'not-a-metrics-page', /encoded as br/],
    ['another server', elsewhere, 'metrics-http-error', /leads to another server \(HTTP 302\)$/],
    ['a circle', circle, 'metrics-http-error', /leads on more than 3 times/],
    ['cut', cut, 'metrics-unreachable', /ECONNRESET$/],
    ['cut OpenMetrics', text('a 1\n', 'application/openmetrics-text'), 'unreadable-metrics', /it is cut$/],
  ])('%s', async (...[, answer, code, message]) => {
    await using server = await openMetricsPage(text(page));
    await using metrics = readerOf(server.url);
    await metrics.read();
    server.answer = answer;
    await metrics.read();
    const { error } = metrics.series.lastScrape('t1') ?? {};
    expect(error).toMatchObject({ code });
    expect(error?.message).toMatch(message);
    expect(error?.message).not.toContain('secret');
    expect(metrics.feature()).toMatchObject({ state: 'failed', reason: error?.message });
    expect(metrics.series.latest('t1')?.samples).toHaveLength(1);
    server.answer = text(page);
    await metrics.read();
    expect(metrics.feature().state).toBe('on');
  });

  test('nobody there', async () => {
    const server = await openMetricsPage(page);
    await server[Symbol.asyncDispose]();
    expect((await readOnce(server.url)).scrape?.error).toEqual({
      code: 'metrics-unreachable',
      message: `${server.url}: ECONNREFUSED`,
    });
  });

  test('silent, or never whole: given up in time, and read less often then', async () => {
    for (const answer of [
      () => undefined,
      (...[, response]: Parameters<RequestListener>) => void response.write('a 1\n'),
    ]) {
      await using server = await openMetricsPage(answer);
      await using metrics = readerOf(server.url, { timeoutMs: 100 });
      await metrics.read();
      expect(metrics.series.lastScrape('t1')?.error).toEqual({
        code: 'metrics-timeout',
        message: `${server.url} was not read in 100 ms`,
      });
      expect(metrics.pauseMs).toBe(120_000);
      await metrics.read();
      expect(metrics.pauseMs).toBe(240_000);
      server.answer = text(page);
      await metrics.read();
      expect(metrics.pauseMs).toBe(60_000);
    }
  });
});

test('a slow page is read less often: a fiftieth of the time is what it may take', async () => {
  await using server = await openMetricsPage((...asked) => void setTimeout(() => text(page)(...asked), 120));
  const { pauseMs, feature, scrape } = await readOnce(server.url, { intervalMs: 1_000 });
  expect(scrape?.error).toBeNull();
  expect(pauseMs).toBeGreaterThanOrEqual(120 * 50);
  expect(feature).toMatchObject({
    state: 'on',
    reason: expect.stringMatching(/the page is slow, so it is read every/) as string,
  });
});

test('what is odd about a page that can be used is told', async () => {
  await using server = await openMetricsPage('');
  await using metrics = readerOf(server.url, {
    targets: { list: () => [target, { id: 't2' }], watcher: () => target },
  });
  await metrics.read();
  expect(metrics.feature().reason).toBe('the page has no series; the page counts for the first of 2 targets');
  server.answer = text('a 1\na 2\n');
  await metrics.read();
  expect(metrics.feature().reason).toMatch(/^1 samples on the page repeat a series; the first ones count/);
});

test('warns of series that every reading sets back, while it is a reader of its own', async () => {
  await using server = await openMetricsPage('nodejs_eventloop_lag_p99_seconds 0.8\nnodejs_eventloop_lag_seconds 0\n');
  const { feature } = await readOnce(server.url);
  expect(feature).toMatchObject({
    state: 'on',
    reason:
      'every reading of the page sets nodejs_eventloop_lag_p99_seconds back, so that another reader misses what was read here',
    remedy: expect.stringContaining('/target-metrics') as string,
  });
});

test('follows the page to another path of its server', async () => {
  await using server = await openMetricsPage((request, response) => {
    if (request.url === '/there') text(page)(request, response);
    else response.writeHead(301, { location: '/there' }).end();
  });
  expect((await readOnce(server.url)).scrape).toMatchObject({ series: 1, error: null });
});

test('reads a compressed page', async () => {
  await using server = await openMetricsPage(encoded('gzip', gzipSync(page)));
  expect((await readOnce(server.url)).scrape).toMatchObject({ series: 1, sizeBytes: page.length, error: null });
});

test('a page behind TLS is trusted by the authorities of a file, and by nobody else', async () => {
  const [key, cert] = await Promise.all(['key', 'certificate'].map((name) => readFile(join(fixtures, `${name}.pem`))));
  const server = createServer({ key, cert }, text(page));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`;
  try {
    expect((await readOnce(url)).scrape?.error).toEqual({
      code: 'metrics-unreachable',
      message: `${url}: DEPTH_ZERO_SELF_SIGNED_CERT`,
    });
    const caFile = join(fixtures, 'certificate.pem');
    expect((await readOnce(url, { caFile })).scrape).toMatchObject({ series: 1, error: null });
    await writeFile(join(directory, 'no-ca'), 'no certificate');
    const { scrape } = await readOnce(url, { caFile: join(directory, 'no-ca') });
    expect(scrape?.error?.code).toBe('metrics-unreachable');
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

describe('credentials', () => {
  test('the token is read again for each reading, and never told', async () => {
    await using server = await openMetricsPage(page);
    const tokenFile = join(directory, 'token');
    await writeFile(tokenFile, 'first\n');
    await using metrics = readerOf(server.url, { tokenFile });
    await metrics.read();
    await writeFile(tokenFile, 'second');
    await metrics.read();
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer first', 'Bearer second']);
    await writeFile(tokenFile, 'two words');
    await metrics.read();
    expect(metrics.feature()).toMatchObject({
      state: 'failed',
      reason: `the token in ${tokenFile} is empty, or not one word`,
    });
    await rm(tokenFile);
    await metrics.read();
    expect(metrics.feature().reason).toBe(`the token for the metrics page: ${tokenFile} cannot be read (ENOENT)`);
    expect(server.requests).toHaveLength(2);
  });

  test('a name and a password of the address are sent, and appear in no message', async () => {
    await using server = await openMetricsPage((_, response) => response.destroy());
    const url = server.url.replace('//', '//scraper:pass%20word@');
    const { scrape } = await readOnce(url);
    expect(server.requests[0]?.headers.authorization).toBe(`Basic ${btoa('scraper:pass word')}`);
    expect(scrape?.error?.message).toBe(`${server.url}: ECONNRESET`);
  });
});

test('nothing is read while it is not known whose page it is, and without an address it is off', async () => {
  await using server = await openMetricsPage(page);
  await using waiting = readerOf(server.url, { targets: { list: () => [], watcher: () => target } });
  await waiting.read();
  expect(server.requests).toEqual([]);
  await using off = readerOf(server.url, { source: undefined });
  off.start();
  await off.read();
  expect(off.feature()).toMatchObject({ state: 'off', reason: '--metrics-url is not set' });
  expect(() => off.list({})).toThrow(expect.objectContaining({ code: 'metrics-off' }));
  await using looped = readerOf(server.url, { obstacle: 'it is this agent itself' });
  expect(looped.feature()).toMatchObject({ state: 'off', reason: 'it is this agent itself' });
});

test('a reading under way ends with the agent, and is no failure', async () => {
  await using server = await openMetricsPage(() => undefined);
  const metrics = readerOf(server.url);
  const reading = metrics.read();
  await waitFor(() => server.requests.length === 1, { message: 'the request' });
  await metrics[Symbol.asyncDispose]();
  await reading;
  expect(metrics.series.lastScrape('t1')).toBeUndefined();
});
