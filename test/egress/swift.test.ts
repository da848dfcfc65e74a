import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HttpSender } from '../../agent/egress/http-send.ts';
import { encodePath, emptySha256, signRequest } from '../../agent/egress/s3/sign.ts';
import { S3State } from '../../agent/egress/s3/state.ts';
import { Redactions } from '../../agent/capture/redactions.ts';
import { takeSnapshots } from '../heap-snapshot/take.ts';
import { put, read, scratchDirectory } from '../store/sample.ts';
import { openEgress } from './harness.ts';
import { accessKey, secretKey, startSwift, type Swift } from './swift.ts';

let swift: Swift;
beforeAll(async () => {
  swift = await startSwift();
});
afterAll(() => swift[Symbol.asyncDispose]());

const signal = new AbortController().signal;

async function keysBelow(prefix: string): Promise<string[]> {
  const { objects } = await swift.client.list(prefix, { max: 100, signal });
  return objects.map(({ key }) => key);
}

/** The headers of an object: signed here, as the client has no use for them. */
async function headersOf(key: string) {
  const url = new URL(`${swift.endpoint}/profiles/${encodePath(key)}`);
  using sender = new HttpSender(url);
  const credentials = { accessKeyId: accessKey, secretAccessKey: secretKey };
  const scope = { credentials, region: 'us-east-1', date: new Date() };
  const headers = signRequest({ method: 'HEAD', url, headers: {}, bodySha256: emptySha256 }, scope);
  return (await sender.send({ url, method: 'HEAD', headers }, signal)).headers;
}

test('a profile lies where the template says, as it was stored, with what is known of it beside', async () => {
  const config = `egress:
  - name: archive
    kind: s3
    url: "s3://profiles/by-template?endpoint=${swift.endpoint}"
    key: '{namespace}/{workload}/{pod}/{year}/{kind} {trigger}/{id}'
    filters: { labels: { team: 'köln' } }
`;
  await using harness = await openEgress(config);
  const profile = await harness.capture(300_000, { environment: { namespace: 'prod', pod: 'shop-7d4b9c6f5d-x2x9z' } });
  await harness.capture();
  harness.store.patch(profile.id, { labels: { team: 'köln' } });
  await harness.until('the profile to be sent', ({ sent }) => sent === 1);
  const keys = await keysBelow('by-template/');
  expect(keys).toEqual([`by-template/prod/shop/shop-7d4b9c6f5d-x2x9z/2026/cpu api/${profile.id}.cpuprofile`]);
  const bytes = await swift.client.get(keys[0]!, { bytesMax: 1e6, signal });
  expect(bytes).toEqual(await read(harness.store, profile.id));
  expect(await headersOf(keys[0]!)).toMatchObject({
    'content-type': 'application/json',
    'x-amz-meta-id': profile.id,
    'x-amz-meta-pod': 'shop-7d4b9c6f5d-x2x9z',
    'x-amz-meta-service': 'shop',
    'x-amz-meta-version': '1.4.2',
    'x-amz-meta-label-team': 'k%C3%B6ln',
  });
  expect(harness.egress.view().deliveries).toMatchObject([
    { profileId: profile.id, destination: 'archive', state: 'sent' },
  ]);
});

test('a wrong secret is told by its code, and nothing is lost until the right one is there', async () => {
  await using scratch = scratchDirectory();
  const [access, secret] = [join(scratch.path, 'access'), join(scratch.path, 'secret')];
  await Promise.all([writeFile(access, accessKey), writeFile(secret, 'wrong')]);
  const config = `egress:
  - name: archive
    kind: s3
    url: "s3://profiles/wrong-secret?endpoint=${swift.endpoint}"
    access-key-file: ${access}
    secret-key-file: ${secret}
`;
  await using harness = await openEgress(config);
  await harness.capture();
  const { lastError } = await harness.until('a refusal', ({ failed }) => (failed['credentials'] ?? 0) > 0);
  expect(lastError?.message).toContain('answered 403 SignatureDoesNotMatch');
  await writeFile(secret, secretKey);
  await harness.until('the profile to be sent', ({ sent }) => sent === 1);
  expect(await keysBelow('wrong-secret/')).toHaveLength(1);
});

test('a bucket that is not there is told, and asked for again', async () => {
  await using harness = await openEgress(`s3://no-such-bucket?endpoint=${swift.endpoint}`);
  await harness.capture();
  const { lastError } = await harness.until('two attempts', ({ failed }) => (failed['refused'] ?? 0) >= 2);
  expect(lastError?.message).toContain('404 NoSuchBucket');
});

test('heap snapshots go without their contents, unless that is switched off', async () => {
  const canary = 'CANARYcanary';
  const [bytes = Buffer.alloc(0)] = await takeSnapshots('secrets', { args: [canary] });
  await using redactions = new Redactions();
  for (const redact of [true, false]) {
    const prefix = `snapshots-${redact}`;
    const config = `egress:
  - { name: archive, kind: s3, url: "s3://profiles/${prefix}?endpoint=${swift.endpoint}"${redact ? '' : ', redact: false'} }
`;
    await using harness = await openEgress(config, { redactions });
    await put(harness.store, bytes, { kind: 'heap-snapshot' });
    await harness.until('the snapshot to be sent', ({ sent }) => sent === 1);
    const [key = ''] = await keysBelow(`${prefix}/`);
    expect(key).toMatch(/-heap-snapshot-\w+\.heapsnapshot\.gz$/);
    const sent = gunzipSync((await swift.client.get(key, { bytesMax: 1e8, signal })) ?? Buffer.alloc(0));
    expect([sent.length > 1e6, sent.includes(canary)]).toEqual([true, !redact]);
    expect((await headersOf(key))['x-amz-meta-redacted']).toBe(String(redact));
  }
});

test('state of several agents in a bucket: written whole, listed by folder, bounded, deleted', async () => {
  const state = new S3State(swift.client, { ...swift.location, prefix: 'state' });
  const bytes = Buffer.from('{"a":1}');
  await swift.client.put('state/shop-1/a file of others', bytes, { signal });
  await state.write('shop-1/1.4-2/baseline.a.json', bytes, { signal });
  await state.write('shop-1/1.5-3/baseline.b.json', bytes, { signal });
  await state.write('cart-1/1.0-4/baseline.c.json', bytes, { signal });
  expect((await state.folders('', { max: 10, signal })).sort()).toEqual(['cart-1', 'shop-1']);
  expect((await state.folders('shop-1/', { max: 10, signal })).sort()).toEqual(['1.4-2', '1.5-3']);
  expect(await state.folders('', { max: 1, signal })).toHaveLength(1);
  expect(await state.files('shop-1/', { max: 10, signal })).toEqual([
    { name: 'shop-1/1.4-2/baseline.a.json', sizeBytes: 7 },
    { name: 'shop-1/1.5-3/baseline.b.json', sizeBytes: 7 },
  ]);
  const again = await state.read('cart-1/1.0-4/baseline.c.json', { bytesMax: 7, signal });
  expect(Buffer.from(again ?? [])).toEqual(bytes);
  await expect(state.read('cart-1/1.0-4/baseline.c.json', { bytesMax: 6, signal })).rejects.toThrow('the limit is 6 B');
  expect(await state.read('cart-1/1.0-4/none.json', { bytesMax: 7, signal })).toBeUndefined();
  await state.delete('cart-1/1.0-4/baseline.c.json', { signal });
  await state.delete('cart-1/1.0-4/baseline.c.json', { signal });
  expect(await state.files('cart-1/', { max: 10, signal })).toEqual([]);
  expect(state.location).toMatch(/^s3:\/\/profiles\/state at 127\.0\.0\.1:\d+$/);
});
