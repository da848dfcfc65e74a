// Writes what the chart takes from the option table, and what the plain manifest takes from the chart:
//   node .tools/chart.ts     deploy/helm/sidescope/values.schema.json, deploy/admission/policy.yaml (needs helm)
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { optionTable } from '../agent/options.ts';
import type { OptionRow } from '../agent/options/sources.ts';
import { helmPath, prepareHelm } from './prepare/kubernetes.ts';

const root = join(import.meta.dirname, '..');
export const chartDirectory = join(root, 'deploy/helm/sidescope');
const schemaPath = join(chartDirectory, 'values.schema.json');
const policyPath = join(root, 'deploy/admission/policy.yaml');

if (import.meta.main) {
  writeValuesSchema();
  prepareHelm();
  writeFileSync(policyPath, plainPolicy());
}

export function writeValuesSchema(): void {
  writeFileSync(schemaPath, valuesSchemaText());
}

/** What `helm template` makes of the chart; throws with what helm said. */
export function helmTemplate(chart: string, args: readonly string[] = []): string {
  const { status, stdout, stderr } = spawnSync(
    helmProgram(),
    ['template', 'sidescope', chart, '--kube-version=1.36', '--namespace=sidescope', ...args],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

export function helmProgram(): string {
  const path = helmPath();
  if (path === undefined) throw new Error('no helm 4: run node .tools/prepare-tests.ts');
  return path;
}

/** For those who have no helm: the policy alone, with the chart's own values. */
export function plainPolicy(): string {
  const head = [
    '# Injects the sidecar into each new pod with the label sidescope.dev/inject=true. Needs Kubernetes 1.36; kubectl apply -f.',
    '# Written by `node .tools/chart.ts` from deploy/helm/sidescope, which has values to change.',
  ];
  const documents = helmTemplate(chartDirectory)
    .split(/^---\n/m)
    .map((text) => text.replace(/^# Source:.*\n/m, '').trim())
    .filter((text) => text !== '');
  return `${head.join('\n')}\n${documents.join('\n---\n')}\n`;
}

/** Wrong names and types are refused before anything is rendered. */
export function valuesSchemaText(): string {
  const text = { type: 'string' };
  const object = (properties: object): object => ({ type: 'object', additionalProperties: false, properties });
  const labels = { type: 'object', additionalProperties: text };
  const options: [string, object][] = Object.entries<OptionRow>(optionTable)
    .filter(([, { from }]) => from?.includes('environment') !== false)
    .map(([name, row]) => [name, optionSchema(row)]);
  const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    description: 'Written by `node .tools/chart.ts`.',
    ...object({
      global: { type: 'object' },
      image: object({ repository: text, tag: text }),
      options: object(Object.fromEntries(options)),
      extraEnv: { type: 'array', items: { type: 'object', required: ['name'] } },
      dataSize: { type: 'string', pattern: '^[0-9]+(Mi|Gi)$' },
      runAsUser: { type: ['integer', 'null'], minimum: 1 },
      runAsGroup: { type: ['integer', 'null'], minimum: 1 },
      resources: object({ requests: labels, limits: labels }),
      admission: object({ enabled: { type: 'boolean' }, namespaces: { type: 'array', items: text } }),
      podMonitor: object({ enabled: { type: 'boolean' }, interval: text, labels }),
      prometheusRule: object({ enabled: { type: 'boolean' }, labels }),
      dashboard: object({ enabled: { type: 'boolean' }, labels }),
    }),
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

function optionSchema({ type, values, repeatable }: OptionRow): object {
  const one = type === 'flag' ? 'boolean' : type === 'count' || type === 'share' ? ['number', 'string'] : 'string';
  const types = [one, repeatable === true ? 'array' : [], 'null'].flat();
  return { type: types, ...(values !== undefined && { enum: [...values, null] }) };
}
