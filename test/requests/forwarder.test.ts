import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { ForwardQueue } from '../../agent/requests/forward-queue.ts';
import type { Forwarded } from '../../agent/requests/forward-queue.ts';
import { Forwarder } from '../../agent/requests/forwarder.ts';
import type { ForwarderOptions } from '../../agent/requests/forwarder.ts';
import { isOwnAddress } from '../../agent/requests/own-address.ts';
import { pauseAfter, retryAfterMs } from '../../agent/requests/retry.ts';
import { Upstream } from '../../agent/requests/upstream.ts';
import type { UpstreamOptions } from '../../agent/requests/upstream.ts';
import { createLog } from '../../agent/telemetry/log.ts';
import { decodeTraceRequest } from '../../protocol/otlp/decode.ts';
import { encodeResponse } from '../../protocol/otlp/response.ts';
import { fixture } from '../otlp/fixtures.ts';
import { TraceRequest } from '../otlp/proto.ts';
import { waitFor } from '../support/wait-for.ts';
import { json, openOtlp, openUpstream, protobuf } from './otlp-harness.ts';

const body = fixture('small-express4.pb');
const log = createLog({ level: 'silent', destination: { write: () => undefined } });

function item(overrides: Partial<Forwarded> = {}): Forwarded {
  return {
    signal: 'traces',
    encoding: 'protobuf',
    body,
    contentEncoding: undefined,
    headers: {},
    receivedAtMs: Date.now(),
    spanCount: 49,
    ...overrides,
  };
}

function forwarderTo(url: URL, options: Partial<ForwarderOptions & UpstreamOptions> = {}): Forwarder {
  const upstream = new Upstream({
    url,
    tracesUrl: undefined,
    headers: {},
    timeoutMs: 5_000,
    connections: 4,
    ...options,
  });
  const bounds = { bytesMax: 4 * 2 ** 20, requestsMax: 100 };
  return new Forwarder({ upstream, bounds, log, pauses: { firstMs: 20, longestMs: 100 }, ...options });
}

async function closing(forwarder: Forwarder, graceMs = 0): Promise<void> {
  await forwarder.close({ graceMs });
}

describe('the checklist of the forwarder', () => {
  test('25: the queue is bounded by bytes and by count; the oldest go and are counted', () => {
    const dropped: string[] = [];
    const queue = new ForwardQueue({ bytesMax: 30, requestsMax: 4 }, ({ headers }) =>
      dropped.push(headers['name'] ?? ''),
    );
    const named = (name: string, length: number): Forwarded =>
      item({ headers: { name }, body: new Uint8Array(length) });
    for (const name of ['a', 'b', 'c']) queue.push(named(name, 10));
    expect([queue.bytes, queue.length, dropped]).toEqual([30, 3, []]);
    queue.push(named('d', 15));
    expect([queue.bytes, queue.length, dropped]).toEqual([25, 2, ['a', 'b']]);
    for (const name of ['e', 'f', 'g']) queue.push(named(name, 1));
    expect([queue.length, dropped]).toEqual([4, ['a', 'b', 'c']]);
    expect(queue.shift()?.headers['name']).toBe('d');
    queue.unshift(named('d', 15));
    expect(queue.shift()?.headers['name']).toBe('d');
    queue.push(named('huge', 31));
    expect([queue.bytes, queue.length]).toEqual([0, 0]);
  });

  test('25: with the upstream down the newest stay, within the bytes', async () => {
    await using upstream = await openUpstream();
    await upstream.stop();
    const forwarder = forwarderTo(upstream.url, { bounds: { bytesMax: 100_000, requestsMax: 1_000 } });
    for (let index = 0; index < 20; index++) forwarder.add(item({ contentEncoding: 'gzip' }));
    const { queuedBytes, dropped } = forwarder.stats();
    expect(queuedBytes).toBeLessThanOrEqual(100_000);
    expect(dropped['queue-full'].requests).toBeGreaterThanOrEqual(8);
    expect(dropped['queue-full'].spans).toBe(dropped['queue-full'].requests * 49);
    await closing(forwarder);
  });

  test.each([429, 502, 503, 504])('26: %i is tried again until it is taken', async (status) => {
    await using upstream = await openUpstream();
    let refusals = 3;
    upstream.answer = (response) => void response.writeHead(refusals-- > 0 ? status : 200).end();
    const forwarder = forwarderTo(upstream.url);
    forwarder.add(item());
    await waitFor(() => forwarder.stats().sentRequests === 1, { message: 'the request to be taken' });
    expect(upstream.received.length).toBe(4);
    expect(forwarder.stats()).toMatchObject({ retries: 3, sentSpans: 49, queuedRequests: 0, problem: undefined });
    await closing(forwarder);
  });

  test('26: a connection that is refused, reset, or silent is tried again', async () => {
    await using upstream = await openUpstream();
    let round = 0;
    upstream.answer = (response) => {
      round++;
      if (round === 1) response.destroy();
      else if (round > 2) response.end();
      // The second one gets no answer at all.
    };
    const forwarder = forwarderTo(upstream.url, { timeoutMs: 200 });
    forwarder.add(item());
    await waitFor(() => forwarder.stats().sentRequests === 1, { message: 'the third attempt' });
    expect(round).toBe(3);
    const { port } = upstream.url;
    await upstream.stop();
    forwarder.add(item());
    await waitFor(() => forwarder.stats().problem !== undefined, { message: 'a refused connection' });
    expect(forwarder.stats().problem).toMatch(/ECONNREFUSED|ECONNRESET|socket hang up/);
    await using again = await openUpstream(Number(port));
    await waitFor(() => again.received.length === 1, { message: 'the request to arrive when the upstream is back' });
    await closing(forwarder, 1_000);
  });

  test('26: Retry-After is kept to, in seconds and as a date; pauses double, with jitter', async () => {
    await using upstream = await openUpstream();
    let count = 0;
    upstream.answer = (response) => void response.writeHead(count++ === 0 ? 503 : 200, { 'retry-after': '1' }).end();
    const forwarder = forwarderTo(upstream.url);
    forwarder.add(item());
    await waitFor(() => upstream.received.length === 2, { message: 'the second attempt' });
    const [first, second] = upstream.received;
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThan(950);
    await closing(forwarder, 1_000);
    const now = Date.parse('2026-11-22T12:00:00Z');
    expect(retryAfterMs('7', now)).toBe(7_000);
    expect(retryAfterMs('Sun, 22 Nov 2026 12:00:30 GMT', now)).toBe(30_000);
    expect(retryAfterMs('Sun, 22 Nov 2026 11:00:00 GMT', now)).toBe(0);
    expect(retryAfterMs('86400', now)).toBe(120_000);
    expect(retryAfterMs('soon', now)).toBeUndefined();
    const pauses = { firstMs: 1_000, longestMs: 30_000 };
    expect([1, 2, 3, 10].map((failures) => pauseAfter(failures, pauses, () => 0.5))).toEqual([
      1_000, 2_000, 4_000, 30_000,
    ]);
    expect([0, 0.999].map((random) => Math.round(pauseAfter(1, pauses, () => random)))).toEqual([500, 1_499]);
  });

  test.each([400, 401, 404, 413, 500, 307, 301])('27: %i is final: dropped, counted, not followed', async (status) => {
    await using upstream = await openUpstream();
    upstream.answer = (response) =>
      void response.writeHead(status, { location: `${upstream.url.href}elsewhere` }).end();
    const forwarder = forwarderTo(upstream.url);
    forwarder.add(item());
    await waitFor(() => forwarder.stats().dropped.refused.requests === 1, { message: 'the request to be dropped' });
    expect(forwarder.stats()).toMatchObject({
      retries: 0,
      problem: `HTTP ${status}`,
      dropped: { refused: { spans: 49 } },
    });
    expect(upstream.received.length).toBe(1);
    await closing(forwarder);
  });

  test('27: a partial success is not sent again; its rejected spans are counted', async () => {
    await using upstream = await openUpstream();
    upstream.answer = (response) =>
      void response.end(encodeResponse('protobuf', { rejectedCount: 9, message: 'too old' }));
    const forwarder = forwarderTo(upstream.url);
    forwarder.add(item());
    await waitFor(() => forwarder.stats().sentRequests === 1, { message: 'the request to be taken' });
    expect(forwarder.stats()).toMatchObject({ sentSpans: 40, dropped: { rejected: { requests: 1, spans: 9 } } });
    expect(upstream.received.length).toBe(1);
    await closing(forwarder);
  });

  test('28: a base URL gets the path of the signal, a traces URL is as it is; headers by configuration and allow-list', async () => {
    await using upstream = await openUpstream();
    const tracesUrl = new URL('/custom?key=1', upstream.url);
    const url = new URL('/base/', upstream.url);
    await using otlp = await openOtlp({ forward: { url, tracesUrl, headers: { 'api-key': 'ours', 'x-extra': '1' } } });
    const sent = {
      ...protobuf,
      authorization: 'Bearer theirs',
      'api-key': 'theirs',
      'x-scope-orgid': 'tenant-7',
      cookie: 'a=b',
      'x-unknown': '1',
      'user-agent': 'OTel-OTLP-Exporter-JavaScript/0.301.0',
    };
    await otlp.post('/v1/traces', body, sent);
    await otlp.post('/v1/metrics', 'm', sent);
    await waitFor(() => upstream.received.length === 2, { message: 'both to arrive' });
    expect(upstream.received.map(({ path }) => path).sort()).toEqual(['/base/v1/metrics', '/custom?key=1']);
    for (const { headers } of upstream.received) {
      expect(headers).toMatchObject({
        authorization: 'Bearer theirs',
        'api-key': 'ours',
        'x-scope-orgid': 'tenant-7',
        'x-extra': '1',
        'content-type': 'application/x-protobuf',
        'user-agent': 'Sidescope/1.2.3 OTel-OTLP-Exporter-JavaScript/0.301.0',
      });
      expect(Object.keys(headers)).not.toEqual(expect.arrayContaining(['cookie']));
      expect(headers['x-unknown']).toBeUndefined();
    }
  });

  test('29: what arrives is byte for byte what was sent, as protobuf, JSON and gzip', async () => {
    await using upstream = await openUpstream();
    await using otlp = await openOtlp({ forward: { url: upstream.url } });
    const zipped = fixture('express5-pg-redis-512.pb.gz');
    const sent: [Buffer, Record<string, string>][] = [
      [body, protobuf],
      [fixture('small-fastify.json'), json],
      [zipped, { ...protobuf, 'content-encoding': 'gzip' }],
    ];
    for (const [bytes, headers] of sent) {
      await otlp.post('/v1/traces', bytes, headers);
      await waitFor(() => upstream.received.length > 0, { message: 'it to arrive' });
      const arrived = upstream.received.pop();
      expect(arrived?.body.equals(bytes)).toBe(true);
      expect(arrived?.headers['content-encoding']).toBe(headers['content-encoding']);
      expect(arrived?.headers['content-type']).toBe(headers['content-type']);
    }
  });

  test('29: chosen spans carry additions, everything else is the same; a name that is there is not replaced', async () => {
    await using upstream = await openUpstream();
    await using otlp = await openOtlp({ forward: { url: upstream.url } });
    otlp.requests.setEnrich((span) =>
      span.kind === 2 ? { 'pyroscope.profile.id': span.spanId, 'http.request.method': 'REPLACED' } : undefined,
    );
    const zipped = gzipSync(body);
    await otlp.post('/v1/traces', body);
    await otlp.post('/v1/traces', zipped, { ...protobuf, 'content-encoding': 'gzip' });
    await otlp.post('/v1/traces', fixture('small-express4.json'), json);
    await waitFor(() => upstream.received.length === 3, { message: 'all to arrive' });
    const plain = upstream.received.find(
      ({ headers }) => headers['content-encoding'] === undefined && headers['content-type'] !== 'application/json',
    );
    const gzipped = upstream.received.find(({ headers }) => headers['content-encoding'] === 'gzip');
    const js = upstream.received.find(({ headers }) => headers['content-type'] === 'application/json');
    expect(gunzipSync(gzipped?.body ?? '')).toEqual(plain?.body);
    const before = TraceRequest.decode(body);
    const after = TraceRequest.decode(plain?.body ?? new Uint8Array()) as unknown as Decoded;
    let enriched = 0;
    for (const span of spansOf(after)) {
      if (span.kind !== 2) continue;
      enriched++;
      expect(span.attributes.pop()).toMatchObject({
        key: 'pyroscope.profile.id',
        value: { stringValue: Buffer.from(span.spanId).toString('hex') },
      });
    }
    expect(enriched).toBe(5);
    expect(TraceRequest.toObject(after as never)).toEqual(TraceRequest.toObject(before));
    expect(js?.body.toString().split('"pyroscope.profile.id"').length).toBe(6);
    otlp.requests.setEnrich(undefined);
    await otlp.post('/v1/traces', body);
    await waitFor(() => upstream.received.length === 4, { message: 'the last' });
    expect(upstream.received[3]?.body.equals(body)).toBe(true);
  });

  test('30: an envelope without spans is not sent, and an endless answer is not read', async () => {
    await using upstream = await openUpstream();
    upstream.answer = (response) => {
      response.writeHead(200);
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(256 * 1024))) continue;
      };
      response.on('drain', more);
      more();
    };
    await using otlp = await openOtlp({ forward: { url: upstream.url } });
    await otlp.post('/v1/traces', '{"resourceSpans":[{}]}', json);
    await otlp.post('/v1/traces', body);
    await waitFor(() => otlp.requests.stats().forward?.sentRequests === 1, {
      message: 'the request to count as taken',
    });
    expect(upstream.received.length).toBe(1);
  });

  test('31: at the end what waits is sent within the grace, also to an upstream that only now comes back', async () => {
    await using upstream = await openUpstream();
    await upstream.stop();
    const forwarder = forwarderTo(upstream.url);
    for (let index = 0; index < 10; index++) forwarder.add(item());
    await waitFor(() => forwarder.stats().retries > 1, { message: 'failed attempts' });
    const closed = closing(forwarder, 5_000);
    await using again = await openUpstream(Number(upstream.url.port));
    await closed;
    expect(again.received.length).toBe(10);
    expect(forwarder.stats()).toMatchObject({ queuedRequests: 0, dropped: { shutdown: { requests: 0 } } });
  });

  test('31: an upstream that never answers costs the grace and no more; what is lost is counted', async () => {
    await using silent = await openUpstream();
    silent.answer = () => undefined;
    const forwarder = forwarderTo(silent.url);
    for (let index = 0; index < 10; index++) forwarder.add(item());
    await closing(forwarder, 100);
    await waitFor(() => forwarder.stats().dropped.shutdown.requests === 10, { message: 'all to be counted' });
    expect(forwarder.stats().dropped.shutdown.spans).toBe(490);
  });

  test('31: a port that takes connections and says nothing is no different', async () => {
    const server = createServer(() => undefined);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const forwarder = forwarderTo(new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`), {
      timeoutMs: 100,
    });
    forwarder.add(item());
    await waitFor(() => forwarder.stats().retries > 1, { message: 'timed out attempts' });
    expect(forwarder.stats().problem).toBe('no answer in 100 ms');
    await closing(forwarder);
    server.close();
  });

  test("32: nothing of the sender's trace context goes along, and nothing is added", async () => {
    await using upstream = await openUpstream();
    await using otlp = await openOtlp({ forward: { url: upstream.url } });
    await otlp.post('/v1/traces', body, {
      ...protobuf,
      traceparent: '00-01010101010101010101010101010101-0202020202020202-01',
      tracestate: 'a=b',
      baggage: 'c=d',
    });
    await waitFor(() => upstream.received.length === 1, { message: 'it to arrive' });
    const names = Object.keys(upstream.received[0]?.headers ?? {}).sort();
    expect(names).toEqual(['connection', 'content-length', 'content-type', 'host', 'user-agent']);
  });

  test('32: an upstream that is the agent itself is seen', () => {
    const listener = { host: '127.0.0.1', port: 4318 };
    for (const url of ['http://localhost:4318', 'http://127.0.0.1:4318/x', 'http://[::1]:4318'])
      expect([url, isOwnAddress(new URL(url), listener)]).toEqual([url, true]);
    for (const url of ['http://localhost:4319', 'http://collector:4318', 'https://localhost'])
      expect([url, isOwnAddress(new URL(url), listener)]).toEqual([url, false]);
    expect(isOwnAddress(new URL('http://localhost:4318'), 'off')).toBe(false);
  });
});

test('a request that is refused for too long is given up', async () => {
  await using upstream = await openUpstream();
  upstream.answer = (response) => void response.writeHead(503).end();
  const forwarder = forwarderTo(upstream.url, { ageMaxMs: 100 });
  forwarder.add(item());
  await waitFor(() => forwarder.stats().dropped.expired.requests === 1, { message: 'the request to expire' });
  await closing(forwarder);
});

test('behind a megabyte that waits, bodies are compressed, and arrive whole', async () => {
  await using upstream = await openUpstream();
  await upstream.stop();
  const large = fixture('express5-pg-redis-512-0.pb');
  const forwarder = forwarderTo(upstream.url, { bounds: { bytesMax: 4 * 2 ** 20, requestsMax: 1_000 } });
  for (let index = 0; index < 42; index++) {
    forwarder.add(item({ body: large, spanCount: 512 }));
    // A megabyte waits as it came, and beside it the four that are being tried.
    await waitFor(() => forwarder.stats().queuedBytes < 1.7 * 2 ** 20 + index * 20_000, {
      message: () => `the body to be compressed: ${forwarder.stats().queuedBytes} bytes wait`,
    });
  }
  // 4.7 MB were given.
  await waitFor(() => forwarder.stats().queuedBytes < 3 * 2 ** 20, {
    message: () => `bodies to be compressed: ${forwarder.stats().queuedBytes}`,
  });
  expect(forwarder.stats().dropped['queue-full'].requests).toBe(0);
  await using again = await openUpstream(Number(upstream.url.port));
  await closing(forwarder, 10_000);
  expect(again.received.length).toBe(42);
  const spans = again.received.map(
    ({ headers, body: arrived }) =>
      decodeTraceRequest(headers['content-encoding'] === 'gzip' ? gunzipSync(arrived) : arrived).spanCount,
  );
  expect(spans).toEqual(Array.from({ length: 42 }, () => 512));
});

interface Decoded {
  resourceSpans: { scopeSpans: { spans: { kind: number; spanId: Uint8Array; attributes: unknown[] }[] }[] }[];
}

function spansOf({ resourceSpans }: Decoded): Decoded['resourceSpans'][number]['scopeSpans'][number]['spans'] {
  return resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans));
}
