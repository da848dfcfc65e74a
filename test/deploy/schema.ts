import { text } from './render.ts';
import type { Json, JsonObject } from './render.ts';

interface Attribute {
  readonly baseName: string;
  readonly type: string;
}

interface Validated {
  validate(): void;
}

interface Model {
  getAttributeTypeMap(): readonly Attribute[];
}

/**
 * Every way in which the object is not what Kubernetes 1.36 knows: unknown fields, wrong types, missing fields, unknown
 * words. Empty when it is right. The API server would drop unknown fields in silence, `readonlyRootFilesystem` for one.
 */
export async function schemaProblems(object: JsonObject): Promise<readonly string[]> {
  const apiVersion = text(object['apiVersion']);
  const kind = text(object['kind']);
  const version = apiVersion.split('/').at(-1) ?? '';
  const required = await missingFields({ apiVersion, kind, object });
  // Custom resources: the official client has no model of them.
  if (apiVersion.startsWith('monitoring.coreos.com/')) return required;
  const type = `${version.charAt(0).toUpperCase()}${version.slice(1)}${kind}`;
  return [...(await walk(object, { type, path: kind })), ...required];
}

/** A part of an object, such as the container that `kubectl debug --custom` takes. */
export async function partProblems(part: Json, type: string): Promise<readonly string[]> {
  return walk(part, { type, path: type });
}

/** The official client's models: they know every field, but neither what is required nor the words. */
async function walk(value: Json, place: { type: string; path: string }): Promise<string[]> {
  const { type, path } = place;
  const element = /^Array<(.*)>$/.exec(type)?.[1] ?? /^Set<(.*)>$/.exec(type)?.[1];
  if (element !== undefined) {
    if (!Array.isArray(value)) return [`${path} is no list`];
    const items = value as readonly Json[];
    return (
      await Promise.all(items.map((item, index) => walk(item, { type: element, path: `${path}[${index}]` })))
    ).flat();
  }
  const entry = /^\{ \[key: string\]: (.*); \}$/.exec(type)?.[1];
  if (entry !== undefined) {
    if (!isObject(value)) return [`${path} is no map`];
    const entries = Object.entries(value);
    return (
      await Promise.all(entries.map(([key, item]) => walk(item, { type: entry, path: `${path}.${key}` })))
    ).flat();
  }
  if (type === 'any') return [];
  if (type === 'IntOrString')
    return typeof value === 'number' || typeof value === 'string' ? [] : [`${path} is no number or string`];
  if (type === 'Date') return typeof value === 'string' ? [] : [`${path} is no time`];
  if (['string', 'number', 'boolean'].includes(type)) return scalarProblems(value, place);
  if (!isObject(value)) return [`${path} is no object`];

  const attributes = new Map(
    (await model(type)).getAttributeTypeMap().map((attribute) => [attribute.baseName, attribute.type]),
  );
  const problems = await Promise.all(
    Object.entries(value).map(async ([name, item]) => {
      const known = attributes.get(name);
      if (known === undefined) return [`${path}.${name} is unknown to ${type}`];
      const words = vocabulary[`${type}.${name}`];
      if (words !== undefined && !words.includes(item as string))
        return [`${path}.${name} ${JSON.stringify(item)} is none of ${words.join(', ')}`];
      const problem = isQuantity(`${type}.${name}`) ? quantityProblem(item, `${path}.${name}`) : undefined;
      if (problem !== undefined) return [problem];
      return walk(item, { type: known, path: `${path}.${name}` });
    }),
  );
  return problems.flat();
}

/** The published schema has no enumerations: these are the fields of ours whose words the API server checks. */
const vocabulary: Readonly<Record<string, readonly string[]>> = {
  'V1Container.restartPolicy': ['Always', 'Never', 'OnFailure'],
  'V1Container.imagePullPolicy': ['Always', 'IfNotPresent', 'Never'],
  'V1Container.terminationMessagePolicy': ['File', 'FallbackToLogsOnError'],
  'V1ContainerPort.protocol': ['TCP', 'UDP', 'SCTP'],
  'V1PodSpec.restartPolicy': ['Always', 'Never', 'OnFailure'],
  'V1SeccompProfile.type': ['RuntimeDefault', 'Localhost', 'Unconfined'],
  'V1EmptyDirVolumeSource.medium': ['', 'Memory'],
  'V1Secret.type': ['Opaque'],
  'V1ObjectFieldSelector.fieldPath': [
    ...['metadata.name', 'metadata.namespace', 'metadata.uid', 'spec.nodeName', 'spec.serviceAccountName'],
    ...['status.hostIP', 'status.podIP', "metadata.annotations['kubectl.kubernetes.io/default-container']"],
  ],
};

function isQuantity(field: string): boolean {
  return [
    'V1ResourceRequirements.limits',
    'V1ResourceRequirements.requests',
    'V1EmptyDirVolumeSource.sizeLimit',
  ].includes(field);
}

function quantityProblem(value: Json, path: string): string | undefined {
  const quantities = isObject(value) ? Object.values(value) : [value];
  const wrong = quantities.find((quantity) => !/^\d+(\.\d+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/.test(text(quantity)));
  return wrong === undefined ? undefined : `${path} ${JSON.stringify(wrong)} is no quantity`;
}

function scalarProblems(value: Json, { type, path }: { type: string; path: string }): string[] {
  return typeof value === type ? [] : [`${path} ${JSON.stringify(value)} is no ${type}`];
}

async function model(type: string): Promise<Model> {
  const file = new URL(
    `../kubernetes/node_modules/@kubernetes/client-node/dist/gen/models/${type}.js`,
    import.meta.url,
  );
  const models = (await import(file.href)) as Readonly<Record<string, Model | undefined>>;
  const found = models[type];
  if (found === undefined) throw new Error(`${file.pathname} has no ${type}`);
  return found;
}

/** kubernetes-models knows what is required and of which type, custom resources included. */
async function missingFields({
  apiVersion,
  kind,
  object,
}: {
  apiVersion: string;
  kind: string;
  object: JsonObject;
}): Promise<string[]> {
  const library = apiVersion.startsWith('monitoring.coreos.com/')
    ? '@kubernetes-models/prometheus-operator'
    : 'kubernetes-models';
  const file = new URL(`../kubernetes/node_modules/${library}/${apiVersion}/${kind}.js`, import.meta.url);
  const models = (await import(file.href)) as Readonly<Record<string, (new (data: unknown) => Validated) | undefined>>;
  const Kind = models[kind];
  if (Kind === undefined) return [`${apiVersion} has no ${kind}`];
  try {
    new Kind(object).validate();
    return [];
  } catch (error) {
    // Its way of telling what is wrong.
    return [`${kind}: ${error instanceof Error ? error.message : 'unknown'}`];
  }
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
