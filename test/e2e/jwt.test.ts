import { expect, test } from 'vitest';
import type { Info } from '../../protocol/rest/info.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import { openAgent } from '../support/agent.ts';
import { curl } from '../support/curl.ts';
import { audience, Issuer, issuer, makeKey, sign } from '../support/issuer.ts';
import { waitFor } from '../support/wait-for.ts';

test('an agent whose issuer is away says so everywhere, serves static tokens, and takes JWTs as soon as it can', async () => {
  const key = await makeKey('k1', 'RS256');
  await using provider = await Issuer.open([key.jwk]);
  const { url, port } = provider;
  await provider.close();
  await using agent = await openAgent({
    targets: ['127.0.0.1:1'],
    args: [
      ...['--jwks', url.href, '--jwt-issuer', issuer, '--jwt-audience', audience],
      ...['--jwt-role-claim', 'realm_access.roles', '--jwt-role', 'profiling:admin=admin', '--jwt-role', 'oncall=view'],
    ],
  });
  const token = await sign(key, { claims: { roles: undefined, realm_access: { roles: ['profiling:admin'] } } });
  const ask = (path: string, credential: string) =>
    curl(`${agent.url}${apiPath}${path}`, { headers: { Authorization: `Bearer ${credential}` } });
  const metrics = async () => (await curl(`${agent.opsUrl}/metrics`)).body.toString();

  const refused = await ask('/info', token);
  expect([refused.status, JSON.parse(refused.body.toString())]).toMatchObject([503, { code: 'jwt-keys-unavailable' }]);
  const reason = `${url.href} cannot be read (ECONNREFUSED); no JWT is accepted`;
  const { features } = JSON.parse((await ask('/info', agent.token)).body.toString()) as Info;
  expect(features.find(({ name }) => name === 'jwt')).toMatchObject({ state: 'failed', reason });
  const ready = await curl(`${agent.opsUrl}/readyz`);
  expect([ready.status, ready.body.toString()]).toEqual([200, expect.stringContaining(reason)]);
  expect(await metrics()).toContain('sidescope_feature_up{feature="jwt"} 0');
  expect(await metrics()).toContain('sidescope_jwt_refusals_total{reason="no-keys"} 1');
  expect(agent.logged.join('')).toContain('"msg":"keys for JWT cannot be read"');

  await provider.listen(port);
  await waitFor(async () => (await ask('/info', token)).status === 200, { deadlineMs: 30_000, message: 'the keys' });
  const { you } = JSON.parse((await ask('/info', token)).body.toString()) as Info;
  expect(you).toMatchObject({ name: 'ada', scopes: ['admin'] });
  expect(await metrics()).toContain('sidescope_feature_up{feature="jwt"} 1');
  expect(await metrics()).toMatch(/sidescope_jwt_keys_age_seconds \d/);

  // A hundred kilobytes do not get past the HTTP parser, twelve not past the first look.
  // The answer may be lost, as the connection is closed while the client still writes.
  const huge = await ask('/info', `eyJ${'x'.repeat(100_000)}.a.b`).catch(({ code }: NodeJS.ErrnoException) => code);
  expect([431, 'ECONNRESET', 'EPIPE']).toContain(typeof huge === 'object' ? huge.status : huge);
  expect(JSON.parse((await ask('/info', `eyJ${'x'.repeat(12_000)}.a.b`)).body.toString())).toMatchObject({
    code: 'unauthorized',
    details: { reason: 'too-large' },
  });
  const other = await sign(key, { claims: { realm_access: { roles: ['oncall'] } } });
  expect((await ask('/targets', other)).status).toBe(200);
  const started = await curl(`${agent.url}${apiPath}/cpu/start`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${other}` },
  });
  expect(started.status).toBe(403);
  expect(agent.audited).toMatchObject([
    { subject: 'ada', credential: 'jwt', scopes: ['view'], result: 'forbidden-scope' },
  ]);
  expect(agent.logged.join('') + JSON.stringify(agent.audited)).not.toContain(token.split('.')[2]);
});

test('a file of keys that is wrong is known as soon as the agent has started', async () => {
  await using agent = await openAgent({
    targets: ['127.0.0.1:1'],
    args: ['--jwks', '/nonexistent/jwks.json', '--jwt-issuer', issuer, '--jwt-audience', audience],
  });
  expect(agent.agent.features().find(({ name }) => name === 'jwt')).toMatchObject({
    state: 'failed',
    reason: '/nonexistent/jwks.json cannot be read (ENOENT); no JWT is accepted',
  });
});

test('an event stream ends with the JWT that it was opened with', async () => {
  const key = await makeKey('k1');
  await using provider = await Issuer.open([key.jwk]);
  await using agent = await openAgent({
    targets: ['127.0.0.1:1'],
    args: ['--jwks', provider.url.href, '--jwt-issuer', issuer, '--jwt-audience', audience],
  });
  // A minute of tolerance is added.
  const exp = Math.floor(Date.now() / 1000) - 57;
  const headers = { authorization: `Bearer ${await sign(key, { claims: { exp } })}` };
  const response = await fetch(`${agent.url}${apiPath}/events`, { headers, signal: AbortSignal.timeout(20_000) });
  expect(response.status).toBe(200);
  expect(await response.text()).toContain('event: hello');
  expect((await fetch(`${agent.url}${apiPath}/info`, { headers })).status).toBe(401);
});
