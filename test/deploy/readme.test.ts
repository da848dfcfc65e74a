import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { at, deployDirectory, readManifest, sidecarOf, text } from './render.ts';

const root = join(deployDirectory, '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const section = /^## Kubernetes\n([^]*?)^## /m.exec(readme)?.[1] ?? '';
const { version, scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  version: string;
  scripts: Record<string, string>;
};

it('every file of the Kubernetes section exists, and every version in it is the present one', () => {
  const files = [...section.matchAll(/\bdeploy\/[\w./-]*\w/g)].map(([file]) => file);
  expect(files).toContain('deploy/components/native-sidecar');
  for (const file of files) expect({ file, exists: existsSync(join(root, file)) }).toEqual({ file, exists: true });
  const versions = [...section.matchAll(/(?:ref=v|sidescope:)(\d+\.\d+\.\d+)/g)].map(([, named]) => named);
  expect(versions).toEqual([version, version]);
});

it('what it says of the sidecar is what the manifest says', () => {
  const [deployment = {}] = readManifest(join(deployDirectory, 'plain/deployment.yaml'));
  const resources = sidecarOf(deployment)['resources'];
  const volume = at(deployment, 'spec', 'template', 'spec', 'volumes', 0, 'emptyDir', 'sizeLimit');
  expect(section).toContain(
    `asks for ${text(at(resources, 'requests', 'cpu'))} CPU and ${text(at(resources, 'requests', 'memory'))}`,
  );
  expect(section).toContain(`its limit is ${text(at(resources, 'limits', 'memory'))}`);
  expect(section).toContain(`an \`emptyDir\` of ${text(volume)}`);
  expect(section).toContain('sidescope.dev/inject');
});

it('its npm scripts exist', () => {
  const named = [...section.matchAll(/npm (?:run (\w+)|(test))/g)].map(([, script, test]) => script ?? test ?? '');
  expect(named.sort()).toEqual(['image', 'test']);
  for (const name of named) expect(scripts).toHaveProperty(name);
});
