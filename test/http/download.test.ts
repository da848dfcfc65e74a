import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { openAdminServer } from '../../agent/http/admin-server.ts';
import { SidescopeError } from '../../protocol/error.ts';
import { problemSchema } from '../../protocol/rest/problem.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import { ticketSchema } from '../../protocol/rest/ticket.ts';
import { openStore, pseudoSnapshot, put, scratchDirectory } from '../store/sample.ts';
import { waitFor } from '../support/wait-for.ts';
import { fakeServices, storedProfiles } from './fakes.ts';

const cpuBytes = pseudoSnapshot(300_000, 7);
const heapBytes = pseudoSnapshot(3_000_000, 8);

const convert: typeof storedProfiles.convert = async (id, { format, source, requests }) => {
  if (format === 'pprof') return Buffer.from([0x1f, 0x8b, 1, 2, requests === 'likely' ? 4 : 3]);
  if (format === 'collapsed') return Buffer.from(`${id};${source === 'original' ? 'main' : 'n'} 5\n`);
  if (format === 'cpuprofile') return Buffer.from('{"mapped":true}');
  throw new SidescopeError('unsupported-format', `no ${format}`);
};

/** A real store behind a real server, with one CPU profile and one heap snapshot in it. */
async function serve() {
  await using opening = new AsyncDisposableStack();
  const scratch = opening.use(scratchDirectory());
  const store = opening.use(await openStore(scratch.path));
  const cpu = await put(store, cpuBytes);
  const heap = await put(store, heapBytes, { kind: 'heap-snapshot' });
  const services = await fakeServices({
    store,
    storedProfiles: { ...storedProfiles, convert },
  });
  const server = opening.use(await openAdminServer(services, { host: '127.0.0.1', port: 0 }));
  const resources = opening.move();
  const headers = { authorization: `Bearer ${services.adminToken}` };
  return {
    cpu,
    heap,
    store,
    services,
    server,
    headers,
    root: scratch.path,
    get: (profile: Profile, extra: Record<string, string> = {}, query = '') =>
      get(`${server.url}${apiPath}/profiles/${profile.id}/download${query}`, { headers: { ...headers, ...extra } }),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly bytes: Buffer;
  readonly isCut: boolean;
}

/** Plain HTTP: fetch would unpack gzip and hide what was on the wire. */
async function get(url: string, options: { headers?: Record<string, string>; method?: string } = {}): Promise<Answer> {
  const response = await open(url, options);
  const chunks: Buffer[] = [];
  let isCut = false;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  } catch {
    // A connection cut under the body is what some tests are about.
    isCut = true;
  }
  return { status: response.statusCode ?? 0, headers: response.headers, bytes: Buffer.concat(chunks), isCut };
}

function open(url: string, options: { headers?: Record<string, string>; method?: string }): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  httpRequest(url, { agent: false, ...options }, resolve)
    .on('error', reject)
    .end();
  return promise;
}

const problemOf = ({ bytes }: Answer) => problemSchema.parse(JSON.parse(bytes.toString()));
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();

describe('the whole artifact', () => {
  test('comes as an attachment with its size, strong ETag and digest', async () => {
    await using served = await serve();
    const { status, headers, bytes } = await served.get(served.cpu);
    expect(status).toBe(200);
    expect(bytes.equals(cpuBytes)).toBe(true);
    expect(headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-disposition': `attachment; filename="${served.cpu.fileName}"`,
      'content-length': '300000',
      'accept-ranges': 'bytes',
      etag: `"${sha256(cpuBytes).toString('hex')}"`,
      'repr-digest': `sha-256=:${sha256(cpuBytes).toString('base64')}:`,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
  });

  test('of a snapshot is unpacked, unless the client takes gzip: then the stored bytes go out under a tag of their own', async () => {
    await using served = await serve();
    const plain = await served.get(served.heap);
    expect(plain.headers['content-encoding']).toBeUndefined();
    expect(plain.bytes.equals(heapBytes)).toBe(true);

    const packed = await served.get(served.heap, { 'accept-encoding': 'gzip, br' });
    expect(packed.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'Accept-Encoding' });
    expect(packed.headers['content-length']).toBe(String(served.heap.storedBytes));
    expect(packed.headers.etag).toBe(`"${served.heap.sha256}-gzip"`);
    expect(packed.headers['repr-digest']).toBeUndefined();
    expect(packed.bytes.length).toBeLessThan(heapBytes.length / 2);
    expect(gunzipSync(packed.bytes).equals(heapBytes)).toBe(true);
  });

  test('is not sent again to a client that has it', async () => {
    await using served = await serve();
    const etag = `"${served.cpu.sha256}"`;
    const same = await served.get(served.cpu, { 'if-none-match': `"x", W/${etag}` });
    expect([same.status, same.headers.etag, same.bytes.length]).toEqual([304, etag, 0]);
    expect((await served.get(served.cpu, { 'if-none-match': '"x"' })).status).toBe(200);
    const other = await served.get(served.heap, {
      'if-none-match': `"${served.heap.sha256}"`,
      'accept-encoding': 'gzip',
    });
    expect(other.status).toBe(200);
  });

  test('HEAD tells the same and opens nothing', async () => {
    await using served = await serve();
    const url = `${served.server.url}${apiPath}/profiles/${served.heap.id}/download`;
    const { status, headers, bytes } = await get(url, {
      method: 'HEAD',
      headers: { ...served.headers, range: 'bytes=0-1' },
    });
    expect([status, headers['content-length'], bytes.length]).toEqual([200, '3000000', 0]);
    await served.store.delete(served.heap.id);
  });
});

describe('a part', () => {
  test.each([
    ['bytes=0-0', 0, 1],
    ['bytes=100000-199999', 100_000, 200_000],
    ['bytes=2999999-', 2_999_999, 3_000_000],
    ['bytes=-10', 2_999_990, 3_000_000],
    ['bytes=65535-65537', 65_535, 65_538],
  ])('%s is of the plain bytes, also when gzip is accepted', async (range, start, end) => {
    await using served = await serve();
    const { status, headers, bytes } = await served.get(served.heap, { range, 'accept-encoding': 'gzip' });
    expect(status).toBe(206);
    expect(headers).toMatchObject({
      'content-range': `bytes ${start}-${end - 1}/3000000`,
      'content-length': String(end - start),
      etag: `"${served.heap.sha256}"`,
    });
    expect(headers['content-encoding']).toBeUndefined();
    expect(bytes.equals(heapBytes.subarray(start, end))).toBe(true);
  });

  test('behind the end is 416 with the size', async () => {
    await using served = await serve();
    const answer = await served.get(served.cpu, { range: 'bytes=300000-' });
    expect([answer.status, answer.headers['content-range']]).toEqual([416, 'bytes */300000']);
    expect(problemOf(answer).code).toBe('range-not-satisfiable');
  });

  test.each([['bytes=0-1,5-6'], ['lines=1-2'], ['bytes=5-2']])('asked for as %s is the whole', async (range) => {
    await using served = await serve();
    const { status, bytes } = await served.get(served.cpu, { range });
    expect([status, bytes.length]).toEqual([200, 300_000]);
  });

  test('of something else (If-Range) is the whole', async () => {
    await using served = await serve();
    const range = 'bytes=10-19';
    const status = async (ifRange: string) => (await served.get(served.cpu, { range, 'if-range': ifRange })).status;
    expect(await status(`"${served.cpu.sha256}"`)).toBe(206);
    expect(await status('"other"')).toBe(200);
    expect(await status(`"${served.cpu.sha256}-gzip"`)).toBe(200);
  });

  test('a download that was aborted and resumed is identical, byte for byte', async () => {
    await using served = await serve();
    const url = `${served.server.url}${apiPath}/profiles/${served.heap.id}/download`;
    const parts: Buffer[] = [];
    let sizeBytes = 0;
    for (let rounds = 0; sizeBytes < heapBytes.length; rounds++) {
      expect(rounds).toBeLessThan(100);
      const range = { range: `bytes=${sizeBytes}-`, 'if-range': `"${served.heap.sha256}"` };
      const response = await open(url, { headers: { ...served.headers, ...range } });
      expect(response.statusCode).toBe(206);
      let roundBytes = 0;
      for await (const chunk of response as AsyncIterable<Buffer>) {
        parts.push(chunk);
        roundBytes += chunk.length;
        if (roundBytes > 500_000) break;
      }
      sizeBytes += roundBytes;
    }
    expect(Buffer.concat(parts).equals(heapBytes)).toBe(true);
    const done = () => served.services.audited.every(({ result }) => result === 'ok' || result === 'aborted');
    await waitFor(done, { message: 'all downloads to be audited' });
    expect(served.services.audited.map(({ result }) => result)).toContain('aborted');
  });
});

describe('another format', () => {
  test('is converted, named after its bytes, and takes Range', async () => {
    await using served = await serve();
    const text = await served.get(served.cpu, {}, '?format=collapsed');
    expect(text.bytes.toString()).toBe(`${served.cpu.id};main 5\n`);
    expect(text.headers['content-disposition']).toMatch(/\.collapsed\.txt"$/);
    const pprof = await served.get(served.cpu, { range: 'bytes=1-2' }, '?format=pprof');
    expect([pprof.status, [...pprof.bytes]]).toEqual([206, [0x8b, 1]]);
    expect(pprof.headers['content-disposition']).toMatch(/\.pb\.gz"$/);
    expect(pprof.headers.etag).not.toBe(text.headers.etag);
  });

  test('has original places unless raw ones are asked for, and the artifact the other way round', async () => {
    await using served = await serve();
    const bodyOf = async (query: string): Promise<string> => (await served.get(served.cpu, {}, query)).bytes.toString();
    expect(await bodyOf('?format=collapsed&source=raw')).toBe(`${served.cpu.id};n 5\n`);
    expect(await bodyOf('?source=raw')).toBe(cpuBytes.toString());
    expect((await bodyOf('?format=pprof&requests=likely')).at(-1)).toBe('\u0004');
    const mapped = await served.get(served.cpu, {}, '?source=original');
    expect(mapped.bytes.toString()).toBe('{"mapped":true}');
    expect(mapped.headers['content-disposition']).toMatch(/\.cpuprofile"$/);
    expect(mapped.headers.etag).not.toBe(`"${served.cpu.sha256}"`);
    expect(problemOf(await served.get(served.heap, {}, '?source=original'))).toMatchObject({
      code: 'unsupported-format',
      detail: 'heap-snapshot comes with the places that V8 wrote, not with original ones',
    });
    expect(problemOf(await served.get(served.cpu, {}, '?source=both')).code).toBe('invalid-request');
  });

  test('that the kind does not have is refused with those it has', async () => {
    await using served = await serve();
    expect(problemOf(await served.get(served.heap, {}, '?format=pprof'))).toMatchObject({
      code: 'unsupported-format',
      detail: 'heap-snapshot comes as heapsnapshot; not as pprof',
    });
    expect(problemOf(await served.get(served.cpu, {}, '?format=heapsnapshot')).code).toBe('unsupported-format');
    expect(problemOf(await served.get(served.cpu, {}, '?format=speedscope')).code).toBe('invalid-request');
  });
});

describe('while it is read', () => {
  test('an artifact cannot be deleted; when the client has left it can', async () => {
    await using served = await serve();
    const url = `${served.server.url}${apiPath}/profiles/${served.heap.id}`;
    // Longer than what the sockets hold: it stays open until it is read.
    const big = await put(served.store, pseudoSnapshot(20_000_000), { kind: 'heap-snapshot' });
    const response = await open(url.replace(served.heap.id, big.id) + '/download', { headers: served.headers });
    response.pause();
    const remove = () => fetch(url.replace(served.heap.id, big.id), { method: 'DELETE', headers: served.headers });
    const refused = await remove();
    expect(refused.status).toBe(409);
    expect(problemSchema.parse(await refused.json()).code).toBe('profile-in-use');
    response.destroy();
    await waitFor(async () => (await remove()).status === 204, { message: 'the aborted download to be released' });
    const line = served.services.audited.find(
      ({ action, profileId }) => action === 'profile.download' && profileId === big.id,
    );
    expect(line).toMatchObject({ result: 'aborted', subject: 'admin' });
    expect(line?.bytes).toBeLessThan(20_000_000);
  });

  test('a file that turns out damaged cuts the connection, and is told in log and metrics', async () => {
    await using served = await serve();
    const file = path.join(served.root, 'profiles', `${served.heap.id}.heapsnapshot.gz`);
    const stored = fs.readFileSync(file);
    stored.fill(0xff, Math.floor(stored.length * 0.8));
    fs.writeFileSync(file, stored);
    const { status, bytes, isCut } = await served.get(served.heap);
    expect([status, isCut]).toEqual([200, true]);
    expect(bytes.length).toBeLessThan(heapBytes.length);
    await waitFor(() => served.services.audited.length > 0, { message: 'the audit line' });
    expect(served.services.audited[0]).toMatchObject({ result: 'damaged-profile' });
    expect(served.services.logged.some((line) => line.includes('download cut'))).toBe(true);
    expect(await served.services.metrics.registry.metrics()).toContain('sidescope_downloads_failed_total 1');
    await served.store.delete(served.heap.id);
  });

  test('a file that is shorter than it was is still a problem document, because that is seen at once', async () => {
    await using served = await serve();
    fs.truncateSync(path.join(served.root, 'profiles', `${served.cpu.id}.cpuprofile`), 200_000);
    expect(problemOf(await served.get(served.cpu)).code).toBe('damaged-profile');
    await served.store.delete(served.cpu.id);
  });
});

describe('a ticket', () => {
  async function ticketFor(served: Awaited<ReturnType<typeof serve>>, profile: Profile, query = '') {
    const url = `${served.server.url}${apiPath}/profiles/${profile.id}/ticket${query}`;
    const response = await fetch(url, { method: 'POST', headers: served.headers });
    expect(response.status).toBe(201);
    const ticket = ticketSchema.parse(await response.json());
    return { ...ticket, href: served.server.url + ticket.url };
  }

  test('opens its artifact without a header, again and again, in parts', async () => {
    await using served = await serve();
    const { href, expiresAt } = await ticketFor(served, served.cpu);
    expect(Date.parse(expiresAt) - Date.now()).toBeGreaterThan(9 * 60_000);
    expect((await get(href)).bytes.equals(cpuBytes)).toBe(true);
    const part = await get(href, { headers: { range: 'bytes=5-9' } });
    expect([part.status, part.bytes.equals(cpuBytes.subarray(5, 10))]).toEqual([206, true]);
    expect((await get(href, { method: 'HEAD' })).status).toBe(200);
  });

  test('opens nothing else: no other artifact, format, method or route', async () => {
    await using served = await serve();
    const { href } = await ticketFor(served, served.cpu, '?format=collapsed');
    const ticket = new URL(href).searchParams.get('ticket') ?? '';
    expect((await get(href)).status).toBe(200);
    const api = served.server.url + apiPath;
    const refused = async (url: string, method = 'GET') => problemOf(await get(url, { method })).code;
    expect(await refused(`${api}/profiles/${served.heap.id}/download?ticket=${ticket}`)).toBe('bad-ticket');
    expect(await refused(`${api}/profiles/${served.cpu.id}/download?ticket=${ticket}`)).toBe('bad-ticket');
    expect(await refused(`${api}/profiles/${served.cpu.id}/download?format=pprof&ticket=${ticket}`)).toBe('bad-ticket');
    expect(await refused(href, 'POST')).toBe('method-not-allowed');
    expect(await refused(`${api}/profiles/${served.cpu.id}?ticket=${ticket}`)).toBe('unauthorized');
    expect(await refused(`${api}/profiles/${served.cpu.id}?ticket=${ticket}`, 'DELETE')).toBe('unauthorized');
    expect(await refused(`${api}/profiles/${served.cpu.id}/download?ticket=x`)).toBe('bad-ticket');
    expect(await refused(`${href}&ticket=${ticket}`)).toBe('invalid-request');
  });

  test('for a heap artifact needs the heap scope beside view', async () => {
    await using served = await serve();
    const api = served.server.url + apiPath;
    const ask = async (token: string, profile: Profile) => {
      const headers = { authorization: `Bearer ${token}` };
      const download = await get(`${api}/profiles/${profile.id}/download`, { headers });
      const ticket = await get(`${api}/profiles/${profile.id}/ticket`, { method: 'POST', headers });
      return [download.status, ticket.status];
    };
    const { services, cpu, heap } = served;
    expect(await ask(services.tokenWith('view'), cpu)).toEqual([200, 201]);
    expect(await ask(services.tokenWith('view'), heap)).toEqual([403, 403]);
    expect(await ask(services.tokenWith('heap'), heap)).toEqual([403, 403]);
    expect(await ask(services.tokenWith('view', 'heap'), heap)).toEqual([200, 201]);
  });

  test('is in no log and no audit line', async () => {
    await using served = await serve();
    const { href } = await ticketFor(served, served.cpu);
    await get(href);
    const ticket = new URL(href).searchParams.get('ticket') ?? '-';
    await waitFor(() => served.services.audited.length === 2, { message: 'both audit lines' });
    expect(JSON.stringify(served.services.audited) + served.services.logged.join('')).not.toContain(ticket);
  });
});
