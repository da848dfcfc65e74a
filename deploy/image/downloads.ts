import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { nodeArchitecture } from './architecture.ts';
import type { Architecture } from './architecture.ts';
import { cacheDirectory, root } from './buildah.ts';

const downloads = join(cacheDirectory, 'downloads');

export interface NodePackage {
  /** Unpacked: `bin/node`, `LICENSE`. */
  readonly directory: string;
  readonly integrity: string;
}

/** The Node that package-lock.json names for that processor; the other processor's one comes through `npm pack`. */
export function nodePackage(architecture: Architecture): NodePackage {
  const name = `node-linux-${nodeArchitecture(architecture)}`;
  const { version, integrity } = lockedPackage(name);
  const installed = join(root, 'node_modules', name);
  if (existsSync(join(installed, 'bin/node'))) return { directory: installed, integrity };

  const directory = join(downloads, `${name}-${version}`);
  if (!existsSync(join(directory, 'package/bin/node'))) {
    mkdirSync(directory, { recursive: true });
    const archive = join(directory, `${name}-${version}.tgz`);
    run('npm', ['pack', `${name}@${version}`, '--silent', '--pack-destination', directory]);
    const seen = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
    if (seen !== integrity) throw new Error(`${archive} is ${seen}, package-lock.json has ${integrity}`);
    run('tar', ['-xzf', archive, '-C', directory, 'package/bin/node', 'package/LICENSE']);
    rmSync(archive);
  }
  return { directory: join(directory, 'package'), integrity };
}

/**
 * Paths of the downloaded .deb files, the machine's own release and mirrors, whatever processor they are for. The package
 * lists go to a directory of our own: no foreign architecture is added to the machine.
 */
export function debianPackages(wanted: { architecture: Architecture; packages: readonly string[] }): readonly string[] {
  const { architecture, packages } = wanted;
  const directory = join(downloads, `debian-${architecture}`);
  const find = (): string[] => packages.flatMap((name) => globSync(`${name}_*.deb`, { cwd: directory }));
  if (find().length < packages.length) {
    for (const folder of ['state', 'lists/partial', 'cache/archives/partial'])
      mkdirSync(join(directory, folder), { recursive: true });
    const options = {
      'APT::Architecture': architecture,
      'APT::Architectures': architecture,
      'APT::Sandbox::User': '',
      'Dir::State': join(directory, 'state'),
      'Dir::State::status': '/dev/null',
      'Dir::State::lists': join(directory, 'lists'),
      'Dir::Cache': join(directory, 'cache'),
    };
    const flags = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
    run('apt-get', [...flags, '--quiet', 'update'], directory);
    run('apt-get', [...flags, '--quiet', 'download', ...packages], directory);
    for (const folder of ['state', 'lists', 'cache']) rmSync(join(directory, folder), { recursive: true });
  }
  const found = find();
  if (found.length !== packages.length)
    throw new Error(`${directory} has ${found.join(', ')}; wanted one each of ${packages.join(', ')}`);
  return found.map((name) => join(directory, name));
}

function lockedPackage(name: string): { version: string; integrity: string } {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version: string; integrity: string } | undefined>;
  };
  const entry = lock.packages[`node_modules/${name}`];
  if (entry === undefined) throw new Error(`package-lock.json has no ${name}`);
  return entry;
}

function run(command: string, args: readonly string[], cwd?: string): void {
  const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8', cwd });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed: ${error?.message ?? stderr}`);
}
