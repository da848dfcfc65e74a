import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { at, deployDirectory, list, readManifest, text } from './render.ts';
import type { JsonObject } from './render.ts';

const root = join(deployDirectory, '..');
const [workflow = {}] = readManifest(join(root, '.github/workflows/release.yaml'));
const jobs = workflow['jobs'] as Readonly<Record<string, JsonObject>>;
const steps = Object.values(jobs).flatMap((job) => list(job['steps']));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

it('the release workflow has only steps that run or use something, with a version', () => {
  expect(Object.keys(jobs)).toEqual(['test', 'image', 'npm']);
  for (const step of steps) expect(['run', 'uses'].filter((key) => key in step)).toHaveLength(1);
  for (const { uses } of steps.filter((step) => 'uses' in step)) expect(text(uses)).toMatch(/^[\w-]+\/[\w-]+@v\d+$/);
  expect(workflow['permissions']).toEqual({ contents: 'read' });
});

it('its jobs wait for jobs that exist, its steps for steps of their own job, and its files are there', () => {
  for (const job of Object.values(jobs)) {
    const ids = list(job['steps']).flatMap(({ id }) => (id === undefined ? [] : [text(id)]));
    const used = [...JSON.stringify(job).matchAll(/steps\.(\w+)\.outputs/g)].map(([, id]) => id);
    expect(ids).toEqual(expect.arrayContaining(used));
    if (job['needs'] !== undefined) expect(Object.keys(jobs)).toContain(job['needs']);
  }
  const files = [...JSON.stringify(jobs).matchAll(/deploy\/[\w./-]+/g)].map(([file]) => file);
  expect(files.length).toBeGreaterThan(0);
  for (const file of files) expect({ file, exists: existsSync(join(root, file)) }).toEqual({ file, exists: true });
});

it('nothing is signed or published before the tests are through', () => {
  expect([at(jobs['image'], 'needs'), at(jobs['npm'], 'needs')]).toEqual(['test', 'image']);
  expect(JSON.stringify(jobs['test'])).toContain('npm test');
});

it('the manifests name the version of the package', () => {
  const [component = {}] = readManifest(join(deployDirectory, 'components/native-sidecar/kustomization.yaml'));
  expect(at(component, 'images', 0, 'newTag')).toBe(version);
});
