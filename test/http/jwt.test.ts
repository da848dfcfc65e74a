import { createHmac } from 'node:crypto';
import { exportSPKI } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import { createAdminApp } from '../../agent/http/app.ts';
import { JwtAccess } from '../../agent/http/jwt.ts';
import type { JwtOptions } from '../../agent/http/jwt.ts';
import { jwtRefusals } from '../../agent/http/jwt-refusal.ts';
import { problemSchema } from '../../protocol/rest/problem.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import { audience, Issuer, issuer, makeKey, sign, unsigned } from '../support/issuer.ts';
import type { SigningKey } from '../support/issuer.ts';
import { fakeServices } from './fakes.ts';

let key: SigningKey;
let rsa: SigningKey;
let others: ReadonlyMap<string, SigningKey>;
beforeAll(async () => {
  key = await makeKey('k1');
  rsa = await makeKey('rsa', 'RS256');
  const algorithms = ['RS512', 'PS256', 'PS384', 'ES384', 'ES512', 'EdDSA'];
  others = new Map(await Promise.all(algorithms.map(async (name) => [name, await makeKey(name, name)] as const)));
});

const seen = new Set<string>();

async function openAccess(place: JwtOptions['place'], changes: Partial<JwtOptions> = {}) {
  const logged: object[] = [];
  const log = { info: (facts: object) => logged.push(facts), warn: (facts: object) => logged.push(facts) };
  const access = new JwtAccess({
    place,
    credentials: { caFile: undefined, tokenFile: undefined },
    issuer,
    audiences: [audience, 'profiling'],
    roleClaim: 'roles',
    roles: [
      { role: 'admin', scopes: ['admin'] },
      { role: 'oncall', scopes: ['view', 'capture'] },
    ],
    log,
    ...changes,
  });
  const reason = async (token: string) => {
    const outcome = await access.authenticate(token);
    if ('refused' in outcome) seen.add(outcome.refused);
    return 'refused' in outcome ? outcome.refused : 'accepted';
  };
  return { access, reason, logged };
}

const soon = () => Math.floor(Date.now() / 1000);
const far = 'x'.repeat(9_000);

describe('a token', () => {
  test('that the issuer signed gives its subject, the scopes of its roles, and its end', async () => {
    await using provider = await Issuer.open([key.jwk]);
    const { access } = await openAccess({ url: provider.url });
    using _ = access;
    const exp = soon() + 100;
    const token = await sign(key, { claims: { exp, roles: ['oncall', 'other'], aud: ['a', 'profiling'] } });
    const outcome = await access.authenticate(token);
    expect(outcome).toMatchObject({
      subject: { name: 'ada', scopes: ['view', 'capture'], expiresAtMs: (exp + 60) * 1000, credential: 'jwt' },
    });
    expect(JSON.stringify(outcome)).not.toContain(token);
    // The second time without its signature being checked again.
    expect(await access.authenticate(token)).toEqual(outcome);
  });

  test.each(['RS512', 'PS256', 'PS384', 'ES384', 'ES512', 'EdDSA'])('may be signed with %s', async (algorithm) => {
    const one = others.get(algorithm) ?? key;
    await using provider = await Issuer.open([one.jwk, key.jwk]);
    const { access, reason } = await openAccess({ url: provider.url });
    using _ = access;
    expect(await reason(await sign(one))).toBe('accepted');
  });

  const withClaims = (claims: Record<string, unknown>) => () => sign(key, { claims });
  const withHeader = (header: Record<string, unknown>) => () => sign(key, { header });
  const valid = { iss: issuer, aud: audience, sub: 'ada', exp: soon() + 3_600, roles: ['admin'] };
  const hmac = async (secret: string, header: object) => {
    const input = unsigned(header, valid).slice(0, -1);
    return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
  };

  test.each<[string, () => Promise<string> | string, string]>([
    ['without a signature, alg none', () => unsigned({ alg: 'none' }, valid), 'algorithm'],
    ['with alg None and a signature', () => unsigned({ alg: 'None', kid: 'k1' }, valid, 'AAAA'), 'algorithm'],
    [
      'signed by HS256 with the public key as its secret',
      async () => hmac(await exportSPKI(await publicKeyOf(rsa)), { alg: 'HS256', kid: 'rsa' }),
      'algorithm',
    ],
    [
      'signed by HS256 with the JWK as its secret',
      () => hmac(JSON.stringify(rsa.jwk), { alg: 'HS256', kid: 'rsa' }),
      'algorithm',
    ],
    ['with a key of its own in the header', withHeader({ jwk: { kty: 'EC' } }), 'embedded-key'],
    [
      'with critical extensions',
      () => unsigned({ alg: 'ES256', kid: 'k1', crit: ['x'] }, valid, 'AA'),
      'critical-header',
    ],
    [
      'with an unencoded payload',
      () => unsigned({ alg: 'ES256', kid: 'k1', b64: false }, valid, 'AA'),
      'critical-header',
    ],
    ['of another key with the same id', async () => sign({ ...(await makeKey('k1')) }), 'signature'],
    ['of a key that is not in the set', async () => sign(await makeKey('k9')), 'unknown-key'],
    [
      'with another algorithm than its key has',
      () => unsigned({ alg: 'RS256', kid: 'k1' }, valid, 'AA'),
      'unknown-key',
    ],
    ['without a key id where several keys fit', async () => sign({ ...key, jwk: {} }), 'ambiguous-key'],
    ['with a changed claim', async () => changed(await sign(key, { claims: { roles: [] } })), 'signature'],
    ['cut short', async () => (await sign(key)).slice(0, -10), 'signature'],
    ['that names a key of 1024 bits', () => unsigned({ alg: 'RS256', kid: 'weak' }, valid, 'AAAA'), 'unusable-key'],
    ['of another issuer', withClaims({ iss: 'https://evil.example/' }), 'wrong-issuer'],
    ['of the issuer without its last slash', withClaims({ iss: issuer.slice(0, -1) }), 'wrong-issuer'],
    ['without an issuer', withClaims({ iss: undefined }), 'missing-claim'],
    ['for another service', withClaims({ aud: 'shop' }), 'wrong-audience'],
    ['for several other services', withClaims({ aud: ['shop', 'sidescope2'] }), 'wrong-audience'],
    ['for nobody in particular', withClaims({ aud: undefined }), 'missing-claim'],
    ['that never ends', withClaims({ exp: undefined }), 'missing-claim'],
    ['whose end is a text', withClaims({ exp: '2099-01-01' }), 'malformed-claim'],
    ['that ended 61 s ago', withClaims({ exp: soon() - 61 }), 'expired'],
    ['that begins in two minutes', withClaims({ nbf: soon() + 120 }), 'not-yet-valid'],
    ['without a subject', withClaims({ sub: undefined }), 'missing-claim'],
    ['whose subject is a number', withClaims({ sub: 7 }), 'malformed-claim'],
    ['of two parts', async () => (await sign(key)).split('.').slice(0, 2).join('.'), 'malformed'],
    ['of five parts', async () => `${await sign(key)}.a.b`, 'malformed'],
    ['whose header is a list', () => unsigned([], valid), 'malformed'],
    ['whose key id is a number', () => unsigned({ alg: 'ES256', kid: 1 }, valid, 'AA'), 'malformed'],
    ['whose claims are no JSON', async () => signedText('not json'), 'malformed'],
    ['whose claims are a list', async () => signedText('[]'), 'malformed'],
    ['of 100 kB', async () => sign(key, { claims: { more: far.repeat(11) } }), 'too-large'],
    ['of 100 kB that is none', () => `eyJ${far.repeat(11)}`, 'too-large'],
  ])('%s is refused', async (_name, make, expected) => {
    const weak = { kty: 'RSA', kid: 'weak', n: `_${'w'.repeat(170)}`, e: 'AQAB' };
    await using provider = await Issuer.open([key.jwk, { ...(await makeKey('k2')).jwk }, rsa.jwk, weak]);
    const { access, reason } = await openAccess({ url: provider.url });
    using _ = access;
    expect(await reason(await make())).toBe(expected);
    expect(access.stats.refused).toEqual(new Map([[expected, 1]]));
  });

  test('may be a minute early or late', async () => {
    await using provider = await Issuer.open([key.jwk]);
    const { access, reason } = await openAccess({ url: provider.url });
    using _ = access;
    expect(await reason(await sign(key, { claims: { exp: soon() - 50, nbf: soon() + 50 } }))).toBe('accepted');
  });

  test('without a key id is checked by the only key that fits', async () => {
    await using provider = await Issuer.open([key.jwk, rsa.jwk]);
    const { access, reason } = await openAccess({ url: provider.url });
    using _ = access;
    expect(await reason(await sign({ ...key, jwk: {} }))).toBe('accepted');
    expect(await reason(await sign({ ...(await makeKey(undefined)), jwk: {} }))).toBe('signature');
  });

  test('has a name without control characters, cut at 200, and an end that a Date can hold', async () => {
    await using provider = await Issuer.open([key.jwk]);
    const { access } = await openAccess({ url: provider.url });
    using _ = access;
    const sub = `a\n\u202eb${'c'.repeat(300)}`;
    const outcome = await access.authenticate(await sign(key, { claims: { sub, exp: 1e300 } }));
    if ('refused' in outcome) throw new Error(outcome.refused);
    expect(outcome.subject.name).toBe(`a??b${'c'.repeat(196)}`);
    expect(new Date(outcome.subject.expiresAtMs).toISOString()).toBe('+275760-09-13T00:00:00.000Z');
  });
});

test('a flood of wrong signatures is refused beyond what may wait, and a token that is known does not wait with it', async () => {
  await using provider = await Issuer.open([key.jwk]);
  const { access, reason } = await openAccess({ url: provider.url });
  using _ = access;
  const right = await sign(key);
  expect(await reason(right)).toBe('accepted');
  const wrong = await sign(await makeKey('k1'));
  const ended: string[] = [];
  const flood = Promise.all(Array.from({ length: 600 }, async () => ended.push(await reason(wrong))));
  expect(await reason(right)).toBe('accepted');
  expect(ended.filter((one) => one === 'signature').length).toBeLessThan(500);
  await flood;
  expect(Object.groupBy(ended, (one) => one)).toMatchObject({
    signature: { length: 514 },
    'too-many-checks': { length: 86 },
  });
  expect(await reason(await sign(key))).toBe('accepted');
});

test('every reason but that of missing keys was met above', () => {
  expect([...seen].sort()).toEqual(
    Object.keys(jwtRefusals)
      .filter((name) => name !== 'no-keys')
      .sort(),
  );
});

describe('over HTTP', () => {
  async function openApp(changes: Partial<JwtOptions> = {}) {
    const provider = await Issuer.open([key.jwk]);
    const { access } = await openAccess({ url: provider.url }, changes);
    const services = await fakeServices({ jwt: access });
    const { app } = createAdminApp(services);
    const ask = (token: string, path = '/targets', method = 'GET') =>
      app.request(`http://localhost${apiPath}${path}`, { method, headers: { authorization: `Bearer ${token}` } });
    return {
      services,
      ask,
      async [Symbol.asyncDispose]() {
        access[Symbol.dispose]();
        await provider.close();
      },
    };
  }

  test('a JWT and a static token are both let in, and the audit line tells them apart', async () => {
    await using tested = await openApp();
    const { ask, services } = tested;
    const token = await sign(key);
    expect((await ask(token, '/cpu/start', 'POST')).status).toBe(202);
    expect((await ask(services.adminToken, '/cpu/start', 'POST')).status).toBe(202);
    expect(services.audited).toMatchObject([
      { subject: 'ada', credential: 'jwt', scopes: ['admin'], result: 'ok' },
      { subject: 'admin', credential: 'minted-token', scopes: ['admin'], result: 'ok' },
    ]);
    expect(JSON.stringify(services.audited) + services.logged.join('')).not.toContain(token);
  });

  test('a refusal tells the reason, in the answer and in the log, and never the token', async () => {
    await using tested = await openApp();
    const { ask, services } = tested;
    const token = await sign(key, { claims: { aud: 'shop' } });
    const response = await ask(token);
    expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="sidescope"']);
    const problem = problemSchema.parse(await response.json());
    expect(problem).toMatchObject({
      code: 'unauthorized',
      detail: 'the JWT is refused: its audience is none of --jwt-audience',
      details: { reason: 'wrong-audience' },
    });
    const lines = services.logged.join('');
    expect(lines).toContain('"reason":"wrong-audience","keyId":"k1","msg":"JWT refused"');
    for (const part of token.split('.')) expect(lines + JSON.stringify(problem)).not.toContain(part);
  });

  test('a right token without a known role is told that it has none', async () => {
    await using tested = await openApp();
    const response = await tested.ask(await sign(key, { claims: { roles: ['customer'] } }));
    expect(response.status).toBe(403);
    expect(problemSchema.parse(await response.json())).toMatchObject({
      code: 'forbidden-scope',
      detail: 'needs the scope "view"; the token "ada" has none: no role of it is one of --jwt-role',
    });
  });

  test('a ticket ends with the key that its JWT was signed by', async () => {
    await using provider = await Issuer.open([key.jwk]);
    let nowMs = Date.now();
    const { access } = await openAccess({ url: provider.url }, { now: () => nowMs });
    using _ = access;
    const services = await fakeServices({ jwt: access });
    services.store.add('p1', { kind: 'cpu', plain: Buffer.from('{}') });
    const { app } = createAdminApp(services);
    const headers = { authorization: `Bearer ${await sign(key)}` };
    const made = await app.request(`http://localhost${apiPath}/profiles/p1/ticket`, { method: 'POST', headers });
    const { url } = (await made.json()) as { url: string };
    const status = async () => (await app.request(`http://localhost${url}`)).status;
    expect(await status()).toBe(200);

    const newer = await makeKey('k2');
    provider.keys = [newer.jwk];
    nowMs += 30_000;
    expect('subject' in (await access.authenticate(await sign(newer)))).toBe(true);
    expect(await status()).toBe(401);
    expect((await app.request(`http://localhost${apiPath}/targets`, { headers })).status).toBe(401);
  });

  test('wrong JWTs take from the same bucket, and lock out neither kind of right token', async () => {
    await using tested = await openApp();
    const { ask, services } = tested;
    const wrong = await sign(await makeKey('k1'));
    const statuses = await Promise.all(Array.from({ length: 300 }, async () => (await ask(wrong)).status));
    expect(new Set(statuses)).toEqual(new Set([401, 429]));
    expect((await ask(await sign(key))).status).toBe(200);
    expect((await ask(services.adminToken)).status).toBe(200);
    expect(services.logged.filter((line) => line.includes('JWT refused')).length).toBe(
      statuses.filter((status) => status === 401).length,
    );
  });

  test('without --jwks a JWT is told so', async () => {
    const services = await fakeServices();
    const { app } = createAdminApp(services);
    const headers = { authorization: `Bearer ${await sign(key)}` };
    const response = await app.request(`http://localhost${apiPath}/targets`, { headers });
    expect(problemSchema.parse(await response.json()).detail).toBe('this agent takes no JWT: --jwks is not set');
  });
});

async function publicKeyOf({ jwk }: SigningKey) {
  const { importJWK } = await import('jose');
  return (await importJWK(jwk, 'RS256', { extractable: true })) as Parameters<typeof exportSPKI>[0];
}

/** Gives itself a role. */
function changed(token: string): string {
  const [head, claims = '', signature] = token.split('.');
  const given = JSON.parse(Buffer.from(claims, 'base64url').toString()) as object;
  return `${head}.${Buffer.from(JSON.stringify({ ...given, roles: ['admin'] })).toString('base64url')}.${signature}`;
}

/** The issuer signs something that is no set of claims. */
async function signedText(text: string): Promise<string> {
  const { CompactSign } = await import('jose');
  return await new CompactSign(Buffer.from(text))
    .setProtectedHeader({ alg: key.algorithm, kid: 'k1' })
    .sign(key.privateKey);
}
