import type { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { JwtAccess } from '../../agent/http/jwt.ts';
import type { JwtOptions } from '../../agent/http/jwt.ts';
import { audience, Issuer, issuer, makeKey, sign } from '../support/issuer.ts';
import type { SigningKey } from '../support/issuer.ts';
import { waitFor } from '../support/wait-for.ts';

const fixtures = join(import.meta.dirname, '../fixtures/tls');
let key: SigningKey;
let newer: SigningKey;
beforeAll(async () => {
  [key, newer] = await Promise.all([makeKey('k1'), makeKey('k2')]);
});

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sidescope-jwks-'));
});
afterEach(() => rm(directory, { recursive: true }));

/** Only time itself is waited for less. */
const hurried = { refreshMs: 600_000, retry: { firstMs: 10, longestMs: 20 }, timeoutMs: 200 };
const noCredentials = { caFile: undefined, tokenFile: undefined };

function accessTo(place: JwtOptions['place'], changes: Partial<JwtOptions> = {}) {
  let nowMs = Date.now();
  const logged: object[] = [];
  const write = (facts: object) => void logged.push(facts);
  const access = new JwtAccess({
    place,
    credentials: noCredentials,
    issuer,
    audiences: [audience],
    roleClaim: 'roles',
    roles: [{ role: 'admin', scopes: ['admin'] }],
    log: { info: write, warn: write },
    now: () => nowMs,
    times: hurried,
    ...changes,
  });
  return {
    access,
    logged,
    advance: (ms: number) => (nowMs += ms),
    async ask(by: SigningKey) {
      const outcome = await access.authenticate(await sign(by, { claims: { exp: Math.floor(nowMs / 1000) + 300 } }));
      return 'refused' in outcome ? outcome.refused : 'accepted';
    },
    [Symbol.dispose]: () => access[Symbol.dispose](),
  };
}

describe('keys at an address', () => {
  test('are read again when a token names a new one, not more often than every 30 s', async () => {
    await using provider = await Issuer.open([key.jwk]);
    using tested = accessTo({ url: provider.url });
    expect(await tested.ask(key)).toBe('accepted');
    provider.keys = [key.jwk, newer.jwk];
    expect([await tested.ask(newer), provider.asked.length]).toEqual(['unknown-key', 1]);
    tested.advance(30_000);
    const asked = await Promise.all([tested.ask(newer), tested.ask(newer), tested.ask(await makeKey('k9'))]);
    expect([asked, provider.asked.length]).toEqual([['accepted', 'accepted', 'unknown-key'], 2]);
    expect([await tested.ask(await makeKey('k10')), provider.asked.length]).toEqual(['unknown-key', 2]);
  });

  test('that are taken back let nobody in any more, whoever was let in before', async () => {
    await using provider = await Issuer.open([key.jwk]);
    using tested = accessTo({ url: provider.url });
    const outcome = await tested.access.authenticate(await sign(key));
    if ('refused' in outcome) throw new Error(outcome.refused);
    expect(tested.access.isCurrent(outcome.subject)).toBe(true);
    provider.keys = [newer.jwk];
    tested.advance(30_000);
    expect(await tested.ask(newer)).toBe('accepted');
    expect([await tested.ask(key), tested.access.isCurrent(outcome.subject)]).toEqual(['unknown-key', false]);
  });

  test('are read again by themselves', async () => {
    await using provider = await Issuer.open([key.jwk]);
    using tested = accessTo({ url: provider.url }, { times: { ...hurried, refreshMs: 20 } });
    expect(await tested.ask(key)).toBe('accepted');
    provider.keys = [newer.jwk];
    await waitFor(async () => (await tested.ask(newer)) === 'accepted', { message: 'the new key' });
  });

  test('that cannot be reached at the start are tried again until they are there; until then nobody is let in by them', async () => {
    await using provider = await Issuer.open([key.jwk]);
    const { url, port } = provider;
    await provider.close();
    using tested = accessTo({ url });
    expect(tested.access.feature()).toMatchObject({ state: 'off', reason: `the keys of ${url.href} are being read` });
    expect(await tested.ask(key)).toBe('no-keys');
    expect(tested.access.feature()).toMatchObject({
      name: 'jwt',
      state: 'failed',
      reason: `${url.href} cannot be read (ECONNREFUSED); no JWT is accepted`,
      remedy: expect.stringContaining('read again by itself') as string,
    });
    await waitFor(() => tested.access.stats.readings.failed > 1, { message: 'a second try' });
    expect(tested.logged).toEqual([{ jwks: url.href, problem: `${url.href} cannot be read (ECONNREFUSED)` }]);
    await provider.listen(port);
    await waitFor(async () => (await tested.ask(key)) === 'accepted', { message: 'the keys' });
    expect(tested.access.feature()).toMatchObject({ state: 'on', reason: `1 keys of ${url.href}`, remedy: null });
  });

  test('that cannot be reached later go on for twelve hours, and it is said how old they are', async () => {
    await using provider = await Issuer.open([key.jwk]);
    const { url } = provider;
    using tested = accessTo({ url });
    expect(await tested.ask(key)).toBe('accepted');
    await provider.close();
    tested.advance(3_600_000);
    expect(await tested.ask(newer)).toBe('unknown-key');
    expect(await tested.ask(key)).toBe('accepted');
    const { state, reason } = tested.access.feature();
    expect([state, reason]).toEqual([
      'failed',
      expect.stringMatching(/ECONNREFUSED\); the keys read 36\d\d s ago are used until 20\d\d-.*Z$/),
    ]);
    expect(tested.access.stats.keysAgeMs).toBeGreaterThanOrEqual(3_600_000);
    tested.advance(11 * 3_600_000);
    expect(await tested.ask(key)).toBe('no-keys');
    expect(tested.access.feature().reason).toMatch(/no JWT is accepted$/);
  });

  test('of a server that never answers hold a request up no longer than the timeout', async () => {
    await using provider = await Issuer.open([key.jwk]);
    provider.answer = 'hangs';
    using tested = accessTo({ url: provider.url });
    expect(await tested.ask(key)).toBe('no-keys');
    expect(tested.access.feature().reason).toContain('did not answer in 200 ms');
  });

  test.each<[string, Exclude<Issuer['answer'], 'hangs'>, string]>([
    ['HTTP 500', { status: 500 }, 'answered HTTP 500'],
    ['HTTP 403', { status: 403 }, 'answered HTTP 403; a server that wants a token has --jwks-token-file'],
    ['a redirect', { status: 302, headers: { location: 'http://127.0.0.1:1/evil' } }, 'answered HTTP 302'],
    ['HTML', { body: '<html>' }, 'is not JSON'],
    ['a list', { body: '[]' }, 'is not a JSON Web Key Set of at most 100 keys'],
    ['no keys', { body: '{"keys":[]}' }, 'has no public key (RSA, EC, OKP) among its 0 keys'],
    ['a shared secret', { body: '{"keys":[{"kty":"oct","k":"AAAA"}]}' }, 'has no public key'],
    ['too many keys', { body: `{"keys":[${'{"kty":"RSA"},'.repeat(100)}{"kty":"RSA"}]}` }, 'of at most 100 keys'],
    ['too many bytes', { body: `{"keys":[],"x":"${'x'.repeat(256 * 1024)}"}` }, 'has more than 262144 bytes'],
  ])('%s is not a key set, and is said without what it holds', async (_name, answer, reason) => {
    await using provider = await Issuer.open([key.jwk]);
    provider.answer = answer;
    using tested = accessTo({ url: provider.url });
    expect(await tested.ask(key)).toBe('no-keys');
    expect(tested.access.feature().reason).toContain(reason);
    expect(tested.access.feature().reason).not.toContain('evil');
  });

  test('a private key among them is not used', async () => {
    const { exportJWK } = await import('jose');
    const leaked = { ...(await exportJWK(key.privateKey)), kid: 'k1' };
    await using provider = await Issuer.open([leaked, newer.jwk]);
    using tested = accessTo({ url: provider.url });
    expect([await tested.ask(key), await tested.ask(newer)]).toEqual(['unknown-key', 'accepted']);
  });

  test('as Kubernetes has them, behind its own authority and for service accounts only', async () => {
    const [tlsKey, cert] = await Promise.all(
      ['key', 'certificate'].map((name) => readFile(join(fixtures, `${name}.pem`))),
    );
    const server = createTlsServer({ key: tlsKey, cert }) as unknown as ReturnType<typeof createServer>;
    await using provider = await Issuer.open([key.jwk], server);
    const url = new URL(`https://127.0.0.1:${provider.port}/openid/v1/jwks`);
    using untrusting = accessTo({ url });
    expect(await untrusting.ask(key)).toBe('no-keys');
    expect(untrusting.access.feature().reason).toContain('DEPTH_ZERO_SELF_SIGNED_CERT');

    const tokenFile = join(directory, 'token');
    await writeFile(tokenFile, 'service-account-token\n');
    const credentials = { caFile: join(fixtures, 'certificate.pem'), tokenFile };
    const role = 'system:serviceaccount:ops:profiler';
    const cluster = 'https://kubernetes.default.svc.cluster.local';
    using tested = accessTo(
      { url },
      { credentials, issuer: cluster, roleClaim: 'sub', roles: [{ role, scopes: ['admin'] }] },
    );
    const claims = { iss: cluster, aud: [audience], sub: role, roles: undefined, ...kubernetesClaims };
    expect(await tested.access.authenticate(await sign(key, { claims }))).toMatchObject({
      subject: { name: role, scopes: ['admin'] },
    });
    // The token that the pod has for the cluster's own API opens nothing here.
    const mounted = await sign(key, { claims: { ...claims, aud: [cluster] } });
    expect(await tested.access.authenticate(mounted)).toMatchObject({ refused: 'wrong-audience' });
    expect(provider.asked).toEqual(['Bearer service-account-token']);

    await writeFile(tokenFile, 'two words');
    using wrong = accessTo({ url }, { credentials });
    expect(await wrong.ask(key)).toBe('no-keys');
    expect(wrong.access.feature().reason).toContain(`the token in ${tokenFile} is empty, or not one word`);
  });
});

describe('keys in a file', () => {
  const setOf = (...keys: SigningKey[]) => JSON.stringify({ keys: keys.map(({ jwk }) => jwk) });

  test('are read again when it changes, also when Kubernetes swaps the link above it', async () => {
    const version = async (name: string, content: string) => {
      await mkdir(join(directory, name));
      await writeFile(join(directory, name, 'jwks.json'), content);
      await symlink(name, join(directory, `link-${name}`));
      await rename(join(directory, `link-${name}`), join(directory, '..data'));
    };
    await version('..1', setOf(key));
    const path = join(directory, 'jwks.json');
    await symlink('..data/jwks.json', path);
    using tested = accessTo({ path });
    expect([await tested.ask(key), await tested.ask(newer)]).toEqual(['accepted', 'unknown-key']);
    await version('..2', setOf(newer));
    tested.advance(1_000);
    expect([await tested.ask(newer), await tested.ask(key)]).toEqual(['accepted', 'unknown-key']);
    expect(tested.logged).toHaveLength(2);
  });

  test('that break or go leave those that were read, and are said', async () => {
    const path = join(directory, 'jwks.json');
    using tested = accessTo({ path });
    expect(await tested.ask(key)).toBe('no-keys');
    await writeFile(path, setOf(key));
    tested.advance(1_000);
    expect(await tested.ask(key)).toBe('accepted');
    await writeFile(path, '{"keys":[{"kty":"RSA","secret"');
    tested.advance(1_000);
    expect(await tested.ask(key)).toBe('accepted');
    expect(tested.access.feature()).toMatchObject({ state: 'failed' });
    expect(tested.access.feature().reason).toMatch(/jwks\.json is not JSON; the keys read 1 s ago are used until/);
    expect(tested.access.feature().reason).not.toContain('secret');
    await writeFile(path, setOf(key));
    tested.advance(1_000);
    expect(await tested.ask(key)).toBe('accepted');
    expect(tested.access.feature()).toMatchObject({ state: 'on' });
    await rm(path);
    tested.advance(1_000);
    expect(await tested.ask(key)).toBe('accepted');
    expect(tested.access.feature().reason).toContain(`${path} cannot be read (ENOENT)`);
  });
});

const kubernetesClaims = {
  'kubernetes.io': {
    namespace: 'ops',
    serviceaccount: { name: 'profiler', uid: '5f9d35f0-1b5c-4c83-9d2e-0d1e0f4e3a11' },
  },
  jti: 'aed34954-b33a-4142-b1ec-389d6bbb4936',
};
