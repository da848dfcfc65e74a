// Builds the container image from what npm and Debian have, for both processors, and measures it.
//   npm run image -- [--arch amd64|arm64 ...] [--no-export]
// Needs Debian's buildah, binutils-x86-64-linux-gnu and binutils-aarch64-linux-gnu (--arch amd64 does without the last). The
// result is in .cache/image: an OCI archive per processor (`podman load -i`), the SBOM, and the containers-storage that the
// pod test runs from.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { takeBuildLock } from '../../.tools/build/lock.ts';
import { appLayerDirectory } from './app-layer.ts';
import { architectures, isArchitecture } from './architecture.ts';
import type { Architecture } from './architecture.ts';
import { prepareBase } from './base-files.ts';
import { buildImage, cacheDirectory, exportArchive, imageId, removeReplaced, root } from './buildah.ts';
import { measureArchive } from './measure.ts';
import { softwareBillOfMaterials } from './sbom.ts';

/** Compressed, as a registry serves it. */
export const maxImageBytes = 50e6;
export const maxAppLayerBytes = 3e6;

if (import.meta.main) await main();

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { arch: { type: 'string', multiple: true }, 'no-export': { type: 'boolean' } },
  });
  const wanted = values.arch ?? architectures;
  const unknown = wanted.find((name) => !isArchitecture(name));
  if (unknown !== undefined) fail(`--arch ${unknown} is none of ${architectures.join(', ')}`);
  mkdirSync(cacheDirectory, { recursive: true });
  for (const architecture of wanted.filter(isArchitecture)) {
    const tag = await build(architecture);
    console.log(`${tag}  ${imageId(tag)}`);
    if (values['no-export'] !== true) report(architecture, tag);
  }
  if (values['no-export'] !== true) writeSbom();
}

/** The image of one processor in the storage of `.cache/image`; gives its tag. The base is kept from one build to the next. */
export async function build(architecture: Architecture, options: { fresh?: boolean } = {}): Promise<string> {
  bundle();
  using _lock = takeBuildLock(root, 'image');
  const base = `localhost/sidescope-base:${architecture}`;
  const { directory, isNew } = await prepareBase(architecture);
  if (isNew || options.fresh === true || imageId(base) === undefined) {
    buildImage({ tag: base, containerfile: 'base.Containerfile', context: directory, architecture });
  }
  const tag = `localhost/sidescope:${architecture}`;
  const version = packageVersion();
  buildImage({
    tag,
    containerfile: 'Containerfile',
    context: appLayerDirectory(),
    architecture,
    buildArguments: { BASE: base, VERSION: version, REVISION: revision() },
  });
  removeReplaced();
  return tag;
}

function bundle(): void {
  const { status } = spawnSync(process.execPath, [join(root, '.tools/build.ts'), '--when-stale'], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0) fail('the bundle could not be built');
}

function report(architecture: Architecture, tag: string): void {
  const archive = join(cacheDirectory, `sidescope-${architecture}.oci.tar`);
  exportArchive(tag, archive);
  const { totalBytes, layers } = measureArchive(archive);
  const appBytes = layers.at(-1) ?? 0;
  console.log(
    `${archive}: ${megabytes(totalBytes)} compressed (budget ${megabytes(maxImageBytes)}), ` +
      `of them ${megabytes(appBytes)} in the application's layer (budget ${megabytes(maxAppLayerBytes)})`,
  );
  if (totalBytes > maxImageBytes || appBytes > maxAppLayerBytes) fail('the image is over its budget');
}

function writeSbom(): void {
  const sbom = softwareBillOfMaterials();
  const path = join(cacheDirectory, 'sidescope.cdx.json');
  writeFileSync(path, JSON.stringify(sbom, undefined, 2));
  console.log(`${path}: ${sbom.components.length} components`);
}

function packageVersion(): string {
  const { stdout } = spawnSync('npm', ['pkg', 'get', 'version'], { cwd: root, encoding: 'utf8' });
  return JSON.parse(stdout) as string;
}

function revision(): string {
  const { stdout, status } = spawnSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8' });
  return status === 0 ? stdout.trim() : 'unknown';
}

function megabytes(sizeBytes: number): string {
  return `${(sizeBytes / 1e6).toFixed(1)} MB`;
}

function fail(sentence: string): never {
  console.error(`image: ${sentence}`);
  process.exit(1);
}
