import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AttemptBucket } from '../../agent/http/attempt-bucket.ts';
import { createAdminApp } from '../../agent/http/app.ts';
import { Tickets } from '../../agent/http/tickets.ts';
import { Tokens } from '../../agent/http/tokens.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import { waitFor } from '../support/wait-for.ts';
import { fakeServices } from './fakes.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sidescope-tokens-'));
});
afterEach(() => rm(directory, { recursive: true }));

const quiet = { warn() {}, info() {} };
const sha256 = (token: string) => createHash('sha256').update(token).digest('hex');
const fileOf = (...tokens: object[]) => JSON.stringify({ tokens });
const alice = { name: 'alice', sha256: sha256('secret-a'), scopes: ['view'] };
const bob = {
  name: 'bob',
  sha256: sha256('secret-b').toUpperCase(),
  scopes: ['admin'],
  expires: '2026-02-01T00:00:00Z',
};

/** A clock that a test moves by hand. */
function clock(startIso = '2026-01-01T00:00:00Z') {
  let nowMs = Date.parse(startIso);
  return { now: () => nowMs, advance: (ms: number) => (nowMs += ms) };
}

describe('without a file', () => {
  test('one token of 256 bits is made, handed out once, and may do everything', async () => {
    const tokens = await Tokens.open({ log: quiet });
    const token = tokens.takeGenerated() ?? '';
    expect(token).toMatch(/^sst_[\w-]{43}$/);
    expect(tokens.takeGenerated()).toBeUndefined();
    expect(await tokens.authenticate(token)).toMatchObject({ name: 'default', scopes: ['admin'] });
    expect(await tokens.authenticate(`${token}x`)).toBeUndefined();
    expect(JSON.stringify(tokens)).not.toContain(token);
  });

  test('minted tokens end by themselves and are bounded', async () => {
    const { now, advance } = clock();
    const tokens = await Tokens.open({ log: quiet, now });
    const mint = () => tokens.mint({ name: 'cli', scopes: ['view'], ttlMs: 60_000 });
    const { token, expiresAt } = mint();
    expect(expiresAt).toBe('2026-01-01T00:01:00.000Z');
    expect(await tokens.authenticate(token)).toMatchObject({ name: 'cli', scopes: ['view'] });
    for (let count = 1; count < 100; count++) mint();
    expect(mint).toThrow('100 minted tokens are alive; the limit is 100');
    advance(60_000);
    expect(await tokens.authenticate(token)).toBeUndefined();
    expect(mint).not.toThrow();
  });
});

describe('a token file', () => {
  test('gives names, scopes and an end; only hashes are in it', async () => {
    const { now, advance } = clock();
    const file = join(directory, 'tokens.json');
    await writeFile(file, fileOf(alice, bob));
    const tokens = await Tokens.open({ file, log: quiet, now });
    expect(tokens.takeGenerated()).toBeUndefined();
    expect(await tokens.authenticate('secret-a')).toMatchObject({
      name: 'alice',
      scopes: ['view'],
      expiresAtMs: Infinity,
    });
    expect(await tokens.authenticate('secret-b')).toMatchObject({ name: 'bob', scopes: ['admin'] });
    expect(await tokens.authenticate(alice.sha256)).toBeUndefined();
    advance(31 * 86_400_000);
    expect(await tokens.authenticate('secret-b')).toBeUndefined();
  });

  test('is read again when it changes, at most once a second, also when Kubernetes swaps the link above it', async () => {
    const { now, advance } = clock();
    // As in a mounted Secret: tokens.json -> ..data/tokens.json, ..data -> ..1
    const version = async (name: string, content: string) => {
      await mkdir(join(directory, name));
      await writeFile(join(directory, name, 'tokens.json'), content);
      await symlink(name, join(directory, `link-${name}`));
      await rename(join(directory, `link-${name}`), join(directory, '..data'));
    };
    await version('..1', fileOf(alice));
    const file = join(directory, 'tokens.json');
    await symlink('..data/tokens.json', file);
    const tokens = await Tokens.open({ file, log: quiet, now });
    const subject = await tokens.authenticate('secret-a');
    expect(subject).toMatchObject({ name: 'alice' });

    await version('..2', fileOf(bob));
    expect(await tokens.authenticate('secret-b')).toBeUndefined();
    advance(1000);
    expect(await tokens.authenticate('secret-b')).toMatchObject({ name: 'bob' });
    expect(await tokens.authenticate('secret-a')).toBeUndefined();
    expect(subject && (await tokens.isCurrent(subject))).toBe(false);
  });

  test.each([
    ['not json', 'is not JSON'],
    [
      '{"tokens":[{"name":"x","sha256":"secret-a","scopes":["view"]}]}',
      'tokens.0.sha256 must be 64 hexadecimal digits',
    ],
    ['{"tokens":[{"name":"x"}]}', 'tokens.0.sha256'],
    [fileOf({ ...alice, token: 'secret-a' }), 'token'],
    [fileOf({ ...alice, scopes: ['root'] }), 'tokens.0.scopes.0'],
    [fileOf({ ...alice, scopes: [] }), 'tokens.0.scopes'],
    [fileOf({ ...alice, expires: 'tomorrow' }), 'tokens.0.expires'],
    [`{"tokens":[],"x":"${'y'.repeat(1024 * 1024)}"}`, 'the limit is 1048576'],
  ])('that turns into %.40s keeps the old tokens and is reported', async (content, reason) => {
    const { now, advance } = clock();
    const file = join(directory, 'tokens.json');
    await writeFile(file, fileOf(alice));
    const tokens = await Tokens.open({ file, log: quiet, now });
    expect(tokens.feature()).toMatchObject({ state: 'on' });

    await writeFile(file, content);
    advance(1000);
    expect(await tokens.authenticate('secret-a')).toMatchObject({ name: 'alice' });
    expect(tokens.feature()).toMatchObject({ name: 'authentication', state: 'failed' });
    expect(tokens.feature().reason).toContain(reason);
    expect(tokens.feature().reason).not.toContain('secret-a');

    await writeFile(file, fileOf(alice, bob));
    advance(1000);
    expect(await tokens.authenticate('secret-b')).toMatchObject({ name: 'bob' });
    expect(tokens.feature()).toMatchObject({ state: 'on', reason: null });
  });

  test('that is not there lets nobody in, until it comes', async () => {
    const { now, advance } = clock();
    const file = join(directory, 'tokens.json');
    const tokens = await Tokens.open({ file, log: quiet, now });
    expect(tokens.takeGenerated()).toBeUndefined();
    expect(tokens.feature()).toMatchObject({ state: 'failed' });
    await writeFile(file, fileOf(alice));
    expect(await tokens.authenticate('secret-a')).toBeUndefined();
    advance(1000);
    expect(await tokens.authenticate('secret-a')).toMatchObject({ name: 'alice' });
  });
});

describe('guessing', () => {
  test('is answered 429 after the burst, while the right token is still let in', async () => {
    const services = await fakeServices();
    const { app } = createAdminApp(services);
    const ask = (token: string) =>
      app.request(`http://localhost${apiPath}/targets`, { headers: { authorization: `Bearer ${token}` } });
    const statuses = new Map<number, number>();
    for (let count = 0; count < 300; count++) {
      const { status } = await ask(`guess-${count}`);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
    expect(statuses.get(401)).toBeGreaterThanOrEqual(100);
    expect(statuses.get(429)).toBeGreaterThan(0);
    expect((statuses.get(401) ?? 0) + (statuses.get(429) ?? 0)).toBe(300);
    // On a busy machine some tries were gained meanwhile.
    const refused = await waitFor(
      async () => {
        const response = await ask('guess');
        return response.status === 429 && response;
      },
      { message: 'a guess to be refused' },
    );
    expect(refused.headers.get('retry-after')).toBe('1');
    expect((await ask(services.adminToken)).status).toBe(200);
  });

  test('floods neither the audit log nor, without any credential, the answers', async () => {
    const services = await fakeServices();
    const { app } = createAdminApp(services);
    const statuses = new Set<number>();
    for (let count = 0; count < 300; count++)
      statuses.add((await app.request(`http://localhost${apiPath}/cpu/start`, { method: 'POST' })).status);
    expect(statuses).toEqual(new Set([401, 429]));
    expect(services.audited.length).toBeLessThan(300);
    expect(new Set(services.audited.map(({ result }) => result))).toEqual(new Set(['unauthorized']));
    const counted = await services.metrics.authFailuresTotal.get();
    expect(counted.values.reduce((sum, { value }) => sum + value, 0)).toBe(300);
  });

  test('may go on at the rate of the bucket', () => {
    const { now, advance } = clock();
    const bucket = new AttemptBucket({ burst: 3, perSecond: 2, now });
    expect([bucket.take(), bucket.take(), bucket.take(), bucket.take()]).toEqual([true, true, true, false]);
    advance(500);
    expect([bucket.take(), bucket.take()]).toEqual([true, false]);
    advance(3_600_000);
    expect([1, 2, 3, 4].map(() => bucket.take())).toEqual([true, true, true, false]);
  });

  test.each(['', 'Basic YTpi', 'Bearer', 'Bearer  ', `Bearer ${'x'.repeat(513)}`, 'Bearer a b', 'Bearer tökén'])(
    'the header %.30j is no credential',
    async (authorization) => {
      const services = await fakeServices();
      const { app } = createAdminApp(services);
      const headers = { authorization: Buffer.from(authorization).toString('latin1') };
      const response = await app.request(`http://localhost${apiPath}/targets`, { headers });
      expect(response.status).toBe(401);
    },
  );

  test('the scheme is taken in any case', async () => {
    const services = await fakeServices();
    const { app } = createAdminApp(services);
    const headers = { authorization: `bearer ${services.adminToken}` };
    expect((await app.request(`http://localhost${apiPath}/targets`, { headers })).status).toBe(200);
  });
});

describe('tickets', () => {
  const subject = {
    name: 'a',
    scopes: ['view' as const],
    expiresAtMs: Infinity,
    credential: 'file-token' as const,
    key: '',
  };
  const request = { profileId: 'p1', sha256: 'x', redact: false, format: 'pprof' as const, subject };

  test('last ten minutes, or as long as the credential', () => {
    const { now, advance } = clock();
    const tickets = new Tickets({ now });
    const { ticket } = tickets.issue(request);
    const short = tickets.issue({ ...request, subject: { ...subject, expiresAtMs: now() + 1000 } });
    expect(tickets.find(ticket)).toMatchObject({ profileId: 'p1', format: 'pprof' });
    advance(1000);
    expect(tickets.find(short.ticket)).toBeUndefined();
    advance(598_999);
    expect(tickets.find(ticket)).toBeDefined();
    advance(1);
    expect(tickets.find(ticket)).toBeUndefined();
  });

  test('end with the credential that they were made with', async () => {
    const { now, advance } = clock();
    const file = join(directory, 'tokens.json');
    await writeFile(file, fileOf(alice, bob));
    const services = await fakeServices({ tokens: await Tokens.open({ file, log: quiet, now }) });
    services.store.add('p1', { kind: 'cpu', plain: Buffer.from('{}') });
    const { app } = createAdminApp(services);
    const headers = { authorization: 'Bearer secret-a' };
    const made = await app.request(`http://localhost${apiPath}/profiles/p1/ticket`, { method: 'POST', headers });
    const { url } = (await made.json()) as { url: string };
    const status = async () => (await app.request(`http://localhost${url}`)).status;
    expect(await status()).toBe(200);
    await writeFile(file, fileOf(bob));
    advance(1000);
    expect(await status()).toBe(401);
  });

  test('are bounded: the oldest goes', () => {
    const tickets = new Tickets();
    const [first, second] = Array.from({ length: 1001 }, () => tickets.issue(request).ticket);
    expect(tickets.find(first ?? '')).toBeUndefined();
    expect(tickets.find(second ?? '')).toBeDefined();
  });
});
