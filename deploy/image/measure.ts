import { spawnSync } from 'node:child_process';

export interface ImageSize {
  /** What a node that has no layer of it downloads. */
  readonly totalBytes: number;
  /** Compressed, base first. */
  readonly layers: readonly number[];
}

interface Descriptor {
  readonly digest: string;
  readonly size: number;
}

export function measureArchive(path: string): ImageSize {
  const index = readJson<{ manifests: readonly Descriptor[] }>(path, 'index.json');
  const [only] = index.manifests;
  if (only === undefined) throw new Error(`${path} holds no image`);
  const manifest = readJson<{ config: Descriptor; layers: readonly Descriptor[] }>(path, blobPath(only));
  const layers = manifest.layers.map(({ size }) => size);
  return { totalBytes: layers.reduce((sum, size) => sum + size, manifest.config.size), layers };
}

function blobPath({ digest }: Descriptor): string {
  return `blobs/${digest.replace(':', '/')}`;
}

function readJson<T>(archive: string, member: string): T {
  const { stdout, status, stderr } = spawnSync('tar', ['-xOf', archive, member], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${archive} has no ${member}: ${stderr}`);
  return JSON.parse(stdout) as T;
}
