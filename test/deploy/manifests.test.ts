import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { resolveOptions } from '../../agent/options.ts';
import { readRules } from '../../agent/rules/read-rules.ts';
import {
  at,
  containersOf,
  deployDirectory,
  list,
  podTemplate,
  readManifest,
  renderOverlay,
  sidecarOf,
  text,
} from './render.ts';
import type { JsonObject } from './render.ts';
import { restrictedProblems } from './restricted.ts';
import { partProblems, schemaProblems } from './schema.ts';

const kinds = ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job', 'CronJob'];
const everyKind = mkdtempSync(join(tmpdir(), 'sidescope-every-kind-'));
afterAll(() => rmSync(everyKind, { recursive: true }));
writeEveryKind();

const overlays: readonly [string, readonly JsonObject[]][] = [
  ['examples/shop', renderOverlay(join(deployDirectory, 'examples/shop'))],
  ['examples/shop-guaranteed', renderOverlay(join(deployDirectory, 'examples/shop-guaranteed'))],
  ['examples/shop-rules', renderOverlay(join(deployDirectory, 'examples/shop-rules'))],
  ['plain/deployment.yaml', readManifest(join(deployDirectory, 'plain/deployment.yaml'))],
  ['every kind of workload', renderOverlay(everyKind)],
];
const workloads = overlays.flatMap(([name, objects]) =>
  objects
    .filter((object) => podTemplate(object) !== undefined && at(object, 'metadata', 'name') !== 'bystander')
    .map((object): [string, JsonObject] => [`${name}: ${text(object['kind'])}`, object]),
);

describe('what the API server would say', () => {
  it.each([
    ...overlays,
    ['plain/token-secret.yaml', readManifest(join(deployDirectory, 'plain/token-secret.yaml'))] as const,
  ])('%s has only known fields, words and quantities', async (_, objects) => {
    expect(objects.length).toBeGreaterThan(0);
    for (const object of objects) expect(await schemaProblems(object)).toEqual([]);
  });

  it('sees what is wrong: a misspelt field, a wrong word, a wrong type, a missing field', async () => {
    const [deployment] = readManifest(join(deployDirectory, 'plain/deployment.yaml'));
    const broken = JSON.parse(
      JSON.stringify(deployment)
        .replaceAll('"readOnlyRootFilesystem"', '"readonlyRootFilesystem"')
        .replace('"restartPolicy":"Always"', '"restartPolicy":"Alwayz"')
        .replace('"containerPort":7778', '"containerPort":"7778"')
        .replace('2560Mi', '2560MiB')
        .replace('"selector"', '"selektor"'),
    ) as JsonObject;
    const problems = (await schemaProblems(broken)).join('\n');
    for (const word of [
      'readonlyRootFilesystem',
      'Alwayz',
      '"7778"',
      '2560MiB',
      'selektor',
      'required property selector',
    ])
      expect(problems).toContain(word);
  });

  it('kubectl debug can add the profile to an ephemeral container', async () => {
    const [profile = {}] = readManifest(join(deployDirectory, 'debug/profile.yaml'));
    expect(await partProblems(profile, 'V1EphemeralContainer')).toEqual([]);
    // These kubectl refuses in a custom profile.
    for (const name of ['name', 'image', 'command', 'lifecycle', 'volumeDevices'])
      expect(profile).not.toHaveProperty(name);
  });
});

describe('every workload with the sidecar', () => {
  it.each(workloads)('%s is admitted by Pod Security "restricted"', (_, workload) => {
    expect(restrictedProblems(workload)).toEqual([]);
  });

  it.each(workloads)('%s has a native sidecar before all else, without a probe', (_, workload) => {
    const template = podTemplate(workload) ?? {};
    expect(at(template, 'spec', 'initContainers', 0, 'name')).toBe('sidescope');
    const sidecar = sidecarOf(workload);
    expect(sidecar['restartPolicy']).toBe('Always');
    for (const name of ['livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle'])
      expect(sidecar).not.toHaveProperty(name);
    expect(at(template, 'spec', 'shareProcessNamespace')).toBeUndefined();
    expect(at(sidecar, 'securityContext', 'readOnlyRootFilesystem')).toBe(true);
  });

  it.each(workloads)('%s shows the ops port by name and never the API', (_, workload) => {
    expect(sidecarOf(workload)['ports']).toEqual([{ name: 'sidescope-ops', containerPort: 7778 }]);
    const ports = containersOf(podTemplate(workload) ?? {}).flatMap(({ ports }) => list(ports));
    expect(ports.map(({ containerPort }) => containerPort)).not.toContain(7777);
    expect(ports.map(({ containerPort }) => containerPort)).not.toContain(9229);
  });

  it.each(workloads)('%s bounds the sidecar, and nothing of the application through it', (_, workload) => {
    const { requests, limits } = sidecarOf(workload)['resources'] as { requests: JsonObject; limits: JsonObject };
    expect(Object.keys(requests).sort()).toEqual(['cpu', 'memory']);
    expect(limits['memory']).toBe('256Mi');
    expect(limits).not.toHaveProperty('ephemeral-storage');
  });

  it.each(workloads)('%s gives options that the agent takes', async (_, workload) => {
    const { options, problems } = await resolvedEnvironment(sidecarOf(workload));
    expect(problems).toEqual([]);
    expect(options.adminAddress).toEqual({ host: '127.0.0.1', port: 7777 });
    expect(options.opsAddress).toEqual({ host: '0.0.0.0', port: 7778 });
    expect(options.target).toEqual([{ host: '127.0.0.1', port: 9229 }]);
  });

  it.each(workloads)('%s keeps the disk budget at 80 %% of the volume, which is of its own', async (_, workload) => {
    const sidecar = sidecarOf(workload);
    const { options } = await resolvedEnvironment(sidecar);
    const mount = list(sidecar['volumeMounts']).find(({ mountPath }) => mountPath === options.dataDir);
    const volume = list(at(podTemplate(workload), 'spec', 'volumes')).find(({ name }) => name === mount?.['name']);
    const limitMiB = /^(\d+)Mi$/.exec(text(at(volume, 'emptyDir', 'sizeLimit')))?.[1];
    expect(options.diskBudgetBytes).toBe(Number(limitMiB) * 2 ** 20 * 0.8);
    expect(at(volume, 'emptyDir', 'medium')).toBeUndefined();
  });

  it.each(workloads)('%s tells the agent where it is', (_, workload) => {
    const paths = list(sidecarOf(workload)['env']).flatMap(({ name, valueFrom }) =>
      valueFrom === undefined ? [] : [[name, at(valueFrom, 'fieldRef', 'fieldPath')]],
    );
    expect(Object.fromEntries(paths)).toEqual({
      POD_NAME: 'metadata.name',
      POD_NAMESPACE: 'metadata.namespace',
      NODE_NAME: 'spec.nodeName',
      CONTAINER_NAME: "metadata.annotations['kubectl.kubernetes.io/default-container']",
    });
  });
});

describe('the components', () => {
  it('change every kind of workload that has the label, all in the same way, and no other', () => {
    const objects = renderOverlay(everyKind);
    const labelled = objects.filter(({ metadata }) => at(metadata, 'name') === 'shop');
    expect(labelled.map(({ kind }) => kind).sort()).toEqual([...kinds].sort());
    const [first, ...others] = labelled.map(sidecarOf);
    for (const other of others) expect(other).toEqual(first);
    for (const workload of labelled)
      expect(at(podTemplate(workload), 'metadata', 'labels', 'sidescope.dev/sidecar')).toBe('true');
    const bystander = objects.find(({ metadata }) => at(metadata, 'name') === 'bystander') ?? {};
    expect(containersOf(podTemplate(bystander) ?? {}).map(({ name }) => name)).toEqual(['migrate', 'shop']);
  });

  it('leave what the application has of its own', () => {
    const deployment = deploymentOf('examples/shop');
    const spec = at(podTemplate(deployment), 'spec');
    expect(list(at(spec, 'initContainers')).map(({ name }) => name)).toEqual(['sidescope', 'migrate']);
    expect(list(at(spec, 'volumes')).map(({ name }) => name)).toContain('cache');
    expect(at(spec, 'containers', 0, 'image')).toBe('registry.example/shop:1.0.0');
    expect(sidecarOf(deployment)['image']).toMatch(/^ghcr\.io\/.+:\d+\.\d+\.\d+$/);
  });

  it('the sidecar of the plain Deployment is the one of the component', () => {
    expect(sidecarOf(deploymentOf('plain/deployment.yaml'))).toEqual(sidecarOf(deploymentOf('examples/shop')));
  });

  it('guaranteed: every container has requests equal to limits', () => {
    for (const container of containersOf(podTemplate(deploymentOf('examples/shop-guaranteed')) ?? {})) {
      const { requests, limits } = container['resources'] as { requests: JsonObject; limits: JsonObject };
      expect(Object.keys(limits).sort()).toEqual(['cpu', 'memory']);
      expect(requests).toEqual(limits);
    }
  });

  it('token-file: the Secret is optional, readable without fsGroup, and mounted where the option says', async () => {
    const deployment = deploymentOf('examples/shop-guaranteed');
    const { options } = await resolvedEnvironment(sidecarOf(deployment));
    expect(options.tokenFile).toBe('/etc/sidescope/tokens.json');
    const volume = list(at(podTemplate(deployment), 'spec', 'volumes')).find(({ secret }) => secret !== undefined);
    expect(volume).toMatchObject({ secret: { secretName: 'sidescope-tokens', optional: true, defaultMode: 0o444 } });
    const [secret] = readManifest(join(deployDirectory, 'plain/token-secret.yaml'));
    expect(at(secret, 'metadata', 'name')).toBe('sidescope-tokens');
    expect(text(at(secret, 'stringData', 'tokens.json'))).toMatch(/"sha256": "0{64}"/);
  });

  it('pod-monitor: selects the pods that have the sidecar, by the name of its port', () => {
    const objects = renderOverlay(join(deployDirectory, 'examples/shop'));
    const monitor = objects.find(({ kind }) => kind === 'PodMonitor');
    const labels = at(podTemplate(deploymentOf('examples/shop')), 'metadata', 'labels');
    expect(labels).toMatchObject(at(monitor, 'spec', 'selector', 'matchLabels') as object);
    expect(at(monitor, 'spec', 'podMetricsEndpoints', 0, 'port')).toBe('sidescope-ops');
  });

  it('config-file: the ConfigMap is optional, mounted whole where the option says, and its rules are good', async () => {
    const deployment = deploymentOf('examples/shop-rules');
    const sidecar = sidecarOf(deployment);
    const { options } = await resolvedEnvironment(sidecar);
    expect(options.flightRecorder).toBe(true);
    const mount = list(sidecar['volumeMounts']).find(({ name }) => name === 'sidescope-config');
    // With a subPath the kubelet would never write a change.
    expect(mount).toEqual({ name: 'sidescope-config', mountPath: dirname(options.config ?? ''), readOnly: true });
    const volume = list(at(podTemplate(deployment), 'spec', 'volumes')).find(
      ({ configMap }) => configMap !== undefined,
    );
    expect(volume).toMatchObject({ configMap: { name: at(configMap(), 'metadata', 'name'), optional: true } });
    const { rules, problems } = await readRules(text(at(configMap(), 'data', 'sidescope.yaml')));
    expect(problems).toEqual([]);
    // No rule that profiles CPU comes enabled with anything that is copied.
    expect(rules.map(({ capture }) => capture?.kind)).toEqual(['recorder', 'stacks']);
  });

  it('state-volume: the claim is mounted where the option says, outside of the data directory, writable for the agent', async () => {
    const deployment = deploymentOf('examples/shop-rules');
    const { options } = await resolvedEnvironment(sidecarOf(deployment));
    const mounts = list(sidecarOf(deployment)['volumeMounts']);
    const mount = mounts.find(({ mountPath }) => mountPath === at(stateEnvironment(deployment), 'value'));
    expect(mount?.['readOnly']).toBeUndefined();
    expect(text(mount?.['mountPath']).startsWith(options.dataDir)).toBe(false);
    const volume = list(at(podTemplate(deployment), 'spec', 'volumes')).find(({ name }) => name === mount?.['name']);
    const claim = rendered('examples/shop-rules', 'PersistentVolumeClaim');
    expect(at(volume, 'persistentVolumeClaim', 'claimName')).toBe(at(claim, 'metadata', 'name'));
    expect(at(claim, 'spec', 'accessModes')).toEqual(['ReadWriteMany']);
    const group = at(sidecarOf(deployment), 'securityContext', 'runAsGroup');
    expect(at(podTemplate(deployment), 'spec', 'securityContext', 'fsGroup')).toBe(group);
  });

  it("target-metrics: the application's page is read through the agent, and by a monitor of its own", async () => {
    const { options } = await resolvedEnvironment(sidecarOf(deploymentOf('examples/shop-rules')));
    expect(options.metricsUrl?.href).toBe('http://127.0.0.1:3000/metrics');
    const monitors = overlays
      .find(([name]) => name === 'examples/shop-rules')?.[1]
      .filter(({ kind }) => kind === 'PodMonitor')
      .map((monitor) => [at(monitor, 'metadata', 'name'), at(monitor, 'spec', 'podMetricsEndpoints', 0)]);
    expect(monitors).toEqual([
      ['sidescope', { port: 'sidescope-ops', path: '/metrics', interval: '60s' }],
      ['sidescope-target', { port: 'sidescope-ops', path: '/target-metrics', interval: '60s' }],
    ]);
  });

  it('kubectl debug: the agent ends by itself', async () => {
    const [profile = {}] = readManifest(join(deployDirectory, 'debug/profile.yaml'));
    const { options, problems } = await resolvedEnvironment(profile);
    expect(problems).toEqual([]);
    expect(options.ttlMs).toBe(30 * 60_000);
  });
});

function deploymentOf(overlay: string): JsonObject {
  return rendered(overlay, 'Deployment');
}

function configMap(): JsonObject {
  return rendered('examples/shop-rules', 'ConfigMap');
}

function stateEnvironment(deployment: JsonObject): JsonObject | undefined {
  return list(sidecarOf(deployment)['env']).find(({ name }) => name === 'SIDESCOPE_STATE_URL');
}

function rendered(overlay: string, wanted: string): JsonObject {
  const objects = overlays.find(([name]) => name === overlay)?.[1] ?? [];
  return objects.find(({ kind }) => kind === wanted) ?? {};
}

function resolvedEnvironment(container: JsonObject): ReturnType<typeof resolveOptions> {
  const environment = Object.fromEntries(
    list(container['env']).flatMap(({ name, value }) => (value === undefined ? [] : [[text(name), text(value)]])),
  );
  return resolveOptions({
    argv: [],
    environment,
    readFile: async (path) => {
      if (path !== '/etc/sidescope-config/sidescope.yaml') throw new Error('no file');
      return text(at(configMap(), 'data', 'sidescope.yaml'));
    },
    isTerminal: false,
  });
}

/** The example's pod under each kind of workload, and one that has no label. */
function writeEveryKind(): void {
  const [deployment] = readManifest(join(deployDirectory, 'examples/shop/deployment.yaml'));
  const template = podTemplate(deployment ?? {}) ?? {};
  const selector = at(deployment, 'spec', 'selector') ?? null;
  const job = { template: { ...template, spec: { ...(template['spec'] as JsonObject), restartPolicy: 'Never' } } };
  const specs: Readonly<Record<string, JsonObject>> = {
    StatefulSet: { selector, template, serviceName: 'shop' },
    Job: job,
    CronJob: { schedule: '0 * * * *', jobTemplate: { spec: job } },
  };
  const object = (kind: string, labels: JsonObject, name: string): JsonObject => ({
    apiVersion: kind.endsWith('Job') ? 'batch/v1' : 'apps/v1',
    kind,
    metadata: { name, labels },
    spec: specs[kind] ?? { selector, template },
  });
  const objects = [
    ...kinds.map((kind) => object(kind, { 'sidescope.dev/inject': 'true' }, 'shop')),
    object('Deployment', {}, 'bystander'),
  ];
  // Aliases in one document name anchors in another one otherwise.
  writeFileSync(
    join(everyKind, 'workloads.yaml'),
    objects.map((one) => stringify(one, { aliasDuplicateObjects: false })).join('---\n'),
  );
  // kustomize refuses absolute paths.
  const component = relative(realpathSync(everyKind), join(deployDirectory, 'components/native-sidecar'));
  const kustomization = { resources: ['workloads.yaml'], components: [component] };
  writeFileSync(join(everyKind, 'kustomization.yaml'), stringify(kustomization));
}
