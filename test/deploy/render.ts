import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { kubectlPath } from '../../.tools/prepare/kubernetes.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

export const deployDirectory = join(import.meta.dirname, '../../deploy');

/** What `kubectl kustomize` makes of a directory: one object per document. */
export function renderOverlay(directory: string): readonly JsonObject[] {
  const kubectl = kubectlPath();
  if (kubectl === undefined) throw new Error('no kubectl with kustomize 5: run node .tools/prepare-tests.ts');
  const { status, stdout, stderr } = spawnSync(kubectl, ['kustomize', directory], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`kubectl kustomize ${directory} failed: ${stderr}`);
  return documents(stdout);
}

export function readManifest(path: string): readonly JsonObject[] {
  return documents(readFileSync(path, 'utf8'));
}

function documents(yaml: string): readonly JsonObject[] {
  return parseAllDocuments(yaml).map((document) => {
    const [error] = [...document.errors, ...document.warnings];
    if (error !== undefined) throw error;
    return document.toJS() as JsonObject;
  });
}

/** `at(deployment, 'spec', 'template')`; undefined when there is no such thing. */
export function at(value: Json | undefined, ...path: readonly (string | number)[]): Json | undefined {
  let current: Json | undefined = value;
  for (const key of path) current = (current as Record<string | number, Json> | null | undefined)?.[key];
  return current;
}

/** A string as it is, everything else as JSON: for messages and comparisons. */
export function text(value: Json | undefined): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? null);
}

export function list(value: Json | undefined): readonly JsonObject[] {
  return (value ?? []) as readonly JsonObject[];
}

/** The pod template of a workload of any kind, or the pod itself. */
export function podTemplate(object: JsonObject): JsonObject | undefined {
  const path = object['kind'] === 'CronJob' ? ['spec', 'jobTemplate', 'spec', 'template'] : ['spec', 'template'];
  return (object['kind'] === 'Pod' ? object : at(object, ...path)) as JsonObject | undefined;
}

export function containersOf(template: JsonObject): readonly JsonObject[] {
  return [...list(at(template, 'spec', 'initContainers')), ...list(at(template, 'spec', 'containers'))];
}

export function sidecarOf(object: JsonObject): JsonObject {
  const template = podTemplate(object);
  const found = template === undefined ? undefined : containersOf(template).find(({ name }) => name === 'sidescope');
  if (found === undefined) throw new Error(`${text(object['kind'])} has no container sidescope`);
  return found;
}
