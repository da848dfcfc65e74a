import { at, list, podTemplate, text } from '../render.ts';
import type { JsonObject } from '../render.ts';
import type { PodOptions } from './pod.ts';

/** Native sidecars, then the others: those that run as long as the pod does, in the order in which they start. */
export function lastingContainers(deployment: JsonObject): readonly JsonObject[] {
  const spec = at(podTemplate(deployment), 'spec');
  const sidecars = list(at(spec, 'initContainers')).filter(({ restartPolicy }) => restartPolicy === 'Always');
  return [...sidecars, ...list(at(spec, 'containers'))];
}

export function sharesProcesses(deployment: JsonObject): boolean {
  return at(podTemplate(deployment), 'spec', 'shareProcessNamespace') === true;
}

/** A container's variables, with what the kubelet would put for the downward API. */
export function environmentOf(
  container: JsonObject,
  { deployment, name, sidecarEnvironment }: PodOptions & { name: string },
): Readonly<Record<string, string>> {
  const annotations = (at(podTemplate(deployment), 'metadata', 'annotations') ?? {}) as JsonObject;
  const fields: Readonly<Record<string, string>> = {
    'metadata.name': name,
    'metadata.namespace': text(at(deployment, 'metadata', 'namespace') ?? 'default'),
    'spec.nodeName': 'node-1',
    ...Object.fromEntries(
      Object.entries(annotations).map(([key, value]) => [`metadata.annotations['${key}']`, text(value)]),
    ),
  };
  const variables = list(container['env']).map((variable): [string, string] => {
    const path = at(variable, 'valueFrom', 'fieldRef', 'fieldPath');
    return [text(variable['name']), path === undefined ? text(variable['value'] ?? '') : (fields[text(path)] ?? '')];
  });
  return { ...Object.fromEntries(variables), ...(container['name'] === 'sidescope' ? sidecarEnvironment : {}) };
}
