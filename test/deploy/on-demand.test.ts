import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resolveOptions } from '../../agent/options.ts';
import { at, deployDirectory, list, podTemplate, renderOverlay, sidecarOf, text } from './render.ts';
import { restrictedProblems } from './restricted.ts';
import { schemaProblems } from './schema.ts';

const objects = renderOverlay(join(deployDirectory, 'examples/shop-on-demand'));
const deployment = objects.find(({ kind }) => kind === 'Deployment') ?? {};
const spec = at(podTemplate(deployment), 'spec');

describe('the component on-demand', () => {
  it('is admitted by the API server and by Pod Security "restricted"', async () => {
    for (const object of objects) expect(await schemaProblems(object)).toEqual([]);
    expect(restrictedProblems(deployment)).toEqual([]);
  });

  it('gives the agent the processes of the pod, and the user and group of the application', () => {
    expect(at(spec, 'shareProcessNamespace')).toBe(true);
    const user = ['runAsUser', 'runAsGroup'];
    const sidecar = at(sidecarOf(deployment), 'securityContext');
    const application = at(spec, 'containers', 0, 'securityContext');
    expect(user.map((name) => at(sidecar, name))).toEqual(user.map((name) => at(application, name)));
    expect(at(spec, 'containers', 0, 'command')).toEqual(['node', 'server.js']);
  });

  it('sets an option that the agent takes, and nothing else of the sidecar', async () => {
    const sidecar = sidecarOf(deployment);
    const environment = Object.fromEntries(
      list(sidecar['env']).flatMap(({ name, value }) => (value === undefined ? [] : [[text(name), text(value)]])),
    );
    const noFile = (): Promise<string> => Promise.reject(new Error('no file'));
    const { options, problems } = await resolveOptions({ argv: [], environment, readFile: noFile, isTerminal: false });
    expect(problems).toEqual([]);
    expect(options.target).toEqual(['auto']);
    const shop = renderOverlay(join(deployDirectory, 'examples/shop')).find(({ kind }) => kind === 'Deployment') ?? {};
    const { env: _ours, securityContext: _context, ...rest } = sidecar;
    const { env: _theirs, securityContext: _other, ...expected } = sidecarOf(shop);
    expect(rest).toEqual(expected);
  });
});
