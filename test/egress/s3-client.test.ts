import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { metadataOf } from '../../agent/egress/metadata.ts';
import type { ParcelFacts } from '../../agent/egress/parcel.ts';
import { S3Client } from '../../agent/egress/s3/client.ts';
import { credentialSource } from '../../agent/egress/s3/credentials.ts';
import { parseS3Url } from '../../agent/egress/s3/location.ts';
import { sha256 } from '../../agent/egress/s3/sign.ts';
import { elementsOf, fieldOf } from '../../agent/egress/s3/xml.ts';
import { waitFor } from '../support/wait-for.ts';

const signal = new AbortController().signal;

test('a clock that is wrong, and one that was put right, are followed', async () => {
  await using store = await openSkewedStore();
  const { client } = store;
  store.aheadMs = 3_600_000;
  await client.put('a', Buffer.from('a'), { signal });
  expect(store.statuses()).toEqual([403, 200]);
  await client.put('b', Buffer.from('b'), { signal });
  expect(store.statuses()).toEqual([200]);
  store.aheadMs = 0;
  await client.put('c', Buffer.from('c'), { signal });
  expect(store.statuses()).toEqual([403, 200]);
});

test('a stream that was refused for the clock is signed by the right one the next time', async () => {
  await using store = await openSkewedStore();
  store.aheadMs = -3_600_000;
  const put = () => {
    const body = { stream: Readable.from([Buffer.from('abc')]), sizeBytes: 3, sha256: sha256('abc') };
    return store.client.put('a', body, { signal });
  };
  await expect(put()).rejects.toMatchObject({ reason: 'credentials', next: 'destination-waits' });
  await put();
  expect(store.statuses()).toEqual([403, 200]);
});

test.each([
  ['s3://profiles/%zz', 'characters'],
  ['s3://profiles/..', 'dots alone'],
  ['s3://profiles/a/../../other', 'dots alone'],
  ['s3://profiles/a/./b', 'dots alone'],
  ['s3://profiles/a//b', 'an empty part'],
  ['s3://profiles/%2e%2e/other', 'dots alone'],
  ['s3://profiles?path-style=yes', 'neither true nor false'],
])('%s is no place for keys: %s', (text, problem) => {
  expect(parseS3Url(text)).toContain(problem);
});

test('metadata that S3 has no room for leaves labels out, and nothing else', () => {
  const labels = Object.fromEntries(Array.from({ length: 8 }, (_, at) => [`label_${at}`, 'x'.repeat(250)]));
  const headers = metadataOf(factsWith(labels), { isRedacted: false });
  const sizeBytes = Object.entries(headers).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  expect(sizeBytes).toBeLessThanOrEqual(2_000);
  expect(headers).toMatchObject({ 'x-amz-meta-id': 'p1', 'x-amz-meta-label-label-0': 'x'.repeat(200) });
  expect(headers).not.toHaveProperty('x-amz-meta-label-label-7');
});

test('an address of STS that is none is told by the name of its variable', async () => {
  const variables: Record<string, string> = {
    AWS_ROLE_ARN: 'arn:aws:iam::1:role/profiles',
    AWS_WEB_IDENTITY_TOKEN_FILE: '/nowhere',
    AWS_ENDPOINT_URL_STS: 'sts.example',
  };
  const source = credentialSource({ region: 'eu-central-1', variable: (name) => variables[name] });
  await expect(source.get(signal)).rejects.toMatchObject({
    reason: 'credentials',
    message: 'AWS_ENDPOINT_URL_STS is no http or https address',
  });
});

test('answers are read as far as they are XML', () => {
  expect(elementsOf('<A><K>1</K></A>\n<A><K>2</K></A><A>', 'A')).toEqual(['<K>1</K>', '<K>2</K>']);
  expect(elementsOf('</A>', 'A')).toEqual([]);
  expect(fieldOf('<K>a&amp;b&#x2F;&#47;&lt;&#a;&#x1F600;&nbsp;</K>', 'K')).toBe('a&b//<&#a;\u{1f600}&nbsp;');
});

function factsWith(labels: Record<string, string>): ParcelFacts {
  return {
    id: 'p1',
    kind: 'cpu',
    trigger: 'api',
    startedAtMs: 0,
    endedAtMs: 1_000,
    intervalUs: 1_000,
    targetName: 'shop',
    threadId: 'main',
    labels,
    environment: { namespace: 'n'.repeat(63), pod: 'p'.repeat(253), node: 'n'.repeat(253) },
    service: { service: 'shop', version: 'v'.repeat(200) },
    profile: undefined,
  };
}

interface SkewedStore extends AsyncDisposable {
  readonly client: S3Client;
  /** Of its clock before ours. */
  aheadMs: number;
  /** Since it was asked last. */
  statuses(): number[];
}

/** Takes what is signed within 15 minutes of its own clock, as S3 does. */
async function openSkewedStore(): Promise<SkewedStore> {
  const seen: number[] = [];
  const server = createServer((request, response) => {
    const nowMs = Date.now() + store.aheadMs;
    const [, ...parts] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(String(request.headers['x-amz-date'])) ?? [];
    const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.map(Number);
    const isFar = Math.abs(Date.UTC(year, month - 1, day, hour, minute, second) - nowMs) > 15 * 60_000;
    void buffer(request).then(() => {
      const status = isFar ? 403 : 200;
      seen.push(status);
      response.writeHead(status, { date: new Date(nowMs).toUTCString() });
      response.end(isFar ? '<Error><Code>RequestTimeTooSkewed</Code></Error>' : '');
    });
  });
  server.listen(0, '127.0.0.1');
  await waitFor(() => server.listening, { message: 'the store' });
  const { port } = server.address() as AddressInfo;
  const location = parseS3Url(`s3://profiles?endpoint=http://127.0.0.1:${port}`);
  if (typeof location === 'string') throw new Error(location);
  const credentials = { get: () => Promise.resolve({ accessKeyId: 'test', secretAccessKey: 'SECRETsecret' }) };
  const client = new S3Client({ location, credentials, userAgent: 'test' });
  const store: SkewedStore = {
    client,
    aheadMs: 0,
    statuses: () => seen.splice(0),
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return store;
}
