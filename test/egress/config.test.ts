import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { Egress } from '../../agent/egress/egress.ts';
import { parseEgressUrl, readEgress } from '../../agent/egress/read-egress.ts';
import { credentialSource } from '../../agent/egress/s3/credentials.ts';
import { resolveOptions } from '../../agent/options.ts';
import { openReceiver } from '../alerts/receiver.ts';
import { filesBelow, openStore, read, scratchDirectory } from '../store/sample.ts';
import { waitFor } from '../support/wait-for.ts';
import { openEgress, surroundings } from './harness.ts';

test('the destinations and addresses that the README shows are right', async () => {
  const readme = await readFile(join(import.meta.dirname, '../../README.md'), 'utf8');
  const [, section = ''] = /### Sending profiles on\n([^]*?)\n###? /.exec(readme) ?? [];
  const [yaml = ''] = [...section.matchAll(/```yaml\n([^]*?)```/g)].map(([, text]) => text);
  const { destinations, problems } = await readEgress(yaml);
  expect(problems).toEqual([]);
  expect(destinations.map(({ kind }) => kind)).toEqual(['s3', 'pyroscope', 'directory', 'webhook']);
  const lines = [...section.matchAll(/^sidescope (.*)$/gm)].map(([, line = '']) => line.split(' '));
  for (const argv of lines) {
    const readNone = async (): Promise<string> => '';
    const resolved = await resolveOptions({ argv, environment: {}, readFile: readNone, isTerminal: false });
    expect(resolved.problems).toEqual([]);
    for (const url of resolved.options.egressUrl) expect(parseEgressUrl(url)).not.toHaveProperty('problem');
  }
  expect(lines).toHaveLength(3);
});

describe('what is wrong in the file is told with its line, and the rest is used', () => {
  test.each([
    ['- { name: a, kind: ftp }', 2, 'must have a kind: one of s3, pyroscope, directory, webhook'],
    ['- { name: a, kind: s3, url: "s3://Bucket" }', 2, 'url: names no bucket'],
    ['- name: a\n    kind: s3\n    url: s3://bucket\n    secret-key: abc', 2, 'Unrecognized key: "secret-key"'],
    ['- { name: a, kind: s3, url: "s3://bucket", key: "{pod}" }', 2, 'key: must have {id} in it'],
    ['- { name: a, kind: s3, url: "s3://bucket", key: "../{id}" }', 2, 'key: must be a relative path'],
    ['- { name: a, kind: s3, url: "s3://bucket", key: "{pid}/{id}" }', 2, 'key: {pid} is none of namespace, pod'],
    ['- { name: a, kind: s3, url: "s3://bucket", access-key-file: /a }', 2, 'access-key-file and secret-key-file go'],
    ['- { name: a, kind: pyroscope, url: "https://u:p@host" }', 2, 'url: must be an http or https address without'],
    [
      '- name: a\n    kind: pyroscope\n    url: https://host\n    filters: { kinds: [heap-snapshot] }',
      5,
      'filters.kinds.0:',
    ],
    ['- { name: A b, kind: directory, path: /x }', 2, 'name: must be lower-case'],
    ['- { name: a, kind: directory, path: x }', 2, 'path: must be an absolute path'],
    ['- { name: good, kind: directory, path: /x }', 2, 'there are two destinations named good'],
    ['- { name: a, kind: directory, path: /x, queue: 1KiB }', 2, 'queue: '],
  ])('%s', async (item, line, message) => {
    const first = item.includes('named') ? '' : item;
    const { destinations, problems } = await readEgress(
      `egress:\n  ${first}\n  - { name: good, kind: directory, path: /x }\n`,
    );
    expect(problems).toHaveLength(1);
    expect([problems[0]?.message, problems[0]?.line]).toEqual([
      expect.stringContaining(message),
      message.includes('two destinations') ? 3 : line,
    ]);
    expect(destinations.map(({ name }) => name)).toEqual(['good']);
  });

  test('too many, no list, no YAML', async () => {
    const many = Array.from({ length: 9 }, (_, index) => `  - { name: a${index}, kind: directory, path: /x }`);
    expect((await readEgress(`egress:\n${many.join('\n')}`)).problems[0]?.message).toContain('at most 8');
    expect((await readEgress('egress: yes')).problems[0]?.message).toContain('must be a list');
    expect((await readEgress('egress: [')).problems).toHaveLength(1);
    expect(await readEgress('rules: []\n')).toEqual({ destinations: [], problems: [] });
  });
});

test.each([
  ['s3://profiles/a', { name: 's3', kind: 's3' }],
  ['pyroscope+https://pyroscope:4040', { name: 'pyroscope', kind: 'pyroscope' }],
  ['webhook+http://127.0.0.1/x', { name: 'webhook', kind: 'webhook' }],
  ['file:///exports', { name: 'directory', kind: 'directory', path: '/exports' }],
  ['file:/exports', { path: '/exports' }],
  ['pyroscope+https://u:p@host', { problem: expect.stringContaining('without credentials') as string }],
  ['ftp://x', { problem: expect.stringContaining('must be s3://') as string }],
])('%s as an option', (url, expected) => {
  expect(parseEgressUrl(url)).toMatchObject(expected);
});

test('without a destination it is off and says what to set; a queue of before is let go', async () => {
  await using scratch = scratchDirectory();
  await using target = scratchDirectory();
  await using store = await openStore(join(scratch.path, 'data'));
  const given = { ...surroundings(), store };
  const first = await Egress.open({ ...given, urls: [`file://${target.path}/none`], configPath: undefined });
  const [row] = first.view().destinations;
  expect(row).toMatchObject({ name: 'directory', kinds: ['cpu', 'heap-snapshot', 'heap-sampling'], redact: true });
  await first.close({ graceMs: 0 });
  const second = await Egress.open({ ...given, urls: [], configPath: undefined });
  expect(second.feature()).toEqual({
    name: 'egress',
    state: 'off',
    reason: 'no destination is configured',
    remedy: expect.stringContaining('--egress-url') as string,
  });
  expect(second.view()).toEqual({ destinations: [], problems: [], deliveries: [] });
  const third = await Egress.open({ ...given, store: undefined, urls: ['file:///x'], configPath: undefined });
  expect(third.feature()).toMatchObject({ state: 'failed', reason: 'there is no storage to queue profiles in' });
  const fourth = await Egress.open({ ...given, urls: ['s3://a', 'file:///x', 'file:///y'], configPath: undefined });
  expect(fourth.feature().reason).toMatch(/names no bucket.*; .*a destination named directory already/);
  expect(fourth.view().destinations).toHaveLength(1);
  await fourth.close({ graceMs: 0 });
});

test('a configuration from a pipe, or none at its path, holds nobody up and has no destinations', async () => {
  await using scratch = scratchDirectory();
  await using store = await openStore(join(scratch.path, 'data'));
  const pipe = join(scratch.path, 'pipe');
  execFileSync('mkfifo', [pipe]);
  for (const configPath of [pipe, join(scratch.path, 'none')]) {
    const egress = await Egress.open({ ...surroundings(), store, urls: [], configPath });
    expect(egress.feature().state).toBe('off');
  }
});

test('a directory gets whole files, with their metadata beside; one that is not there is not made', async () => {
  await using target = scratchDirectory();
  await using harness = await openEgress(`file://${target.path}/mounted`);
  const profile = await harness.capture(200_000);
  const { lastError } = await harness.until('a failure', ({ failed }) => (failed['disk'] ?? 0) > 0);
  expect(lastError?.message).toBe(`${target.path}/mounted: ENOENT`);
  expect(await readdir(target.path)).toEqual([]);
  await mkdir(join(target.path, 'mounted'));
  await harness.until('the profile to be written', ({ sent }) => sent === 1);
  const folder = 'mounted/unknown/shop/shop-0/2026-01-31';
  const name = `20260131T120000Z-cpu-${profile.id}.cpuprofile`;
  expect(filesBelow(target.path)).toEqual([`${folder}/${name}`, `${folder}/${name}.json`]);
  expect(await readFile(join(target.path, folder, name))).toEqual(await read(harness.store, profile.id));
  const metadata = JSON.parse(await readFile(join(target.path, folder, `${name}.json`), 'utf8')) as object;
  expect(metadata).toMatchObject({ id: profile.id, sha256: profile.sha256, service: 'shop', version: '1.4.2' });
});

test('a webhook is told where the profile is, signed; a filter by trigger keeps the others out', async () => {
  await using receiver = await openReceiver();
  await using scratch = scratchDirectory();
  const secretFile = join(scratch.path, 'secret');
  await writeFile(secretFile, 'SECRETsecretSECRET');
  const config = `egress:
  - name: hook
    kind: webhook
    url: ${receiver.url}/profiles
    secret-file: ${secretFile}
    filters: { triggers: [rule, alert], kinds: [cpu] }
`;
  await using harness = await openEgress(config);
  await harness.capture();
  const profile = await harness.capture(1_000, { trigger: { kind: 'rule', by: 'cpu-burst' } });
  await harness.until('the message', ({ sent }) => sent === 1);
  const [{ headers, body }] = [receiver.received[0]!];
  expect(JSON.parse(body.toString())).toMatchObject({
    profile: { id: profile.id, kind: 'cpu', trigger: { kind: 'rule' } },
    service: { service: 'shop', version: '1.4.2' },
    links: [`/api/v1/profiling/profiles/${profile.id}`],
    open: 'sidescope open pod/shop-7d4b9c6f5d-x2x9z -n prod',
  });
  const signed = createHmac('sha256', 'SECRETsecretSECRET')
    .update(`${String(headers['x-sidescope-timestamp'])}.${body.toString()}`)
    .digest('hex');
  expect([headers['x-sidescope-signature'], headers['x-sidescope-event']]).toEqual([`v1=${signed}`, 'profile.stored']);
  expect(receiver.received).toHaveLength(1);
});

test("a pod's web identity is exchanged for credentials, and again only before they end", async () => {
  await using scratch = scratchDirectory();
  const tokenFile = join(scratch.path, 'token');
  await writeFile(tokenFile, 'header.payload.signature');
  let body = '';
  let asked = 0;
  const server = createServer((request, response) => {
    void text(request).then((sent) => {
      asked++;
      body = sent;
      const expiration = new Date(Date.now() + (asked === 1 ? 60_000 : 3_600_000)).toISOString();
      response.end(
        `<AssumeRoleWithWebIdentityResponse><Credentials><AccessKeyId>AKIA${asked}</AccessKeyId><SecretAccessKey>a&amp;b</SecretAccessKey><SessionToken>session</SessionToken><Expiration>${expiration}</Expiration></Credentials></AssumeRoleWithWebIdentityResponse>`,
      );
    });
  });
  server.listen(0, '127.0.0.1');
  await waitFor(() => server.listening, { message: 'the server' });
  const { port } = server.address() as { port: number };
  const variables: Record<string, string> = {
    AWS_ROLE_ARN: 'arn:aws:iam::1:role/profiles',
    AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile,
    AWS_ENDPOINT_URL_STS: `http://127.0.0.1:${port}/`,
  };
  const source = credentialSource({ region: 'eu-central-1', variable: (name) => variables[name] });
  const signal = AbortSignal.timeout(10_000);
  // The first ones end within five minutes: they are used, and renewed the next time.
  expect(await source.get(signal)).toEqual({ accessKeyId: 'AKIA1', secretAccessKey: 'a&b', sessionToken: 'session' });
  expect(await source.get(signal)).toMatchObject({ accessKeyId: 'AKIA2' });
  expect(await source.get(signal)).toMatchObject({ accessKeyId: 'AKIA2' });
  expect([asked, new URLSearchParams(body).get('WebIdentityToken')]).toEqual([2, 'header.payload.signature']);
  server.closeAllConnections();
  server.close();
  const none = credentialSource({ region: 'eu-central-1', variable: () => undefined });
  await expect(none.get(signal)).rejects.toThrow('there are no credentials: set AWS_ACCESS_KEY_ID');
});
