import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { promtoolPath } from '../../.tools/prepare/prometheus.ts';
import { readEgress } from '../../agent/egress/read-egress.ts';
import { readSmallFile } from '../../agent/options/config-file.ts';
import { resolveOptions } from '../../agent/options.ts';
import { at, deployDirectory, list, podTemplate, renderOverlay, sidecarOf, text } from './render.ts';
import type { JsonObject } from './render.ts';
import { restrictedProblems } from './restricted.ts';
import { schemaProblems } from './schema.ts';

const folder = join(deployDirectory, 'fleet');
const engines = renderOverlay(folder);
const shop = renderOverlay(join(folder, 'shop'));
const named = (objects: readonly JsonObject[], kind: string, name: string): JsonObject =>
  objects.find((object) => object['kind'] === kind && at(object, 'metadata', 'name') === name) ?? {};

describe('deploy/fleet', () => {
  it('has only known fields, words and quantities, and each workload is admitted by Pod Security "restricted"', async () => {
    for (const object of [...engines, ...shop]) expect(await schemaProblems(unwrapped(object))).toEqual([]);
    const workloads = [...engines, ...shop].filter((object) => podTemplate(object) !== undefined);
    expect(workloads.map(({ metadata }) => at(metadata, 'name')).sort()).toEqual([
      ...['grafana', 'prometheus', 'pyroscope', 's3', 'shop'],
    ]);
    for (const workload of workloads)
      expect({ workload, problems: restrictedProblems(workload) }).toMatchObject({ problems: [] });
  });

  it('mounts only what is there, at most once at each place', () => {
    const configMaps = engines.filter(({ kind }) => kind === 'ConfigMap' || kind === 'Secret');
    const names = new Set(configMaps.map(({ metadata }) => at(metadata, 'name')));
    for (const workload of engines.filter(({ kind }) => kind === 'StatefulSet')) {
      const template = podTemplate(workload) ?? {};
      const volumes = list(at(template, 'spec', 'volumes'));
      const claims = list(at(workload, 'spec', 'volumeClaimTemplates')).map(({ metadata }) => at(metadata, 'name'));
      const mounts = list(at(template, 'spec', 'containers', 0, 'volumeMounts'));
      const known = [...volumes.map(({ name }) => name), ...claims];
      expect(mounts.map(({ name }) => name).filter((name) => !known.includes(name))).toEqual([]);
      expect(new Set(mounts.map(({ mountPath }) => mountPath)).size).toBe(mounts.length);
      for (const volume of volumes) {
        const source = at(volume, 'configMap', 'name') ?? at(volume, 'secret', 'secretName');
        if (source !== undefined) expect(names).toContain(source);
      }
    }
  });

  it('its Prometheus takes its configuration, and finds the sidecar by label and port of the manifests', () => {
    const config = readFileSync(join(folder, 'prometheus.yml'), 'utf8');
    // Debian's Prometheus is built without Kubernetes: that part is held to the manifests below.
    const known = config.replace(/kubernetes_sd_configs:\n(?: {6,}.*\n)+/, "static_configs: [{targets: ['a:1']}]\n");
    expect(known).not.toContain('kubernetes_sd');
    const temporary = mkdtempSync(join(tmpdir(), 'sidescope-prometheus-config-'));
    onTestFinished(() => rmSync(temporary, { recursive: true }));
    writeFileSync(join(temporary, 'prometheus.yml'), known);
    const { status, stdout, stderr } = spawnSync(
      promtoolPath,
      ['check', 'config', '--syntax-only', join(temporary, 'prometheus.yml')],
      { encoding: 'utf8' },
    );
    expect({ status, said: status === 0 ? '' : stdout + stderr }).toEqual({ status: 0, said: '' });
    const template = podTemplate(named(shop, 'Deployment', 'shop'));
    const [label = ''] = /sidescope\.dev\/sidecar=true/.exec(config) ?? [];
    const [name = '', value = ''] = label.split('=');
    expect(at(template, 'metadata', 'labels', name)).toBe(value);
    expect(config).toContain(
      `regex: ${text(list(sidecarOf(named(shop, 'Deployment', 'shop'))['ports'])[0]?.['name'])}`,
    );
  });

  it('its sidecars have a configuration that the agent takes, and send to engines that are there', async () => {
    const sidecar = sidecarOf(named(shop, 'Deployment', 'shop'));
    const config = text(at(named(shop, 'ConfigMap', 'sidescope-config'), 'data', 'sidescope.yaml'));
    const { destinations, problems } = await readEgress(config);
    expect(problems).toEqual([]);
    expect(destinations.map(({ kind }) => kind)).toEqual(['pyroscope', 's3']);
    const { options, problems: optionProblems } = await resolveOptions({
      argv: ['--config', join(folder, 'shop/sidescope.yaml')],
      environment: { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' },
      readFile: readSmallFile,
      isTerminal: false,
    });
    expect(optionProblems).toEqual([]);
    expect(options.flightRecorder).toBe(true);
    for (const [, host = '', port = ''] of config.matchAll(/http:\/\/([\w.-]+):(\d+)/g)) {
      const [service = '', namespace] = host.split('.');
      const found = named(engines, 'Service', service);
      expect(at(found, 'metadata', 'namespace')).toBe(namespace);
      expect(String(at(found, 'spec', 'ports', 0, 'port') as number)).toBe(port);
    }
    // Each variable that the file names is in the container.
    const variables = list(sidecar['env']).map(({ name }) => text(name));
    for (const [, variable = ''] of config.matchAll(/-env: (\w+)/g)) expect(variables).toContain(variable);
    const keys = at(named(shop, 'Secret', 'sidescope-s3'), 'data') as Record<string, string>;
    const identities = Buffer.from(
      text(Object.values(at(named(engines, 'Secret', secretName(engines)), 'data') as object)[0] as string),
      'base64',
    );
    const [identity] = (
      JSON.parse(identities.toString()) as { identities: { credentials: { accessKey: string; secretKey: string }[] }[] }
    ).identities;
    expect(identity?.credentials[0]).toEqual({
      accessKey: Buffer.from(keys['access-key'] ?? '', 'base64').toString(),
      secretKey: Buffer.from(keys['secret-key'] ?? '', 'base64').toString(),
    });
  });
});

it('what a thousand sidecars send is reckoned from what one does', () => {
  const readme = readFileSync(join(folder, 'README.md'), 'utf8');
  const input = (name: string): number => Number(new RegExp(`^\\| ${name}[^|]*\\| ([\\d.]+) `, 'm').exec(readme)?.[1]);
  const [series, page, window, cpu, rss] = [
    input('series of `/metrics`'),
    input('`/metrics`, kB'),
    input('a window of the flight recorder'),
    input('CPU, recorder on and sending'),
    input('RSS, MiB'),
  ];
  for (const sum of [
    `${series * 1_000} series`,
    `${Math.round((series * 1_000) / 60)} samples/s`,
    `${((page * 1_000) / 60 / 1_000).toFixed(2)} MB/s`,
    `${((window * 1_000) / 30 / 1_000).toFixed(2)} MB/s`,
    `${((window * 1_000 * 86_400) / 30 / 1e6).toFixed(1)} GB`,
    `${((input('the same as `.cpuprofile`') * 10 * 1_000) / 1e6).toFixed(2)} GB per day`,
    `${cpu.toFixed(1)} cores`,
    `${Math.round((rss * 1_000) / 1_024)} GiB`,
  ])
    expect(readme).toMatch(new RegExp(`\\| ${sum} +\\|`));
});

function secretName(objects: readonly JsonObject[]): string {
  return text(at(objects.find(({ kind }) => kind === 'Secret') ?? {}, 'metadata', 'name'));
}

/** kustomize wraps base64 at 70 characters; the API server reads over the line ends. */
function unwrapped(object: JsonObject): JsonObject {
  if (object['kind'] !== 'Secret') return object;
  return { ...object, data: JSON.parse(JSON.stringify(object['data']).replaceAll('\\n', '')) as JsonObject };
}
