import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { plainModes } from '../../../deploy/image/app-layer.ts';
import { cacheDirectory } from '../../../deploy/image/buildah.ts';
import { nodePath } from '../../support/node-versions.ts';

/** Of another Node than the agent's, as an application's image would be. */
const applicationNode = 22;

/** What the application's image adds to the libraries of the base: its Node and its one file. Gives the directory. */
export function applicationLayerDirectory(): string {
  const directory = join(cacheDirectory, 'shop');
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(join(directory, 'usr/local/bin'), { recursive: true });
  mkdirSync(join(directory, 'srv'));
  copyFileSync(join(import.meta.dirname, '../shop/server.cjs'), join(directory, 'srv/server.js'));
  plainModes(directory);
  // Its mode comes along: 755.
  copyFileSync(nodePath(applicationNode), join(directory, 'usr/local/bin/node'));
  return directory;
}
