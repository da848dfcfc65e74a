import { randomBytes } from 'node:crypto';
import http from 'node:http';
import net from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { heldBytesMax } from '../../agent/requests/memory-budget.ts';
import { fixture } from '../otlp/fixtures.ts';
import { encodeRequest, RpcStatus, TraceResponse } from '../otlp/proto.ts';
import { waitFor } from '../support/wait-for.ts';
import { json, openOtlp, openUpstream, protobuf } from './otlp-harness.ts';
import type { OtlpHarness } from './otlp-harness.ts';

const ids = { traceId: Buffer.alloc(16, 1), spanId: Buffer.alloc(8, 2) };
const oneSpan = encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans: [{ ...ids, name: 'one' }] }] }] });
const oneSpanJson = JSON.stringify({
  resourceSpans: [{ scopeSpans: [{ spans: [{ traceId: '01'.repeat(16), spanId: '02'.repeat(8), name: 'one' }] }] }],
});

/** Sends the body in pieces, without a length. */
async function postChunked(
  otlp: OtlpHarness,
  body: Buffer,
  headers: http.OutgoingHttpHeaders,
): Promise<{ status: number; body: string }> {
  const request = http.request(`${otlp.url}/v1/traces`, { method: 'POST', headers });
  const answered = new Promise<http.IncomingMessage>((resolve, reject) =>
    request.on('response', resolve).on('error', reject),
  );
  for (let at = 0; at < body.length; at += 10_000) request.write(body.subarray(at, at + 10_000));
  request.end();
  const response = await answered;
  return { status: response.statusCode ?? 0, body: await text(response) };
}

async function raw(port: number, bytes: string | Buffer): Promise<string> {
  const socket = net.connect({ port, host: '127.0.0.1' });
  socket.write(bytes);
  return text(socket);
}

describe('the checklist of the receiver', () => {
  test('1: POST at /v1/traces and nothing else, below a prefix where there is one', async () => {
    await using otlp = await openOtlp();
    expect((await otlp.post('/v1/traces', oneSpan)).status).toBe(200);
    const get = await fetch(`${otlp.url}/v1/traces`);
    expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST']);
    for (const path of ['/', '/v1/trace', '/v1/traces/', '/v2/traces'])
      expect((await otlp.post(path, oneSpan)).status).toBe(404);
    await using prefixed = await openOtlp({ pathPrefix: '/otlp' });
    expect((await prefixed.post('/otlp/v1/traces?x=1', oneSpan)).status).toBe(200);
    expect((await prefixed.post('/v1/traces', oneSpan)).status).toBe(404);
  });

  test('2: protobuf and JSON by content type, parameters allowed, anything else is 415', async () => {
    await using otlp = await openOtlp();
    for (const [body, type, status] of [
      [oneSpan, 'application/x-protobuf', 200],
      [oneSpanJson, 'application/json', 200],
      [oneSpanJson, 'application/json; charset=utf-8', 200],
      [oneSpanJson, 'text/plain', 415],
      [oneSpan, 'application/grpc', 415],
    ] as const)
      expect((await otlp.post('/v1/traces', body, { 'content-type': type })).status, type).toBe(status);
    expect((await fetch(`${otlp.url}/v1/traces`, { method: 'POST', body: Buffer.from('{}') })).status).toBe(415);
    await otlp.requests.ingested();
    expect(otlp.sink.spans.map(({ name }) => name)).toEqual(['one', 'one', 'one']);
  });

  test('3: the answer has the content type of the request, also an error', async () => {
    await using otlp = await openOtlp();
    for (const headers of [protobuf, json]) {
      for (const body of [headers === json ? '{}' : '', '{']) {
        const response = await otlp.post('/v1/traces', body, headers);
        expect(response.headers.get('content-type')).toBe(headers['content-type']);
      }
    }
  });

  test('4: success is 200 with an empty response', async () => {
    await using otlp = await openOtlp();
    const [pb, js] = [await otlp.post('/v1/traces', oneSpan), await otlp.post('/v1/traces', oneSpanJson, json)];
    expect([pb.status, await pb.text(), js.status, await js.text()]).toEqual([200, '', 200, '{}']);
  });

  test('5: an empty request succeeds', async () => {
    await using otlp = await openOtlp();
    expect((await otlp.post('/v1/traces', '')).status).toBe(200);
    for (const body of ['{}', '{"resourceSpans":[]}', '{"resourceSpans":[{"scopeSpans":[{}]},{}]}'])
      expect((await otlp.post('/v1/traces', body, json)).status).toBe(200);
    const empty = encodeRequest({ resourceSpans: [{}, { scopeSpans: [{}, { spans: [] }] }] });
    expect((await otlp.post('/v1/traces', empty)).status).toBe(200);
    expect(otlp.requests.stats()).toMatchObject({ acceptedSpans: 0, rejectedSpans: 0 });
  });

  test('6: gzip and identity; others are 415, damaged gzip is 400, several members are one body', async () => {
    await using otlp = await openOtlp();
    const zipped = gzipSync(oneSpan);
    const half = oneSpan.length >> 1;
    const members = Buffer.concat([gzipSync(oneSpan.subarray(0, half)), gzipSync(oneSpan.subarray(half))]);
    const cases: [Buffer, string, number][] = [
      [zipped, 'gzip', 200],
      [members, 'gzip', 200],
      [oneSpan, 'identity', 200],
      [zipped, 'br', 415],
      [zipped.subarray(0, -5), 'gzip', 400],
      [Buffer.from('not gzip'), 'gzip', 400],
      [Buffer.alloc(0), 'gzip', 400],
    ];
    for (const [body, encoding, status] of cases)
      expect((await otlp.post('/v1/traces', body, { ...protobuf, 'content-encoding': encoding })).status).toBe(status);
    await otlp.requests.ingested();
    expect(otlp.sink.spans.length).toBe(3);
  });

  test('7: chunked bodies without a length, and Expect: 100-continue', async () => {
    await using otlp = await openOtlp();
    const body = fixture('express5-pg-redis-512-0.pb');
    expect(await postChunked(otlp, body, protobuf)).toEqual({ status: 200, body: '' });
    await otlp.requests.ingested();
    expect(otlp.sink.spans.length).toBe(512);
    const request = http.request(`${otlp.url}/v1/traces`, {
      method: 'POST',
      headers: { ...protobuf, expect: '100-continue', 'content-length': oneSpan.length },
    });
    const answered = new Promise<http.IncomingMessage>((resolve) => request.on('response', resolve));
    await new Promise<void>((resolve) => {
      request.on('continue', resolve);
      request.flushHeaders();
    });
    request.end(oneSpan);
    expect((await answered).statusCode).toBe(200);
  });

  test('7: a body of several megabytes is put together in steps, and goes on as it came', async () => {
    await using upstream = await openUpstream();
    await using otlp = await openOtlp({ forward: { url: upstream.url } });
    // Requests one behind the other are one request.
    const body = Buffer.concat(Array.from({ length: 30 }, () => fixture('express5-pg-redis-512-0.pb')));
    expect((await postChunked(otlp, body, protobuf)).status).toBe(200);
    const [received] = await waitFor(() => upstream.received.length > 0 && upstream.received, { message: 'the body' });
    expect(received?.body.equals(body)).toBe(true);
    await otlp.requests.ingested();
    expect(otlp.sink.spans.length).toBe(30 * 512);
    expect(otlp.requests.stats().heldBytes).toBe(0);
  });

  test('8: a body over the limit is 413, as sent and decompressed; a gzip bomb is not unpacked', async () => {
    await using otlp = await openOtlp({ bodyBytesMax: 1024 * 1024 });
    expect((await otlp.post('/v1/traces', randomBytes(1024 * 1024 + 1))).status).toBe(413);
    expect((await postChunked(otlp, randomBytes(3 * 1024 * 1024), protobuf)).status).toBe(413);
    const bomb = gzipSync(Buffer.alloc(200 * 1024 * 1024));
    expect(bomb.length).toBeLessThan(300_000);
    const before = process.memoryUsage().arrayBuffers;
    const refused = await otlp.post('/v1/traces', bomb, { ...protobuf, 'content-encoding': 'gzip' });
    expect(refused.status).toBe(413);
    expect(RpcStatus.toObject(RpcStatus.decode(await refused.bytes()))).toEqual({
      code: 8,
      message: 'the body has over 1048576 decompressed bytes; at most 1048576 are taken',
    });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20 * 1024 * 1024);
    expect(otlp.requests.stats().heldBytes).toBe(0);
    expect((await otlp.post('/v1/traces', oneSpan)).status).toBe(200);
  });

  test('8: a declared length over the limit is refused before the body is sent', async () => {
    await using otlp = await openOtlp({ bodyBytesMax: 1000 });
    const request = http.request(`${otlp.url}/v1/traces`, {
      method: 'POST',
      headers: { ...protobuf, expect: '100-continue', 'content-length': 5000 },
    });
    const answered = new Promise<http.IncomingMessage>((resolve) => request.on('response', resolve));
    request.flushHeaders();
    expect((await answered).statusCode).toBe(413);
    request.destroy();
  });

  test('9: what cannot be decoded is 400, and the receiver goes on', async () => {
    await using otlp = await openOtlp();
    const bodies: [string | Buffer, Record<string, string>][] = [
      [Buffer.from([0x0b]), protobuf],
      [Buffer.from([0x0a, 0xff]), protobuf],
      [Buffer.from([0x08, 0x01]), protobuf],
      [oneSpan.subarray(0, -1), protobuf],
      [Buffer.from(oneSpan.toString('latin1').replace('one', 'o\xffe'), 'latin1'), protobuf],
      ['{"resourceSpans":', json],
      ['[]', json],
      [oneSpanJson, protobuf],
      [oneSpan, json],
    ];
    for (const [body, headers] of bodies) expect((await otlp.post('/v1/traces', body, headers)).status).toBe(400);
    expect((await otlp.post('/v1/traces', oneSpan)).status).toBe(200);
    await otlp.requests.ingested();
    expect(otlp.sink.spans.length).toBe(1);
  });

  test('10: errors are a google.rpc.Status in the encoding of the request, with details for 400', async () => {
    await using otlp = await openOtlp();
    const pb = await otlp.post('/v1/traces', Buffer.from([0x0a, 0x05]));
    expect(RpcStatus.toObject(RpcStatus.decode(await pb.bytes()))).toMatchObject({
      code: 3,
      message: 'request, field 1 is 5 bytes long and 0 are left at byte 0',
      details: [{}],
    });
    const js = await otlp.post('/v1/traces', '{', json);
    expect(await js.json()).toMatchObject({
      code: 3,
      message: 'a key is expected at byte 1',
      details: [{ fieldViolations: [{ field: 'body' }] }],
    });
    expect(await (await otlp.post('/v1/nothing', '{}', json)).json()).toMatchObject({ code: 5 });
    expect(await (await otlp.post('/v1/traces', 'x', { 'content-type': 'text/plain' })).json()).toMatchObject({
      code: 3,
    });
  });

  test('11: unknown fields and keys are ignored', async () => {
    await using otlp = await openOtlp();
    const unknown = Buffer.concat([oneSpan, Buffer.from([0xa2, 0x06, 0x02, 0x68, 0x69])]);
    expect((await otlp.post('/v1/traces', unknown)).status).toBe(200);
    expect((await otlp.post('/v1/traces', oneSpanJson.replace('{', '{"x":{"y":[1]},'), json)).status).toBe(200);
    await otlp.requests.ingested();
    expect(otlp.sink.spans.length).toBe(2);
  });

  test('12: JSON: lowerCamelCase, enums as integers, ids in hex of any case, 64 bits as string or number', async () => {
    await using otlp = await openOtlp();
    const send = async (span: object): Promise<number> =>
      (
        await otlp.post(
          '/v1/traces',
          JSON.stringify({
            resourceSpans: [
              { scopeSpans: [{ spans: [{ traceId: 'AB'.repeat(16), spanId: 'cD'.repeat(8), ...span }] }] },
            ],
          }),
          json,
        )
      ).status;
    expect(
      await send({
        kind: 2,
        startTimeUnixNano: '1000000',
        endTimeUnixNano: 3000000,
        name: 'a',
        parent_span_id: '01'.repeat(8),
      }),
    ).toBe(200);
    expect(await send({ kind: 'SPAN_KIND_SERVER' })).toBe(400);
    await otlp.requests.ingested();
    expect(otlp.sink.spans).toMatchObject([
      { traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), kind: 2, startMs: 1, durationMs: 2, parentSpanId: '' },
    ]);
  });

  test('13: a resource behind its spans is theirs', async () => {
    await using otlp = await openOtlp();
    const body = JSON.stringify({
      resourceSpans: [
        {
          ...(JSON.parse(oneSpanJson) as { resourceSpans: object[] }).resourceSpans[0],
          resource: { attributes: [{ key: 'service.name', value: { stringValue: 's' } }] },
        },
      ],
    });
    const resource = encodeRequest({
      resourceSpans: [{ resource: { attributes: [{ key: 'service.name', value: { stringValue: 's' } }] } }],
    });
    const inner = Buffer.concat([oneSpan.subarray(2), resource.subarray(2)]);
    expect((await otlp.post('/v1/traces', body, json)).status).toBe(200);
    expect((await otlp.post('/v1/traces', Buffer.concat([Buffer.from([0x0a, inner.length]), inner]))).status).toBe(200);
    await otlp.requests.ingested();
    for (const { resource: read } of otlp.sink.spans) expect(read.attributes).toEqual({ 'service.name': 's' });
    expect(otlp.sink.spans.length).toBe(2);
  });

  test('14 and 15: values of any kind come through, integers and times exact beyond 2^53', async () => {
    await using otlp = await openOtlp();
    const attributes = [
      { key: 'big', value: { intValue: '9007199254740993' } },
      { key: 'list', value: { arrayValue: { values: [{ intValue: '1' }, { stringValue: 'x' }, {}] } } },
      { key: 'map', value: { kvlistValue: { values: [{ key: 'k', value: { boolValue: true } }] } } },
      { key: 'bytes', value: { bytesValue: Buffer.from([1, 2]) } },
      { key: 'empty', value: {} },
    ];
    const span = {
      ...ids,
      attributes,
      startTimeUnixNano: '1795351358000000001',
      endTimeUnixNano: '1795351358000000003',
    };
    await otlp.post('/v1/traces', encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }));
    await otlp.requests.ingested();
    expect(otlp.sink.spans[0]).toMatchObject({
      durationMs: 0.000002,
      attributes: {
        big: 9007199254740993n,
        list: [1, 'x', null],
        map: { k: true },
        bytes: new Uint8Array([1, 2]),
        empty: null,
      },
    });
  });

  test('16: spans with invalid ids are rejected alone, in a partial success', async () => {
    await using otlp = await openOtlp();
    const spans = [ids, { ...ids, traceId: Buffer.alloc(16) }, { ...ids, spanId: Buffer.alloc(4, 1) }];
    const response = await otlp.post('/v1/traces', encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans }] }] }));
    expect(response.status).toBe(200);
    expect(TraceResponse.toObject(TraceResponse.decode(await response.bytes()), { longs: Number })).toEqual({
      partialSuccess: { rejectedSpans: 2, errorMessage: '2 spans have no valid trace and span id, or are too long' },
    });
    const js = await otlp.post('/v1/traces', oneSpanJson.replace('02'.repeat(8), 'zz'), json);
    expect(await js.json()).toMatchObject({ partialSuccess: { rejectedSpans: '1' } });
    expect(otlp.requests.stats()).toMatchObject({ acceptedSpans: 1, rejectedSpans: 3 });
  });

  test('17: drops on the way upstream are a warning with 0 rejected spans, once', async () => {
    await using upstream = await openUpstream();
    upstream.answer = (response) => void response.writeHead(503).end();
    await using otlp = await openOtlp({ forward: { url: upstream.url, queueBytesMax: 1024 * 1024 } });
    const body = randomIds(fixture('express5-pg-redis-512.json'));
    const warned = await waitFor(
      async () => {
        const { partialSuccess } = (await (await otlp.post('/v1/traces', body, json)).json()) as PartialAnswer;
        return partialSuccess;
      },
      { message: 'a warning of a full queue' },
    );
    expect(warned.rejectedSpans).toBe('0');
    expect(warned.errorMessage).toMatch(
      /^Sidescope's upstream does not keep up \(HTTP 503\): \d+ spans were dropped from its queue$/,
    );
    expect(await (await otlp.post('/v1/traces', body, json)).json()).toEqual({});
  });

  test('18: under overload 503 with Retry-After 1, before the body is read, and nothing of what was taken is lost', async () => {
    await using otlp = await openOtlp({ bodyBytesMax: 64 * 1024 });
    const body = Buffer.concat(Array.from({ length: 20 }, () => oneSpan));
    // 32 MiB and the largest body may wait; the budget is filled by hand.
    const held = [];
    for (let index = 0; index < 440; index++) held.push(slowRequest(otlp));
    await waitFor(() => otlp.requests.stats().heldBytes > 25_215_000, {
      message: () => `bodies to be held: ${otlp.requests.stats().heldBytes}`,
    });
    const refused = await otlp.post('/v1/traces', body);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    expect(RpcStatus.toObject(RpcStatus.decode(await refused.bytes()))).toMatchObject({ code: 14 });
    for (const socket of held) socket.destroy();
    await waitFor(() => otlp.requests.stats().heldBytes === 0, { message: 'the bytes to be given back' });
    expect((await otlp.post('/v1/traces', body)).status).toBe(200);
  });

  test.each([
    [Infinity, 52],
    [256, 32],
    [128, 20],
  ])('18: in a container of %d MiB %d MiB of bodies are held', (containerMiB, heldMiB) => {
    const held = heldBytesMax({ bodyBytesMax: 20 * 2 ** 20, containerBytes: containerMiB * 2 ** 20 });
    expect(held).toBe(heldMiB * 2 ** 20);
  });

  test('18: compressed bodies that come at once are unpacked one behind the other, those that cannot be are refused alone', async () => {
    await using otlp = await openOtlp({ bodyBytesMax: 1024 * 1024 });
    const whole = fixture('express5-pg-redis-512.pb.gz');
    const bodies = [whole, whole.subarray(0, 1_000), gzipSync(Buffer.alloc(2 ** 21)), whole, Buffer.from('?'), whole];
    const headers = { ...protobuf, 'content-encoding': 'gzip' };
    const answers = await Promise.all(bodies.map((body) => otlp.post('/v1/traces', body, headers)));
    expect(answers.map(({ status }) => status)).toEqual([200, 400, 413, 200, 400, 200]);
    await otlp.requests.ingested();
    expect(otlp.sink.spans.length).toBe(3 * 512);
    expect(otlp.requests.stats().heldBytes).toBe(0);
  });

  test('19: acknowledged whatever the upstream does', async () => {
    await using upstream = await openUpstream();
    upstream.answer = () => undefined;
    await using otlp = await openOtlp({ forward: { url: upstream.url } });
    const bodies = Array.from({ length: 30 }, () => fixture('express5-pg-redis-512-0.pb'));
    for (const body of bodies) expect((await otlp.post('/v1/traces', body)).status).toBe(200);
    await otlp.requests.ingested();
    expect(otlp.sink.spans.length).toBe(30 * 512);
    await waitFor(() => upstream.received.length > 0, { message: 'the upstream to be asked' });
    expect(otlp.requests.stats().forward).toMatchObject({ sentRequests: 0, queuedRequests: 30 });
  });

  test('20: answers are short, and never compressed unasked', async () => {
    await using otlp = await openOtlp();
    const response = await otlp.post('/v1/traces', `{"${'x'.repeat(100_000)}`, json);
    expect(response.headers.get('content-encoding')).toBeNull();
    expect((await response.text()).length).toBeLessThan(4_096);
  });

  test('21: requests on several kept connections at once', async () => {
    await using otlp = await openOtlp();
    const agent = new http.Agent({ keepAlive: true, maxSockets: 5 });
    const send = (): Promise<number> =>
      new Promise((resolve, reject) => {
        const request = http.request(
          `${otlp.url}/v1/traces`,
          { method: 'POST', agent, headers: protobuf },
          (response) => {
            void buffer(response).then(() => resolve(response.statusCode ?? 0), reject);
          },
        );
        request.on('error', reject).end(fixture('small-express4.pb'));
      });
    expect(await Promise.all(Array.from({ length: 60 }, send))).toEqual(Array.from({ length: 60 }, () => 200));
    agent.destroy();
    await otlp.requests.ingested();
    expect(otlp.sink.spans.length).toBe(60 * 49);
  });

  test('22: metrics and logs go on untouched; without an upstream they are taken, dropped and counted', async () => {
    await using alone = await openOtlp();
    for (const path of ['/v1/metrics', '/v1/logs'])
      expect([
        (await alone.post(path, 'opaque')).status,
        await (await alone.post(path, '{"a":1}', json)).text(),
      ]).toEqual([200, '{}']);
    expect(alone.requests.stats().unforwarded).toEqual({ traces: 0, metrics: 2, logs: 2 });
    expect((await alone.post('/v1development/profiles', 'x')).status).toBe(404);

    await using upstream = await openUpstream();
    await using otlp = await openOtlp({ forward: { url: upstream.url } });
    const zipped = gzipSync('metrics');
    await otlp.post('/v1/metrics', zipped, { ...protobuf, 'content-encoding': 'gzip' });
    await otlp.post('/v1/logs', '{"logs":1}', json);
    await waitFor(() => upstream.received.length === 2, { message: 'both to arrive' });
    const byPath = Object.fromEntries(upstream.received.map((request) => [request.path, request]));
    expect(byPath['/v1/metrics']?.body).toEqual(zipped);
    expect(byPath['/v1/metrics']?.headers).toMatchObject({
      'content-type': 'application/x-protobuf',
      'content-encoding': 'gzip',
    });
    expect(byPath['/v1/logs']?.body.toString()).toBe('{"logs":1}');
  });

  test('24: loopback on IPv4 and IPv6, no CORS, no credential in the log', async () => {
    await using otlp = await openOtlp();
    const at6 = await fetch(`http://[::1]:${otlp.port}/v1/traces`, {
      method: 'POST',
      body: new Uint8Array(oneSpan),
      headers: protobuf,
    });
    expect(at6.status).toBe(200);
    const preflight = await fetch(`${otlp.url}/v1/traces`, {
      method: 'OPTIONS',
      headers: { origin: 'http://evil.example', 'access-control-request-method': 'POST' },
    });
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([405, null]);
    await otlp.post('/v1/traces', 'x', { ...protobuf, authorization: 'Bearer very-secret' });
    expect(otlp.logged.join('')).not.toContain('very-secret');
  });
});

describe('hostile senders', () => {
  test('strings that are cut and values that are left out are counted alike in protobuf and JSON, the bytes go on whole', async () => {
    await using upstream = await openUpstream();
    await using otlp = await openOtlp({ forward: { url: upstream.url } });
    const long = { key: 'long', value: { stringValue: 'ä'.repeat(100_000) } };
    const crowd = Array.from({ length: 5_000 }, (_, index) => ({ key: `k${index}`, value: { boolValue: true } }));
    const requestOf = (own: object) => ({
      resourceSpans: [{ scopeSpans: [{ spans: [{ ...own, attributes: [long, ...crowd] }] }] }],
    });
    const inJson = JSON.stringify(requestOf({ traceId: '01'.repeat(16), spanId: '02'.repeat(8) }));
    for (const [body, headers] of [
      [encodeRequest(requestOf(ids)), protobuf],
      [inJson, json],
    ] as const)
      expect((await otlp.post('/v1/traces', body, headers)).status).toBe(200);
    await otlp.requests.ingested();
    expect(otlp.requests.stats().cuts).toEqual({ strings: 2, values: 2 * (5_001 - 4_096) });
    await waitFor(() => upstream.received.length === 2, { message: 'both to go on' });
    expect(upstream.received.some(({ body }) => body.equals(Buffer.from(inJson)))).toBe(true);
  });

  const timeouts = { headersMs: 300, requestMs: 400, checkMs: 100 };

  test('headers or a body that trickle in are cut off with 408', async () => {
    await using otlp = await openOtlp({ timeouts });
    const head = `POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n`;
    expect(await raw(otlp.port, head)).toMatch(/^HTTP\/1\.1 408 /);
    expect(await raw(otlp.port, `${head}Content-Length: 1000\r\n\r\nabc`)).toMatch(/^HTTP\/1\.1 408 |^$/);
    expect(otlp.requests.stats().heldBytes).toBe(0);
  });

  test('a sender that leaves in the middle costs nothing', async () => {
    await using otlp = await openOtlp();
    const socket = slowRequest(otlp);
    await waitFor(() => otlp.requests.stats().heldBytes > 0, { message: 'a part of the body' });
    socket.destroy();
    await waitFor(() => otlp.requests.stats().heldBytes === 0, { message: 'its bytes to be given back' });
    expect((await otlp.post('/v1/traces', oneSpan)).status).toBe(200);
  });

  test('what is not HTTP is refused', async () => {
    await using otlp = await openOtlp();
    expect(await raw(otlp.port, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    expect(await raw(otlp.port, randomBytes(200))).toMatch(/^HTTP\/1\.1 400 /);
  });

  test('a sink that throws loses its slice, not the receiver', async () => {
    await using otlp = await openOtlp();
    otlp.sink.onAdd = () => {
      throw new Error('full');
    };
    await otlp.post('/v1/traces', oneSpan);
    await otlp.requests.ingested();
    expect(otlp.logged.join('')).toContain('spans could not be taken in');
    otlp.sink.onAdd = () => undefined;
    await otlp.post('/v1/traces', oneSpan);
    await otlp.requests.ingested();
    expect(otlp.sink.spans.length).toBe(1);
    expect(otlp.requests.stats().heldBytes).toBe(0);
  });
});

interface PartialAnswer {
  partialSuccess?: { rejectedSpans: string; errorMessage: string };
}

/** As large as the body, and not to be compressed much: a queue that compresses what waits is filled sooner. */
function randomIds(body: Buffer): Buffer {
  return Buffer.from(
    body.toString().replace(/"(spanId|traceId)":"[0-9a-f]+"/g, (_, name: string) => {
      const bytes = name === 'traceId' ? 16 : 8;
      return `"${name}":"${randomBytes(bytes).toString('hex')}"`;
    }),
  );
}

/** Sends 60,000 bytes of a body that goes on, and waits. */
function slowRequest(otlp: OtlpHarness): net.Socket {
  const socket = net.connect({ port: otlp.port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  socket.write(
    `POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 65000\r\n\r\n`,
  );
  socket.write(Buffer.alloc(60_000));
  return socket;
}
