import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { plainModes } from '../../../deploy/image/app-layer.ts';
import { hostArchitecture } from '../../../deploy/image/architecture.ts';
import { build } from '../../../deploy/image/build.ts';
import { buildImage, cacheDirectory } from '../../../deploy/image/buildah.ts';
import { nodePath } from '../../support/node-versions.ts';

/** Of another Node than the agent's, as an application's image would be. */
const applicationNode = 22;

/** Both images, in the storage that podman runs from: the agent's as it is released, and the application's. */
export async function buildImages(): Promise<Readonly<Record<string, string>>> {
  const architecture = hostArchitecture();
  const sidescope = await build(architecture);
  const context = join(cacheDirectory, 'shop');
  rmSync(context, { recursive: true, force: true });
  mkdirSync(join(context, 'usr/local/bin'), { recursive: true });
  mkdirSync(join(context, 'srv'));
  copyFileSync(join(import.meta.dirname, '../shop/server.cjs'), join(context, 'srv/server.js'));
  plainModes(context);
  // Its mode comes along: 755.
  copyFileSync(nodePath(applicationNode), join(context, 'usr/local/bin/node'));
  buildImage({
    tag: 'localhost/shop:test',
    containerfile: join(import.meta.dirname, '../shop/Containerfile'),
    context,
    architecture,
    buildArguments: { BASE: `localhost/sidescope-base:${architecture}` },
  });
  return { sidescope, shop: 'localhost/shop:test' };
}
