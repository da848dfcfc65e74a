import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseAllDocuments, parseDocument } from 'yaml';
import { chartDirectory, helmProgram, helmTemplate, plainPolicy, valuesSchemaText } from '../../.tools/chart.ts';
import { applyPatch, condition, patchSteps } from './cel.ts';
import { at, deployDirectory, list, podTemplate, renderOverlay, sidecarOf, text } from './render.ts';
import type { JsonObject } from './render.ts';
import { restrictedProblems } from './restricted.ts';
import { partProblems, schemaProblems } from './schema.ts';

const folder = mkdtempSync(join(tmpdir(), 'sidescope-chart-'));
afterAll(() => rmSync(folder, { recursive: true }));

function render(chart: string, ...args: string[]): readonly JsonObject[] {
  return parseAllDocuments(helmTemplate(chart, args)).flatMap((document) => {
    const [error] = [...document.errors, ...document.warnings];
    if (error !== undefined) throw error;
    const object = document.toJS() as JsonObject | null;
    // What is off leaves an empty document.
    return object === null ? [] : [object];
  });
}

const everything = ['admission', 'podMonitor', 'prometheusRule', 'dashboard'].map(
  (part) => `--set=${part}.enabled=true`,
);
const objects = render(chartDirectory, ...everything);
const ofKind = (kind: string): JsonObject => objects.find((object) => object['kind'] === kind) ?? {};
const shop = renderOverlay(join(deployDirectory, 'examples/shop')).find(({ kind }) => kind === 'Deployment') ?? {};

/** The order of variables means nothing, as none refers to another. */
function sorted(container: JsonObject): JsonObject {
  const env = list(container['env']).toSorted((a, b) => (text(a['name']) < text(b['name']) ? -1 : 1));
  return { ...container, env };
}

describe('the chart', () => {
  it('is one that helm finds nothing to say about', () => {
    const { status, stdout } = spawnSync(helmProgram(), ['lint', '--strict', chartDirectory], { encoding: 'utf8' });
    expect({ status, failed: stdout.includes('0 chart(s) failed') }).toEqual({ status: 0, failed: true });
  });

  it('is of the version of the agent', () => {
    const read = (path: string): unknown => parseDocument(readFileSync(path, 'utf8')).toJS();
    const { version } = read(join(deployDirectory, '../package.json')) as { version: string };
    expect(read(join(chartDirectory, 'Chart.yaml'))).toMatchObject({ version, appVersion: version });
    expect(read(join(chartDirectory, 'values.yaml'))).toMatchObject({ image: { tag: version } });
    const dependency = { name: 'sidescope', version };
    expect(read(join(deployDirectory, 'examples/helm-app/Chart.yaml'))).toMatchObject({ dependencies: [dependency] });
  });

  it('with everything on it has only known fields, words and quantities', async () => {
    expect(objects.map(({ kind }) => kind).sort()).toEqual([
      'ConfigMap',
      'MutatingAdmissionPolicy',
      'MutatingAdmissionPolicyBinding',
      'PodMonitor',
      'PrometheusRule',
    ]);
    for (const object of objects) expect(await schemaProblems(object)).toEqual([]);
  });

  it('knows the options of the agent by their names, and refuses others and wrong types before anything is rendered', () => {
    expect(readFileSync(join(chartDirectory, 'values.schema.json'), 'utf8')).toBe(valuesSchemaText());
    expect(() => render(chartDirectory, '--set=options.disk-budgets=1GiB')).toThrow(/disk-budgets/);
    expect(() => render(chartDirectory, '--set=options.disk-budget=12')).toThrow(/disk-budget.*string/s);
    expect(() => render(chartDirectory, '--set=admision.enabled=false')).toThrow(/admision/);
  });

  it('has options, variables of secrets and namespaces where its values say so', () => {
    const [policy, binding] = render(
      chartDirectory,
      '--set-json=options={"metrics-url":"http://127.0.0.1:3000/metrics","target":["a:1","b:2"],"flight-recorder":true}',
      '--set-json=extraEnv=[{"name":"SENTRY_DSN","valueFrom":{"secretKeyRef":{"name":"sentry","key":"dsn"}}}]',
      '--set=admission.namespaces={shop,cart}',
    ).filter(({ kind }) => text(kind).startsWith('Mutating'));
    const sidecar = sidecarOf({ kind: 'Pod', ...mutated(policy ?? {}, pod()) });
    const variables: unknown = Object.fromEntries(list(sidecar['env']).map(({ name, value }) => [name, value]));
    expect(variables).toMatchObject({
      SIDESCOPE_METRICS_URL: 'http://127.0.0.1:3000/metrics',
      SIDESCOPE_TARGET: 'a:1,b:2',
      SIDESCOPE_FLIGHT_RECORDER: 'true',
    });
    expect(list(sidecar['env']).find(({ name }) => name === 'SENTRY_DSN')?.['valueFrom']).toEqual({
      secretKeyRef: { name: 'sentry', key: 'dsn' },
    });
    const [expression] = list(at(binding, 'spec', 'matchResources', 'namespaceSelector', 'matchExpressions'));
    expect(expression).toMatchObject({ operator: 'In', values: ['shop', 'cart'] });
  });

  it("gives an application's own chart the same sidecar, and adds nothing to the cluster by the way", async () => {
    const application = join(folder, 'helm-app');
    cpSync(join(deployDirectory, 'examples/helm-app'), application, { recursive: true });
    // What `helm dependency build` does, without an archive.
    cpSync(chartDirectory, join(application, 'charts/sidescope'), { recursive: true });
    const rendered = render(application);
    expect(rendered.map(({ kind }) => kind)).toEqual(['Deployment']);
    const [deployment = {}] = rendered;
    expect(await schemaProblems(deployment)).toEqual([]);
    expect(restrictedProblems(deployment)).toEqual([]);
    const sidecar = sorted(sidecarOf(deployment));
    const own = { name: 'SIDESCOPE_METRICS_URL', value: 'http://127.0.0.1:3000/metrics' };
    const wanted = sorted(sidecarOf(shop));
    expect(sidecar).toEqual(sorted({ ...wanted, env: [...list(wanted['env']), own] }));
    expect(list(at(podTemplate(deployment), 'spec', 'volumes'))).toEqual(
      list(at(podTemplate(shop), 'spec', 'volumes')).filter(({ name }) => name === 'sidescope-data'),
    );
  });
});

describe('the admission policy', () => {
  const policy = ofKind('MutatingAdmissionPolicy');

  it('is the one of deploy/admission, for those without helm', () => {
    expect(readFileSync(join(deployDirectory, 'admission/policy.yaml'), 'utf8')).toBe(plainPolicy());
  });

  it('makes of a pod with the label what the kustomize component makes of its workload', async () => {
    const before = pod({
      initContainers: [{ name: 'migrate', image: 'a:1' }],
      volumes: [{ name: 'cache', emptyDir: {} }],
    });
    const after = mutated(policy, before);
    expect(list(at(after, 'spec', 'initContainers')).map(({ name }) => name)).toEqual(['sidescope', 'migrate']);
    expect(sorted(sidecarOf({ kind: 'Pod', ...after }))).toEqual(sorted(sidecarOf(shop)));
    expect(list(at(after, 'spec', 'volumes'))).toEqual([
      { name: 'cache', emptyDir: {} },
      { name: 'sidescope-data', emptyDir: { sizeLimit: '2560Mi' } },
    ]);
    expect(at(after, 'metadata', 'labels')).toEqual({
      'sidescope.dev/inject': 'true',
      'sidescope.dev/sidecar': 'true',
    });
    expect(await schemaProblems({ apiVersion: 'v1', kind: 'Pod', ...after })).toEqual([]);
  });

  it('of a pod that has neither init containers nor volumes too', async () => {
    const after = mutated(policy, pod());
    expect(list(at(after, 'spec', 'initContainers')).map(({ name }) => name)).toEqual(['sidescope']);
    expect(await schemaProblems({ apiVersion: 'v1', kind: 'Pod', ...after })).toEqual([]);
  });

  it('does it once, whatever form the agent is there in', () => {
    const conditions = list(at(policy, 'spec', 'matchConditions')).map(({ expression }) => text(expression));
    const applies = (object: JsonObject): boolean => conditions.every((expression) => condition(expression, object));
    expect(applies(pod())).toBe(true);
    expect(applies(pod({ initContainers: [{ name: 'migrate' }] }))).toBe(true);
    expect(applies(mutated(policy, pod()))).toBe(false);
    expect(applies(pod({ containers: [{ name: 'shop' }, { name: 'sidescope' }] }))).toBe(false);
  });

  it('builds objects of the types that their fields have', async () => {
    const types: Readonly<Record<string, string>> = {
      'Object.spec.initContainers': 'V1Container',
      'Object.spec.volumes': 'V1Volume',
      'Object.spec.initContainers.env': 'V1EnvVar',
      'Object.spec.initContainers.securityContext': 'V1SecurityContext',
      'Object.spec.initContainers.resources': 'V1ResourceRequirements',
    };
    const built = list(at(policy, 'spec', 'mutations')).flatMap(
      (mutation) => patchSteps(text(at(mutation, 'jsonPatch', 'expression')), pod()).built,
    );
    const checked = built.filter(({ type }) => types[type] !== undefined);
    expect(new Set(checked.map(({ type }) => type))).toEqual(new Set(Object.keys(types)));
    for (const { type, value } of checked) expect(await partProblems(value, types[type] ?? '')).toEqual([]);
    // A nested type carries the path of its field: an API server refuses any other.
    for (const { type } of built) expect(type).toMatch(/^(JSONPatch|Object\.spec\.(initContainers|volumes)(\.\w+)*)$/);
  });

  it('never stands in the way of a pod', () => {
    expect(at(policy, 'spec', 'failurePolicy')).toBe('Ignore');
    expect(at(policy, 'spec', 'matchConstraints', 'objectSelector', 'matchLabels')).toEqual({
      'sidescope.dev/inject': 'true',
    });
    const binding = ofKind('MutatingAdmissionPolicyBinding');
    expect(at(binding, 'spec', 'policyName')).toBe(at(policy, 'metadata', 'name'));
    expect(at(binding, 'spec', 'matchResources', 'namespaceSelector', 'matchExpressions', 0)).toEqual({
      key: 'kubernetes.io/metadata.name',
      operator: 'NotIn',
      values: ['kube-system'],
    });
  });
});

function pod(spec: JsonObject = {}): JsonObject {
  return {
    metadata: { name: 'shop-1', labels: { 'sidescope.dev/inject': 'true' } },
    spec: { containers: [{ name: 'shop', image: 'registry.example/shop:1.0.0' }], ...spec },
  };
}

/** Each mutation on what those before it left. */
function mutated(policy: JsonObject, object: JsonObject): JsonObject {
  return list(at(policy, 'spec', 'mutations')).reduce<JsonObject>(
    (before, mutation) => applyPatch(before, patchSteps(text(at(mutation, 'jsonPatch', 'expression')), before).steps),
    object,
  );
}
