import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Architecture } from './architecture.ts';

export const root = join(import.meta.dirname, '..', '..');
export const cacheDirectory = join(root, '.cache/image');
/** Of this tree only, for buildah and podman: the machine's own images are left alone. */
export const storageFlags = [
  '--root',
  join(cacheDirectory, 'storage'),
  '--runroot',
  join(cacheDirectory, 'storage-run'),
  '--storage-driver',
  process.env['STORAGE_DRIVER'] ?? 'overlay',
];

export interface ImageBuild {
  readonly tag: string;
  /** In deploy/image, or an absolute path. */
  readonly containerfile: string;
  readonly context: string;
  readonly architecture: Architecture;
  readonly buildArguments?: Readonly<Record<string, string>>;
}

/** All times are 0 and no tool names itself: the same input gives the same image id. */
export function buildImage({ tag, containerfile, context, architecture, buildArguments = {} }: ImageBuild): void {
  buildah(
    'build',
    ...['--format', 'oci', '--platform', `linux/${architecture}`, '--pull=never', '--no-cache', '--quiet'],
    ...['--timestamp', '0', '--identity-label=false', '--tag', tag],
    ...Object.entries(buildArguments).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]),
    ...['--file', resolve(import.meta.dirname, containerfile), context],
  );
}

/** What a newer build replaced would stay for good. */
export function removeReplaced(): void {
  buildah('rmi', '--prune', '--force');
}

/** Undefined when the storage has no such image. */
export function imageId(tag: string): string | undefined {
  const { stdout, status } = spawnSync(
    'buildah',
    [...storageFlags, 'inspect', '--type', 'image', '--format', '{{.FromImageID}}', tag],
    {
      encoding: 'utf8',
    },
  );
  return status === 0 ? stdout.trim() : undefined;
}

/** One file that `podman load` and `skopeo` read; its layers are compressed as a registry would have them. */
export function exportArchive(tag: string, path: string): void {
  rmSync(path, { force: true });
  buildah('push', '--quiet', '--format', 'oci', tag, `oci-archive:${path}`);
}

function buildah(...args: string[]): void {
  const { status, error, stderr } = spawnSync('buildah', [...storageFlags, ...args], { encoding: 'utf8' });
  if (error !== undefined)
    throw new Error(`buildah could not be started: ${error.message}; apt-get install buildah`, { cause: error });
  if (status !== 0) throw new Error(`buildah ${args.join(' ')} failed: ${stderr}`);
}
