import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { at, list, podTemplate, text } from '../render.ts';
import type { Json, JsonObject } from '../render.ts';
import { environmentOf, lastingContainers, sharesProcesses } from './pod-spec.ts';
import type { PodOptions } from './pod.ts';

export interface PodmanOptions extends PodOptions {
  readonly name: string;
  /** What the containers' images are here. */
  readonly images: Readonly<Record<string, string>>;
}

/**
 * The pod of a rendered Deployment, as podman 4.3 takes it. What it does not know is put in other words: a native sidecar is a
 * container before the others, the downward API is its values, a Secret is a directory. Probes and port names have no
 * meaning without a kubelet. Images are the local ones. All the rest (users, capabilities, seccomp, read-only roots, limits,
 * commands, volumes) is untouched.
 */
export function podForPodman(options: PodmanOptions & { directory: string }): {
  manifest: JsonObject;
  volumes: readonly string[];
} {
  const { deployment, name } = options;
  const spec = at(podTemplate(deployment), 'spec');
  const containers = lastingContainers(deployment).map((container) => containerForPodman(container, options));
  const volumes = list(at(spec, 'volumes')).map((volume) => volumeForPodman(volume, options));
  return {
    manifest: {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name },
      spec: { containers, volumes, shareProcessNamespace: sharesProcesses(deployment) },
    },
    volumes: volumes.filter(({ emptyDir }) => emptyDir !== undefined).map((volume) => text(volume['name'])),
  };
}

function containerForPodman(container: JsonObject, options: PodmanOptions): JsonObject {
  const { name, images } = options;
  const dropped = ['restartPolicy', 'ports', 'livenessProbe', 'readinessProbe', 'startupProbe'];
  const kept = Object.fromEntries(Object.entries(container).filter(([key]) => !dropped.includes(key)));
  const image = images[text(container['name'])];
  if (image === undefined) throw new Error(`no image for container ${text(container['name'])}`);
  return {
    ...kept,
    image,
    // podman makes the request a soft limit, which Node then takes for the limit; Kubernetes does not.
    resources: { limits: at(container, 'resources', 'limits') ?? {} },
    env: Object.entries(environmentOf(container, options)).map(([key, value]) => ({ name: key, value })),
    volumeMounts: list(container['volumeMounts']).map((mount) => ({ ...mount, name: volumeName(name, mount['name']) })),
  };
}

function volumeForPodman(
  volume: JsonObject,
  options: { name: string; directory: string; tokens?: string },
): JsonObject {
  const name = volumeName(options.name, volume['name']);
  if (volume['secret'] === undefined) return { ...volume, name };
  const path = join(options.directory, 'secret');
  mkdirSync(path, { mode: 0o755 });
  writeFileSync(join(path, 'tokens.json'), options.tokens ?? '{"tokens":[]}', { mode: 0o444 });
  return { name, hostPath: { path, type: 'Directory' } };
}

/** podman keeps an emptyDir as a volume of that name, for the whole machine. */
function volumeName(pod: string, volume: Json | undefined): string {
  return `${pod}-${text(volume)}`;
}
