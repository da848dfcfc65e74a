import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { resolveOptions } from '../../agent/options.ts';
import { at, deployDirectory, list, podTemplate, renderOverlay, sidecarOf, text } from './render.ts';
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

it('gives options that the agent takes: the keys of the cluster, an audience of its own, one service account', async () => {
  const environment = Object.fromEntries(
    list(sidecarOf(deployment)['env']).flatMap(({ name, value }) =>
      value === undefined ? [] : [[text(name), text(value)]],
    ),
  );
  const { options, problems } = await resolveOptions({
    argv: [],
    environment,
    readFile: () => Promise.reject(new Error('no file')),
    isTerminal: false,
  });
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
