import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, it } from 'vitest';
import { kubectlPath } from '../../.tools/prepare/kubernetes.ts';
import { resolveOptions } from '../../agent/options.ts';
import type { Info } from '../../protocol/rest/info.ts';
import { apiPath } from '../../protocol/rest/routes.ts';
import { openAgent } from '../support/agent.ts';
import { curl } from '../support/curl.ts';
import { makeKey } from '../support/issuer.ts';
import { clusterIssuer, openApiServer } from './api-server.ts';
import { at, deployDirectory, list, podTemplate, renderOverlay, sidecarOf, text } from './render.ts';
import type { JsonObject } from './render.ts';
import { restrictedProblems } from './restricted.ts';
import { schemaProblems } from './schema.ts';

const overlay = realpathSync(mkdtempSync(join(tmpdir(), 'sidescope-service-accounts-')));
afterAll(() => rmSync(overlay, { recursive: true }));
const path = (part: string) => relative(overlay, join(deployDirectory, part));
writeFileSync(
  join(overlay, 'kustomization.yaml'),
  `resources: [${path('examples/shop')}]\ncomponents: [${path('components/service-accounts')}]\n`,
);
const deployment = renderOverlay(overlay).find(({ kind }) => kind === 'Deployment') ?? {};

it('is what the API server takes, and what Pod Security "restricted" admits', async () => {
  expect(await schemaProblems(deployment)).toEqual([]);
  expect(restrictedProblems(deployment)).toEqual([]);
});

const readme = readFileSync(join(deployDirectory, '../README.md'), 'utf8');
const section = /^### Tokens of your own[^]*?^## /m.exec(readme)?.[0] ?? '';
const [start = '', commands = ''] = [...section.matchAll(/```sh\n([^]*?)```/g)].map(([, block = '']) => block);

it('the line of README.md that starts the agent has only options that it takes', async () => {
  const argv = start.replaceAll('\\\n', ' ').trim().split(/\s+/);
  expect(argv.shift()).toBe('sidescope');
  const { options, problems } = await resolve(argv, {});
  expect(problems).toEqual([]);
  expect(options).toMatchObject({
    jwtAudience: ['shop-api'],
    jwtRole: [{ role: 'profiling:admin', scopes: ['admin'] }],
  });
});

it("the lines of README.md for a cluster give a token, by kubectl itself, that opens the component's agent", async () => {
  const key = await makeKey('cluster-1', 'RS256');
  await using api = await openApiServer(key, 'token-of-the-pod');
  const kubectl = async (line: string) => {
    const args = [...line.split(' ').slice(1), `--server=${api.url}`];
    const env = { PATH: process.env['PATH'], KUBECONFIG: '/dev/null', HOME: overlay };
    return (await promisify(execFile)(kubectlPath() ?? '', args, { env })).stdout.trim();
  };
  const outputs: string[] = [];
  for (const line of commands.trim().split('\n')) outputs.push(await kubectl(line));
  expect(api.asked.filter((line) => line.startsWith('POST'))).toEqual([
    'POST /api/v1/namespaces',
    'POST /api/v1/namespaces/sidescope/serviceaccounts',
    'POST /api/v1/namespaces/sidescope/serviceaccounts/profiler/token',
  ]);

  writeFileSync(join(overlay, 'token'), 'token-of-the-pod\n');
  const environment = environmentOf(deployment);
  expect(environment['SIDESCOPE_JWT_ISSUER']).toBe(clusterIssuer);
  // As the component has it, but for the place: the double has no name in a cluster, and no certificate.
  const component = Object.entries(environment).filter(([name]) => /_JW/.test(name) && !name.endsWith('_CA_FILE'));
  const args = component.flatMap(([name, value]) => [
    `--${name.replace('SIDESCOPE_', '').toLowerCase().replaceAll('_', '-')}`,
    value.replace('https://kubernetes.default.svc/', `${api.url}/`).replace('/var/run/secrets/sidescope', overlay),
  ]);
  await using agent = await openAgent({ targets: ['127.0.0.1:1'], args });
  const info = async (token: string) => {
    const { status, body } = await curl(`${agent.url}${apiPath}/info`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    return status === 200 ? (JSON.parse(body.toString()) as Info).you : body.toString();
  };
  const profiler = 'system:serviceaccount:sidescope:profiler';
  expect(await info(outputs.at(-1) ?? '')).toMatchObject({ name: profiler, scopes: ['admin'] });
  expect(await info(await kubectl('kubectl create token profiler -n sidescope'))).toContain('wrong-audience');
  const other = await kubectl('kubectl create token shop -n default --audience=sidescope');
  expect(await info(other)).toContain('forbidden-scope');
});

it('gives options that the agent takes: the keys of the cluster, an audience of its own, one service account', async () => {
  const { options, problems } = await resolve([], environmentOf(deployment));
  expect(problems).toEqual([]);
  expect(options).toMatchObject({
    jwks: { url: new URL('https://kubernetes.default.svc/openid/v1/jwks') },
    jwtAudience: ['sidescope'],
    jwtRoleClaim: 'sub',
    jwtRole: [{ role: 'system:serviceaccount:sidescope:profiler', scopes: ['admin'] }],
  });
  const mount = list(sidecarOf(deployment)['volumeMounts']).find(({ name }) => name === 'sidescope-cluster');
  const volume = list(at(podTemplate(deployment), 'spec', 'volumes')).find(({ name }) => name === mount?.['name']);
  const sources = list(at(volume, 'projected', 'sources'));
  const files = [at(sources[0], 'serviceAccountToken', 'path'), at(sources[1], 'configMap', 'items', 0, 'path')];
  expect(files.map((file) => `${text(mount?.['mountPath'])}/${text(file)}`)).toEqual([
    options.jwksTokenFile,
    options.jwksCaFile,
  ]);
});

function environmentOf(workload: JsonObject): Record<string, string> {
  return Object.fromEntries(
    list(sidecarOf(workload)['env']).flatMap(({ name, value }) =>
      value === undefined ? [] : [[text(name), text(value)]],
    ),
  );
}

function resolve(argv: readonly string[], environment: Record<string, string>): ReturnType<typeof resolveOptions> {
  return resolveOptions({ argv, environment, readFile: () => Promise.reject(new Error('no file')), isTerminal: false });
}
